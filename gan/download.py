"""Downloading a data set: from mirrors, checksums and idx files to two safetensors files."""

import gzip
import hashlib
import struct
import time
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import requests
import torch
from safetensors.torch import save
from urllib3.exceptions import HTTPError, ReadTimeoutError

from gan.files import sha256, write, write_json
from gan.images import SIDE, SPLITS, DataError

_IDX_BYTES = 0x08
_MOST_BYTES = 100_000_000  # twice the largest file
_MOST_TIMEOUTS = 10  # how many times `timeout_seconds` a mirror may take for one file
_PART = 65_536  # bytes


def download(name: str, mirrors: Sequence[str], timeout_seconds: float, folder: Path) -> None:
    """Write train.safetensors, test.safetensors and data.json with their checksums to `folder`.

    `name` is mnist, fashion_mnist or digits. `mirrors` are folders or URLs, tried in this order; one that is silent for
    `timeout_seconds` is given up. Raises DataError if no mirror has the files, naming each and why it failed, or if a
    file is not as expected.
    """
    if name == "digits":
        arrays, files = _embedded_digits(), dict[str, str]()
    else:
        arrays, files = _fetch_all(name, mirrors, timeout_seconds)
    record: dict[str, Any] = {"name": name, "files": files, "sha256": {}}
    for split in SPLITS:
        images, labels = arrays[split]
        path = folder / f"{split}.safetensors"
        write(path, save({"images": torch.tensor(images), "labels": torch.tensor(labels)}))
        record[split] = len(images)
        record["sha256"][split] = sha256(path)
    write_json(folder / "data.json", record)


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """The array in an idx file of unsigned bytes (gzipped or not); DataError names the file and its defect.

    The format: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit integer,
    the values (https://yann.lecun.com/exdb/mnist).
    """
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.GzipFile(fileobj=BytesIO(content)).read(_MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name}: damaged gzip file: {error}") from None
        if len(content) > _MOST_BYTES:
            raise DataError(f"{name}: unpacks to more than {_MOST_BYTES:,} bytes")
    if len(content) < 4 or content[:2] != b"\0\0":
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
    # Torchvision knows the files of each data set and their checksums.
    from torchvision.datasets import MNIST, FashionMNIST

    resources = dict((MNIST if data_set == "mnist" else FashionMNIST).resources)
    contents = {name: _fetch(data_set, mirrors, timeout_seconds, name, md5) for name, md5 in resources.items()}
    arrays = {}
    for split, prefix, count in (("train", "train", 60_000), ("test", "t10k", 10_000)):
        images, labels = (
            parse_idx(contents[name], name)
            for name in (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
        )
        if images.shape != (count, SIDE, SIDE) or labels.shape != (count,):
            raise DataError(f"{split} images {images.shape} and labels {labels.shape} are not {data_set}'s")
        arrays[split] = images, labels
    return arrays, resources


def _fetch(data_set: str, mirrors: Sequence[str], timeout_seconds: float, name: str, md5: str) -> bytes:
    failures = []
    for mirror in mirrors:
        try:
            content = _read(mirror, name, timeout_seconds)
        except (OSError, HTTPError) as error:
            failures.append(f"{mirror}: {_cause(error)}")
            continue
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if digest == md5:
            return content
        failures.append(f"{mirror}: wrong file, md5 {digest} instead of {md5}")
    raise DataError(
        f"no mirror has {name}: {'; '.join(failures)}. Remedies: go online, put the files of {data_set} into "
        "a folder and name it in data.mirrors of params.yaml, or set data.name to digits, which needs no download"
    )


def _read(mirror: str, name: str, timeout_seconds: float) -> bytes:
    if urlparse(mirror).scheme not in ("http", "https"):
        return (Path(mirror) / name).read_bytes()
    deadline, content = time.monotonic() + _MOST_TIMEOUTS * timeout_seconds, bytearray()
    with requests.get(f"{mirror.rstrip('/')}/{name}", timeout=timeout_seconds, stream=True) as response:
        response.raise_for_status()
        # Read as it arrives: a mirror that sends a byte a second never times out.
        while part := response.raw.read1(_PART, decode_content=True):
            content += part
            if time.monotonic() > deadline or len(content) > _MOST_BYTES:
                raise OSError("too slow, or endless")
    return bytes(content)


def _cause(error: Exception) -> str:
    if isinstance(error, requests.HTTPError):
        return f"{error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return "no answer in time"
    if isinstance(error, HTTPError):
        return "cut short"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return getattr(error, "strerror", None) or str(error)


def _embedded_digits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """scikit-learn's 1,797 real handwritten digits, 8×8 with values 0…16, resized; the last 500 are the test set."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    large = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear", align_corners=False)
    images = (255 * large.squeeze(1)).round().to(torch.uint8).numpy()
    labels = digits.target.astype(np.uint8)
    return {"train": (images[:-500], labels[:-500]), "test": (images[-500:], labels[-500:])}
