"""Whatever the bytes are: a picture or a refusal, never another exception."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotfolder import images
from hotfolder.errors import RejectedInput
from tests.images import odd

SEEDS = [
    case.data
    for name, case in odd.every().items()
    if name in (
        "png texts", "png palette, alphas", "png animated", "png upside down by its exif", "png, Display P3",
        "jpeg, orientation 6", "jpeg cmyk, profile of a press", "jpeg of several pictures", "jpeg progressive",
        "webp, orientation 6", "webp, Display P3", "webp animated", "tiff tiff_lzw", "tiff lab", "tiff pages",
        "tiff, Adobe RGB", "tiff real of 0..1", "bmp palette", "heic alpha", "heic, Display P3", "avif alpha",
    )
]  # fmt: skip


@given(st.sampled_from(SEEDS), st.data())
@settings(
    max_examples=600,
    suppress_health_check=[HealthCheck.large_base_example, HealthCheck.data_too_large, HealthCheck.too_slow],
)
@pytest.mark.filterwarnings("ignore")
def test_changed_bytes(seed: bytes, data: st.DataObject) -> None:
    changed = bytearray(seed)
    near = data.draw(st.sampled_from((64, 400, len(seed))), label="within the first")  # headers are where it matters
    for _ in range(data.draw(st.integers(1, 6), label="changes")):
        at = data.draw(st.integers(0, min(near, len(seed)) - 1), label="at")
        changed[at] = data.draw(st.sampled_from((0, 1, 127, 128, 255, changed[at] ^ 1)), label="byte")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture")
        path.write_bytes(changed[: data.draw(st.sampled_from((len(seed), len(seed) // 2)), label="length")])
        try:
            sniffed = images.sniff(path, 1_000_000)
            picture = images.open_picture(path, 1_000_000)
        except RejectedInput as refusal:
            assert str(refusal).endswith(".")
        else:
            assert picture.image.mode in ("L", "RGB", "RGBA")
            assert sniffed.width * sniffed.height <= 1_000_000
