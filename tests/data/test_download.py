"""Mirrors in their order, checksums, idx files and their defects."""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, contents, idx, mirrors
from torchvision.datasets import MNIST, FashionMNIST

from gan.data import download as data
from gan.data import mirrors as gan_mirrors
from gan.data.datasets import UNPACKED
from gan.data.download import download, parse_idx
from gan.data.mirrors import unpacked
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
        f"{missing}: there is no such folder",
        "http://127.0.0.1:9/: Connection refused",
        "baseline.data to digits",
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
    ],
)
def test_defects_are_named(content: bytes, defect: str) -> None:
    with pytest.raises(DataError, match=f"some-file: .*{defect}"):
        parse_idx(content, "some-file")


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda content: zlib.compress(content, wbits=-15)])
def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]) -> None:
    content = pack(bytes(1_000))
    monkeypatch.setattr(gan_mirrors, "MOST_BYTES", 1_000)
    assert unpacked(content) == bytes(1_000)
    monkeypatch.setattr(gan_mirrors, "MOST_BYTES", 999)
    assert unpacked(content) is None
    assert unpacked(content[:-1]) is None


def test_a_bomb_in_a_folder_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes(1_000))
    monkeypatch.setattr(gan_mirrors, "MOST_BYTES", 999)
    with pytest.raises(DataError, match=f"{tmp_path}: train-images-idx3-ubyte is larger than 999 bytes"):
        download(*mirrors(str(tmp_path)), tmp_path / "data")


@pytest.mark.parametrize("data_set", [MNIST, FashionMNIST])
def test_the_unpacked_files_are_torchvisions(data_set: type[MNIST]) -> None:
    """One content has both checksums, torchvision's MD5 packed and our SHA-256 unpacked."""
    name = {MNIST: "mnist", FashionMNIST: "fashion_mnist"}[data_set]
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip("the data set is not on this machine")
    for file, md5 in data_set.resources:
        content = (folder / file).read_bytes()
        assert hashlib.md5(content).hexdigest() == md5
        digest = hashlib.sha256(gzip.decompress(content)).hexdigest()
        assert digest == UNPACKED[name][file.removesuffix(".gz")]


@pytest.mark.parametrize(
    ("mirror", "name", "url"),
    [
        ("http://host", "f.gz", "http://host/f.gz"),
        ("HTTP://host/a/", "f.gz", "http://host/a/f.gz"),
        ("https://me:x@host:81/a?token=b/c&d#e", "f.gz", "https://me:x@host:81/a/f.gz?token=b/c&d"),
    ],
)
def test_a_files_address_is_built(mirror: str, name: str, url: str) -> None:
    assert gan_mirrors.is_url(mirror)
    assert gan_mirrors.address(mirror, name) == url


@pytest.mark.parametrize("name", ["a#b", "a?b", "100%", "a b", "a:b", "http:x", "https", "~x", "ü", "a@b:c"])
def test_a_folder_may_have_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    file = tmp_path / name / "train-images-idx3-ubyte.gz"
    file.write_bytes(b"content")
    mirror = f"./{name}" if name.startswith("~") else name
    assert not gan_mirrors.is_url(mirror)
    assert list(gan_mirrors.contents(mirror, file.name, 1.0)) == [b"content"]
    assert Path(gan_mirrors.elsewhere(mirror)) == tmp_path / name


def test_a_folder_may_be_below_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert gan_mirrors.folder("~/mnist") == tmp_path / "mnist"
    with pytest.raises(gan_mirrors.MirrorError, match="there is no such home folder"):
        list(gan_mirrors.contents("~nobody-has-this-name/mnist", "train-images-idx3-ubyte.gz", 1.0))
    assert gan_mirrors.elsewhere("~nobody-has-this-name/mnist") == "~nobody-has-this-name/mnist"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty file, md5 "),
        (b"\n<!DOCTYPE html><html>Log in", "a web page, such as a network's login page, md5 "),
        (gzip.compress(b"<html>", mtime=0), "a web page, such as a network's login page, md5 "),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a pointer of Git LFS (`git lfs pull` fetches the file), md5 ",
        ),
        (b"something else", "wrong file, md5 "),
    ],
)
def test_what_a_wrong_file_is_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}: {told}{hashlib.md5(content).hexdigest()} instead of ")):
        download(*mirrors(str(tmp_path)), tmp_path / "data")


def test_another_data_sets_file_is_named(tiny_mnist: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tiny_mnist}: mnist's file, md5"):
        download(*mirrors(str(tiny_mnist), name="fashion_mnist"), tmp_path / "data")


def test_wrong_shapes_are_refused(tiny_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "parse_idx", lambda content, name: np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(DataError, match="are not mnist's"):
        download(*mirrors(str(tiny_mnist)), tmp_path / "data")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://me:secret@host/x", "http://host/x"),
        ("at 'http://me:p@s/s@host:80/x': refused", "at 'http://host:80/x': refused"),
        ("(HTTPS://me@host/?token=abc#d)", "(HTTPS://host/)"),
        ("me:secret@host:80 fails", "host:80 fails"),
        ("//me:secret@host/x", "//host/x"),
        ("http://host:80/a@b: refused", "http://host:80/a@b: refused"),
        ("Max retries exceeded with url: /x?token=abc (Caused by", "Max retries exceeded with url: /x (Caused by"),
        ("http://a/?t=1; http://me:x@b/?t=2: no", "http://a/; http://b/: no"),
        ("sqlite:///home/me/mlflow.db is locked", "sqlite:///home/me/mlflow.db is locked"),
        ("mail me@host, at 12:30", "mail me@host, at 12:30"),
    ],
)
def test_credentials_are_not_shown(text: str, kept: str) -> None:
    assert gan_mirrors.without_credentials(text) == kept


def test_what_is_there_is_kept_until_it_is_damaged_or_the_code_is_another(
    tiny_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    download(*mirrors(str(tiny_mnist)), folder)
    made = contents(folder)
    for file in tiny_mnist.iterdir():
        file.rename(tmp_path / file.name)
    download(*mirrors(str(tiny_mnist)), folder)
    assert contents(folder) == made
    for spoil in (
        lambda: (folder / "test.safetensors").write_bytes(b"damaged"),
        lambda: (folder / "data.json").write_text("{}"),
        lambda: monkeypatch.setattr(data, "room_checksum", lambda room: "edited"),
    ):
        spoil()
        with pytest.raises(DataError, match="no mirror has"):
            download(*mirrors(str(tiny_mnist)), folder)
        for name, content in made.items():
            (folder / name).write_bytes(content)
