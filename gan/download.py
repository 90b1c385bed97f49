"""Bringing a data set here: mirrors, checksums and idx files in, two safetensors files out."""

import gzip
import hashlib
import struct
import time
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import numpy as np
import requests
import torch
from safetensors.torch import save
from urllib3.exceptions import HTTPError, ReadTimeoutError

from gan.files import sha256, write, write_json
from gan.images import SIDE, SPLITS, DataError

if TYPE_CHECKING:
    from gan.study.schema import Data

_IDX_BYTES = 0x08
_MOST_BYTES = 100_000_000  # twice the largest file's
_WHOLE = 10  # times as long as it may be silent, a mirror may take for a file
_PART = 65_536  # bytes


def download(settings: "Data", folder: Path) -> None:
    """Bring the data set into `folder`: train.safetensors, test.safetensors and data.json with their checksums.

    Raises DataError if no mirror has the files, naming each and why it failed, or if a file is not what it should be.
    """
    if settings.name == "digits":
        arrays, files = _embedded_digits(), dict[str, str]()
    else:
        arrays, files = _fetch_all(settings)
    record: dict[str, Any] = {"name": settings.name, "files": files, "sha256": {}}
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


def _fetch_all(settings: "Data") -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, str]]:
    # Torchvision knows the files of each data set and their checksums.
    from torchvision.datasets import MNIST, FashionMNIST

    resources = dict((MNIST if settings.name == "mnist" else FashionMNIST).resources)
    contents = {name: _fetch(settings, name, md5) for name, md5 in resources.items()}
    arrays = {}
    for split, prefix, count in (("train", "train", 60_000), ("test", "t10k", 10_000)):
        images, labels = (
            parse_idx(contents[name], name)
            for name in (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
        )
        if images.shape != (count, SIDE, SIDE) or labels.shape != (count,):
            raise DataError(f"{split} images {images.shape} and labels {labels.shape} are not {settings.name}'s")
        arrays[split] = images, labels
    return arrays, resources


def _fetch(settings: "Data", name: str, md5: str) -> bytes:
    mirrors = settings.mirrors[settings.name]  # type: ignore[index]
    failures = []
    for mirror in mirrors:
        try:
            content = _read(mirror, name, settings.timeout_seconds)
        except (OSError, HTTPError) as error:
            failures.append(f"{mirror}: {_why(error)}")
            continue
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found == md5:
            return content
        failures.append(f"{mirror}: wrong file, md5 {found} instead of {md5}")
    raise DataError(
        f"no mirror has {name}: {'; '.join(failures)}. Remedies: go online, put the files of {settings.name} into "
        "a folder and name it in data.mirrors of params.yaml, or set data.name to digits, which needs no download"
    )


def _read(mirror: str, name: str, timeout_seconds: float) -> bytes:
    if urlparse(mirror).scheme not in ("http", "https"):
        return (Path(mirror) / name).read_bytes()
    deadline, content = time.monotonic() + _WHOLE * timeout_seconds, bytearray()
    with requests.get(f"{mirror.rstrip('/')}/{name}", timeout=timeout_seconds, stream=True) as response:
        response.raise_for_status()
        # As it arrives, for a trickle is no silence.
        while part := response.raw.read1(_PART, decode_content=True):
            content += part
            if time.monotonic() > deadline or len(content) > _MOST_BYTES:
                raise OSError("too slow, or endless")
    return bytes(content)


def _why(error: Exception) -> str:
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
