"""Mirrors in their order, checksums, idx files and their defects."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import idx, mirrors
from torchvision.datasets import MNIST

from gan import download as data
from gan.download import download, parse_idx
from gan.images import DataError, load


def test_the_first_mirror_that_has_the_file_is_taken(tiny_mnist: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    download(*mirrors(str(tmp_path / "missing"), str(tiny_mnist)), folder)
    images, labels = load(folder, "test")
    assert images.shape == (10_000, 28, 28)
    assert images.dtype == labels.dtype == torch.uint8
    assert torch.equal(images[:, 0, 0], labels)
    record = json.loads((folder / "data.json").read_text())
    assert record["train"] == 60_000
    assert record["files"] == dict(MNIST.resources)


def test_without_any_mirror_each_is_named_with_its_failure(tiny_mnist: Path, tmp_path: Path) -> None:
    """tests/faults/test_network.py has mirrors that fail in other ways."""
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for name, _ in MNIST.resources:
        (wrong / name).write_bytes(b"something else")
    missing = str(tmp_path / "missing")
    with pytest.raises(DataError) as caught:
        download(*mirrors(str(wrong), missing, "http://127.0.0.1:9/"), tmp_path / "data")
    told = str(caught.value)
    for part in (
        f"{wrong}: wrong file, md5",
        f"{missing}: No such file or directory",
        "http://127.0.0.1:9/: no connection",
        "data.name to digits",
    ):
        assert part in told
    assert "\n" not in told
    assert not (tmp_path / "data").exists()


def test_one_flipped_bit_is_noticed(tmp_path: Path) -> None:
    download(*mirrors("nowhere", name="digits"), tmp_path)
    path = tmp_path / "train.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    load(tmp_path, "test")
    with pytest.raises(DataError, match="is damaged"):
        load(tmp_path, "train")


def test_digits_need_no_mirror_and_look_like_the_originals(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    download(*mirrors("nowhere", name="digits"), tmp_path)
    (train, _), (test, labels) = load(tmp_path, "train"), load(tmp_path, "test")
    assert len(train) == 1297
    assert len(test) == 500
    original = load_digits()
    assert labels.tolist() == original.target[-500:].tolist()
    small = torch.nn.functional.interpolate(test[:, None].float() / 255 * 16, (8, 8), mode="area").squeeze(1)
    originals = torch.tensor(original.images[-500:])
    assert (small - originals).abs().mean() < 0.4 * (small - originals.flip(0)).abs().mean()


@pytest.mark.parametrize(
    ("content", "defect"),
    [
        (b"", "not an idx file"),
        (b"<html>", "not an idx file"),
        (idx(np.zeros(5, np.uint8))[:-1], "4 values where its header says 5"),
        (idx(np.zeros(5, np.uint8)) + b"x", "6 values where its header says 5"),
        (b"\0\0\x08\x03\0\0", "ends within its header"),
        (b"\0\0\x0d\x01\0\0\0\0", "not unsigned bytes"),
        (b"\0\0\x08\x04" + b"\xff" * 16, "where its header says"),
        (b"\0\0\x08\x41" + 65 * b"\0\0\0\1" + b"x", "no array has the 65 dimensions of its header"),
        (b"\0\0\x08\x03" + 4 * b"\0" + 8 * b"\xff", "no array has the 3 dimensions of its header"),
        (gzip.compress(idx(np.zeros(5, np.uint8)))[:-9], "damaged gzip file"),
        (b"\x1f\x8b\x08" + 7 * b"\0" + 8 * b"\xff", "damaged gzip file"),
    ],
)
def test_defects_are_named(content: bytes, defect: str) -> None:
    with pytest.raises(DataError, match=f"some-file: .*{defect}"):
        parse_idx(content, "some-file")


def test_a_gzip_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    content = gzip.compress(idx(np.zeros(1_000, np.uint8)))
    monkeypatch.setattr(data, "_MOST_BYTES", 1_008)
    assert parse_idx(content, "some-file").size == 1_000
    monkeypatch.setattr(data, "_MOST_BYTES", 1_007)
    with pytest.raises(DataError, match="some-file: unpacks to more than 1,007 bytes"):
        parse_idx(content, "some-file")


def test_wrong_shapes_are_refused(tiny_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "parse_idx", lambda content, name: np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(DataError, match="are not mnist's"):
        download(*mirrors(str(tiny_mnist)), tmp_path / "data")
