"""Files that appear whole or not at all, and the checksums beside them."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from gan.errors import StudyError

SEAL = hashlib.sha256().digest_size


class DamagedError(StudyError):
    """A file is not as it was written."""


def write(path: Path, content: bytes | str) -> None:
    """Put `content` at `path`: a reader finds the old file or the new one, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_sealed(path: Path, content: bytes) -> None:
    """Write `content` behind its own SHA-256, by which `read_sealed` knows it."""
    write(path, hashlib.sha256(content).digest() + content)


def read_sealed(path: Path) -> bytes:
    """The content of a sealed file; DamagedError if it is not what was written, FileNotFoundError if there is none."""
    sealed = path.read_bytes()
    digest, content = sealed[:SEAL], sealed[SEAL:]
    if hashlib.sha256(content).digest() != digest:
        raise DamagedError(f"{path} is damaged")
    return content


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON; not-a-number and infinity are refused with a ValueError, for JSON has neither."""
    write(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
