"""The rooms: their arrows point down, and the contract in pyproject.toml that says so notices one that does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

ROOMS = sorted(path.parent for path in (ROOT / "gan").glob("*/__init__.py"))


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("gan/training/losses.py", "from gan.compute import store"),  # upward
        ("gan/evaluation/metrics.py", "from gan.training import networks"),  # down, but forbidden
        ("gan/reporting/document.py", "from gan.stats import inference"),
        ("gan/audit/equations.py", "import gan.claims.identities"),
        ("gan/compute/store.py", "import mlflow"),
        ("gan/files.py", "import stages.train"),
        ("gan/extra.py", ""),  # a room or file without a place in the drawing
    ],
)
def test_a_planted_arrow_is_noticed(tmp_path: Path, file: str, line: str) -> None:
    for name in ("gan", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    kept = lint(tmp_path)
    assert kept.returncode == 0, kept.stdout
    with (tmp_path / file).open("a") as source:
        source.write(f"\n{line}\n")
    assert lint(tmp_path).returncode == 1


def test_a_room_can_be_walked_through() -> None:
    """Ten files at most in a room, and ten beside the rooms, none of several subjects."""
    assert len(list((ROOT / "gan").glob("*.py"))) <= 10
    for room in ROOMS:
        assert len([path for path in room.glob("*.py") if path.stem != "__init__"]) <= 10, room
    for path in (ROOT / "gan").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
