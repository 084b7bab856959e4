"""The hash of a model's weights: read where that is quick, and taken from the hub's names."""

import hashlib
import json
import struct
from pathlib import Path

import pytest

from hotfolder import miniatures
from hotfolder.models import entries, hashes
from hotfolder.models.hashes import model_hash


def sha256(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()


def weights(content: bytes) -> bytes:
    header = json.dumps({"x": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    return struct.pack("<Q", len(header)) + header + content


def test_one_file_is_named_as_other_tools_name_it(tmp_path: Path) -> None:
    own = tmp_path / "upscalers" / "4x-mine.safetensors"
    own.parent.mkdir()
    own.write_bytes(weights(b"some"))
    entry = entries.known(tmp_path)["4x-mine"]
    place = entries.weights_folder(entry, tmp_path)
    assert model_hash(place) == sha256(weights(b"some"))[:10]
    own.write_bytes(weights(b"others"))
    assert model_hash(place) == sha256(weights(b"others"))[:10], "of the file as it is now"


def test_a_folder_is_named_by_all_its_files(tmp_path: Path) -> None:
    for name in ("vae", "unet"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.safetensors").write_bytes(name.encode())
    both = [hashlib.sha256(name).digest() for name in (b"unet", b"vae")]
    assert model_hash(tmp_path) == sha256(*both)[:10]
    (tmp_path / "empty").mkdir()
    assert model_hash(tmp_path / "empty") is None


def test_what_is_large_is_not_read_but_the_hub_says_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "MAX_READ_BYTES", 4)
    blob = tmp_path / "blobs" / ("a" * 64)
    blob.parent.mkdir()
    blob.write_bytes(b"large")
    link = tmp_path / "snapshots" / "x.safetensors"
    link.parent.mkdir()
    link.symlink_to(blob)
    assert model_hash(link) == "a" * 10
    (tmp_path / "y.safetensors").write_bytes(b"large")
    assert model_hash(tmp_path / "y.safetensors") is None


def test_the_shipped_models_have_one() -> None:
    packaged = [entry.packaged for entry in entries.entries().values() if entry.packaged]
    found = {model_hash(miniatures.path(name)) for name in packaged}
    assert None not in found and len(found) == len(set(packaged))
