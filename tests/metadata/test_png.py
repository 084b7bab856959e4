"""Our PNG encoder loses nothing, and the text reader finds what stands behind the pixels."""

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hotfolder.metadata import png
from tests.images import raw
from tests.metadata import made


def encoded(image: Image.Image, texts: dict[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    png.write(file, image, texts or {}, None)
    return file.getvalue()


def smooth(size: int) -> Image.Image:
    """Return a picture with gradients, edges and grain, as compressible as a photograph."""
    y, x = np.mgrid[0:size, 0:size] * (255 / size)
    grain = np.random.default_rng(1).normal(0, 3, (size, size))
    bands = (x + grain, y + grain, np.where((x // 32 + y // 32) % 2, x, 255 - y) + grain)
    return Image.fromarray(np.clip(np.dstack(bands), 0, 255).astype(np.uint8))


@given(st.sampled_from(["L", "RGB", "RGBA"]), st.integers(1, 70), st.integers(1, 70))
def test_every_pixel_comes_back(mode: str, width: int, height: int) -> None:
    image = made.picture(mode, (width, height))
    with Image.open(io.BytesIO(encoded(image))) as back:
        back.load()
        assert (back.mode, back.size, back.tobytes()) == (mode, image.size, image.tobytes())


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    image = made.picture("RGB", (20, 31))
    monkeypatch.setattr(png, "_BAND_BYTES", rows * 60)
    with Image.open(io.BytesIO(encoded(image))) as back:
        assert back.convert("RGB").tobytes() == image.tobytes()


def test_every_chunk_has_its_sum() -> None:
    data = encoded(made.picture(), {"a": "b", "c": "ü 東"})
    at, kinds = 8, []
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        kinds.append(kind)
        at += 12 + length
    assert [kind for kind in kinds if kind != b"IDAT"] == [b"IHDR", b"sRGB", b"tEXt", b"iTXt", b"IEND"]


def test_much_faster_than_the_default_and_hardly_larger() -> None:
    image = smooth(1024)
    took_s, sizes = [], []
    for encode in (lambda file: png.write(file, image, {}, None), lambda file: image.save(file, "PNG")):
        best = float("inf")
        for _ in range(3):
            file = io.BytesIO()
            began = time.process_time()
            encode(file)
            best = min(best, time.process_time() - began)
        took_s.append(best)
        sizes.append(len(file.getvalue()))
    assert took_s[0] < took_s[1] / 2.5
    assert sizes[0] < sizes[1] * 1.35


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in Linux's units")
def test_a_large_picture_is_not_copied_whole(tmp_path: Path) -> None:
    script = """if True:
        import resource, sys
        import numpy
        from PIL import Image
        from hotfolder.metadata import png
        image = Image.new("RGB", (8000, 8000), (10, 20, 30))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with open(sys.argv[1], "wb") as file:
            png.write(file, image, {}, None)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "x"], capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1024 < 100  # the picture itself is 256 MB in memory


def test_texts_behind_the_pixels_and_compressed(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    data = encoded(made.picture(), {"first": "1"})
    late = raw.chunk(b"tEXt", b"late\0caf\xe9")
    late += raw.chunk(b"zTXt", b"zipped\0\0" + zlib.compress(b"caf\xe9"))
    late += raw.chunk(b"iTXt", b"plain\0\0\0de\0translated\0" + "日本".encode())
    late += raw.chunk(b"iTXt", b"packed\0\1\0\0\0" + zlib.compress("日本".encode()))
    late += raw.chunk(b"tEXt", b"first\0second")
    late += raw.chunk(b"eXIf", b"MM\0*" + bytes(4))
    path.write_bytes(data[:-12] + late + data[-12:])
    texts, exif = png.read_texts(path)
    assert texts == {"first": "1", "late": "café", "zipped": "café", "plain": "日本", "packed": "日本"}
    assert exif == b"MM\0*" + bytes(4)


def test_a_thousand_texts_of_a_megabyte_in_one_are_not_all_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG")
    plain, packed = buffer.getvalue(), zlib.compress(b"x" * (png.MAX_TEXT_BYTES - 1), 9)
    many = b"".join(png.chunk(b"zTXt", b"%d\0\0" % number + packed) for number in range(1000))
    path = tmp_path / "many.png"
    path.write_bytes(plain[:-12] + png.chunk(b"tEXt", b"first\0read") + many + plain[-12:])
    assert path.stat().st_size < 2 << 20
    texts, _ = png.read_texts(path)
    assert texts["first"] == "read"
    assert sum(map(len, texts.values())) < png.MAX_TEXTS_BYTES + png.MAX_TEXT_BYTES


def test_broken_and_huge_texts_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    data = encoded(made.picture(), {"good": "1"})
    late = raw.chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(100 << 20)))
    late += raw.chunk(b"zTXt", b"broken\0\0not zlib") + raw.chunk(b"iTXt", b"empty") + raw.chunk(b"tEXt", b"")
    late += raw.chunk(b"tEXt", b"long\0" + b"x" * (2 << 20))
    late += struct.pack(">I4s", 0x7FFFFFFF, b"tEXt")
    path.write_bytes(data[:-12] + late)
    began = time.process_time()
    texts, exif = png.read_texts(path)
    assert time.process_time() - began < 3
    assert {key: text for key, text in texts.items() if text} == {"good": "1"}
    assert exif is None
