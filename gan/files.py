"""Files that appear complete or not at all, and their checksums."""

import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import asdict
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from gan.errors import StudyError

SEAL = hashlib.sha256().digest_size


class DamagedError(StudyError):
    """A file is not as it was written."""


def write(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`: a reader finds the old file or the new one, never a part of it.

    An OSError names `path`. A killed process leaves a temporary file, which the next write overwrites.
    """
    temporary = part(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def part(path: Path) -> Path:
    """The temporary file that is written first and then renamed to `path`; git and DVC ignore such names."""
    return path.with_name(f".{path.name}.part")


def remove_parts(folder: Path) -> None:
    """Remove the temporary files that killed processes have left in `folder`."""
    for leftover in folder.glob(".*.part"):
        leftover.unlink()


def remove_others(folder: Path, pattern: str, kept: Collection[Path]) -> None:
    """Remove the files in `folder` that match but are not to be kept, and the folders that this has emptied."""
    for path in sorted(folder.glob(pattern)):
        if path.is_file() and path not in kept:
            path.unlink()
            if path.parent != folder and not any(path.parent.iterdir()):
                path.parent.rmdir()


def write_sealed(path: Path, content: bytes) -> None:
    """Write the SHA-256 of `content`, then `content`; `read_sealed` checks it."""
    write(path, hashlib.sha256(content).digest() + content)


def read_sealed(path: Path) -> bytes:
    """The content of a sealed file; DamagedError if it is not what was written, FileNotFoundError without it."""
    sealed = path.read_bytes()
    digest, content = sealed[:SEAL], sealed[SEAL:]
    if hashlib.sha256(content).digest() != digest:
        raise DamagedError(f"{path} is damaged")
    return content


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, dataclasses as objects; ValueError for not-a-number and infinity, which JSON lacks."""
    write(path, json.dumps(value, indent=2, allow_nan=False, default=asdict) + "\n")


def read_json(path: Path, *keys: str) -> Any:
    """The value at these keys of a JSON file; DamagedError if it has none, FileNotFoundError without the file."""
    try:
        return reduce(getitem, keys, json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError):
        raise DamagedError(f"{path} is damaged") from None


def write_sealed_json(path: Path, record: dict[str, Any]) -> None:
    """Write `record` with its SHA-256 as `seal`; `read_sealed_json` checks it."""
    write_json(path, {**record, "seal": _seal(record)})


def read_sealed_json(path: Path) -> dict[str, Any]:
    """The record in a sealed JSON file; DamagedError if it is not what was written, FileNotFoundError without it."""
    record = read_json(path)
    if not isinstance(record, dict) or record.pop("seal", None) != _seal(record):
        raise DamagedError(f"{path} is damaged")
    return record


def _seal(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def room_checksum(*rooms: str) -> str:
    """SHA-256, in hex, of the code that decides the rooms' numbers, as it is on disk now.

    A room is a subpackage of `gan`. Its checksum is that of its files and of the ground that all rooms compute on.
    """
    package, digest = Path(__file__).parent, hashlib.sha256()
    files = [path for room in rooms for path in sorted((package / room).glob("*.py"))]
    for path in (*files, package / "images.py", package / "seeding.py"):
        digest.update(f"{path.name} {sha256(path)}\n".encode())
    return digest.hexdigest()


def check(path: Path, digest: str) -> None:
    """DamagedError unless the file has this SHA-256, FileNotFoundError if there is none."""
    if sha256(path) != digest:
        raise DamagedError(f"{path} is damaged")
