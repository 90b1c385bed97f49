"""Files appear whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from gan.files import read_json, remove_others, sha256, write, write_json


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    write(path, "text\n")
    assert path.read_text() == "text\n"
    write(path, b"bytes")
    assert sha256(path) == hashlib.sha256(b"bytes").hexdigest()
    write_json(path, {"a": [1, None]})
    assert read_json(path) == {"a": [1, None]}


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "file"
    write(path, "old")

    def full(*args, **kwargs) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if broken == "fsync" else Path, broken, full)
    with pytest.raises(OSError, match="No space left"):
        write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_no_infinity(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file", {"fid": float("inf")})
    assert not list(tmp_path.iterdir())


def test_what_is_no_longer_made_goes_and_nothing_else(tmp_path: Path) -> None:
    for name in ("seed-0/run.json", "seed-1/run.json", "seed-2/run.json", "seed-2/mine.txt", "mine.txt"):
        write(tmp_path / name, name)
    (tmp_path / "seed-3/run.json").mkdir(parents=True)
    remove_others(tmp_path, "seed-*/run.json", {tmp_path / "seed-0/run.json"})
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"seed-0", "seed-0/run.json", "seed-2", "seed-2/mine.txt", "seed-3", "seed-3/run.json", "mine.txt"}
