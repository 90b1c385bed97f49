"""Downloading a data set: from mirrors, checksums and idx files to two safetensors files."""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from gan.data.datasets import COUNTS, UNPACKED
from gan.data.mirrors import MirrorError, contents, shown, unpacked
from gan.files import DamagedError, check, read_json, room_checksum, sha256, write, write_json
from gan.images import SIDE, SPLITS, DataError

_IDX_START, _IDX_BYTES = b"\0\0", 0x08
_MOST_LAYERS = 3  # of packing: the file's own, the transfer's, and one more
# What servers and folders hold in a file's place, by what stands near its beginning.
_OTHER_FILES = {
    b"<html": "a web page, such as a network's login page",
    b"<!doctype html": "a web page, such as a network's login page",
    b"version https://git-lfs": "a pointer of Git LFS (`git lfs pull` fetches the file)",
}


def download(name: str, mirrors: Sequence[str], timeout_seconds: float, folder: Path) -> None:
    """Write train.safetensors, test.safetensors and data.json with their checksums to `folder`, unless they are there.

    `name` is mnist, fashion_mnist or digits. `mirrors` are folders or URLs, tried in this order; one that is silent for
    `timeout_seconds` is given up. Files that this code made earlier are kept. Raises DataError if no mirror has the
    files, naming each and why it failed, or if a file is not as expected.
    """
    if is_whole(name, folder):
        return
    if name == "digits":
        arrays, files = _embedded_digits(), dict[str, str]()
    else:
        arrays, files = _fetch_all(name, mirrors, timeout_seconds)
    record: dict[str, Any] = {"name": name, "code": room_checksum("data"), "files": files, "sha256": {}}
    for split in SPLITS:
        images, labels = arrays[split]
        path = folder / f"{split}.safetensors"
        write(path, save({"images": torch.tensor(images), "labels": torch.tensor(labels)}))
        record[split] = len(images)
        record["sha256"][split] = sha256(path)
    write_json(folder / "data.json", record)


def is_whole(name: str, folder: Path) -> bool:
    """Whether `folder` has the data set as this code has made it, each file as recorded."""
    try:
        record = read_json(folder / "data.json")
        if (record["name"], record["code"]) != (name, room_checksum("data")):
            return False
        for split in SPLITS:
            check(folder / f"{split}.safetensors", record["sha256"][split])
    except (FileNotFoundError, DamagedError, LookupError, TypeError):
        return False
    return True


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """The array in an idx file of unsigned bytes; DataError names the file and its defect.

    The format: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit integer,
    the values (https://yann.lecun.com/exdb/mnist).
    """
    if len(content) < 4 or content[:2] != _IDX_START:
        raise DataError(f"{name}: not an idx file")
    kind, dimensions = content[2], content[3]
    if kind != _IDX_BYTES or dimensions == 0:
        raise DataError(f"{name}: idx type {kind:#04x} with {dimensions} dimensions, not unsigned bytes")
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{name}: ends within its header")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    values = np.frombuffer(content, np.uint8, offset=start)
    expected = int(np.prod(shape, dtype=object))
    if values.size != expected:
        raise DataError(f"{name}: {values.size} values where its header says {expected}")
    try:
        return values.reshape(shape)
    except ValueError:  # too many dimensions, or an empty one beside others without end
        raise DataError(f"{name}: no array has the {dimensions} dimensions of its header") from None


def _fetch_all(
    data_set: str, mirrors: Sequence[str], timeout_seconds: float
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, str]]:
    # Torchvision knows the names of each data set's files, and the checksums of their usual packing.
    from torchvision.datasets import MNIST, FashionMNIST

    resources = dict((MNIST if data_set == "mnist" else FashionMNIST).resources)
    files = {name: _fetch(data_set, mirrors, timeout_seconds, name, md5) for name, md5 in resources.items()}
    arrays = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = (
            parse_idx(files[name], name)
            for name in (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
        )
        count = COUNTS[data_set][split]
        if images.shape != (count, SIDE, SIDE) or labels.shape != (count,):
            raise DataError(f"{split} images {images.shape} and labels {labels.shape} are not {data_set}'s")
        arrays[split] = images, labels
    return arrays, resources


def _fetch(data_set: str, mirrors: Sequence[str], timeout_seconds: float, name: str, md5: str) -> bytes:
    """The unpacked content of a file, from the first mirror that has it in whatever packing."""
    digest, failures = UNPACKED[data_set][name.removesuffix(".gz")], []
    for mirror in mirrors:
        wrong = ""
        try:
            for content in contents(mirror, name, timeout_seconds):
                layers = list(_layers(content))
                if hashlib.sha256(layers[-1]).hexdigest() == digest:
                    return layers[-1]
                wrong = wrong or _defect(content, layers[-1], md5)
        except MirrorError as error:
            wrong = wrong or str(error)
        failures.append(f"{shown(mirror)}: {wrong}")
    raise DataError(
        f"no mirror has {name}: {'; '.join(failures)}. Remedies: go online, put the files of {data_set} into "
        "a folder and name it in data.mirrors of params.yaml, or set baseline.data to digits, which needs no download"
    )


def _layers(content: bytes) -> Iterator[bytes]:
    """`content`, and what is in it, layer by layer: a transfer may have packed it once more, or not at all."""
    layer: bytes | None = content
    for _ in range(_MOST_LAYERS + 1):
        if layer is None:
            return
        yield layer
        layer = None if layer[:2] == _IDX_START else unpacked(layer)


def _defect(content: bytes, inner: bytes, md5: str) -> str:
    start = inner[:1_000].lower()
    kind = next((kind for beginning, kind in _OTHER_FILES.items() if beginning in start), "wrong file")
    digest, known = hashlib.sha256(inner).hexdigest(), UNPACKED.items()
    kind = next((f"{data_set}'s file" for data_set, files in known if digest in files.values()), kind)
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return f"{kind if content else 'empty file'}, md5 {found} instead of {md5}"


def _embedded_digits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """scikit-learn's 1,797 real handwritten digits, 8×8 with values 0…16, resized; the last ones are the test set."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    large = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear", align_corners=False)
    images = (255 * large.squeeze(1)).round().to(torch.uint8).numpy()
    labels = digits.target.astype(np.uint8)
    count = COUNTS["digits"]["train"]
    return {"train": (images[:count], labels[:count]), "test": (images[count:], labels[count:])}
