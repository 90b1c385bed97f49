"""A user's files beside the study's, and a machine without git: nothing is lost, and only what is needed is used."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, TESTS, Pipeline, contents
from ruamel.yaml import YAML

from gan.commands.presets import prepare
from gan.environment import own
from gan.errors import StudyError
from gan.files import write
from gan.study.loading import read_yaml

Record = Callable[[str, object], None]
# Each folder that DVC would empty, with the stage that writes there.
OUTPUTS = {
    "data": "download",
    "models": "classify",
    "runs/minimax": "train@minimax",
    "runs/minimax/seed-0": "train@minimax",
    "reports/figures": "report",
}
MINE = {"notes.txt": b"mine", "raw/train-images-idx3-ubyte.gz": b"a mirror", "old.csv": b"1,2", ".hidden": b"x"}


@pytest.mark.slow
@pytest.mark.fault(
    "a user's files in an output folder",
    full=2 * len(OUTPUTS),
    note="they stay, whether the study runs again or not, and no stage takes them for its own",
)
def test_a_users_files_stay(reported: Pipeline, tmp_path: Path, injection: int, record_property: Record) -> None:
    """In the second half the folder is a link to another disk's."""
    study = reported.copy(tmp_path / "project")
    name = list(OUTPUTS)[injection % len(OUTPUTS)]
    folder = study.folder / name
    for path, content in MINE.items():
        write(folder / path, content)
    if injection >= len(OUTPUTS):
        folder.rename(tmp_path / "disk")
        folder.symlink_to(tmp_path / "disk")
    assert "Stage" in study.reproduce()
    assert "Running stage" not in study.reproduce()
    study.reproduce("--force", "--single-item", OUTPUTS[name])
    assert {path: (folder / path).read_bytes() for path in MINE} == MINE
    if folder.is_symlink():
        folder.unlink()
        (tmp_path / "disk").rename(folder)
    study.reproduce()
    added = {f"{name}/{path}" for path in MINE}
    same = {path: content for path, content in study.results().items() if path not in added} == reported.results()
    record_property("identical", same)
    assert same


@pytest.mark.slow
def test_what_the_study_no_longer_has_goes(reported: Pipeline, tmp_path: Path) -> None:
    study = reported.copy(tmp_path / "project")
    params = study.folder / "params.yaml"
    stale = ("runs/minimax/seed-1", "runs/minimax/seed-0/generator-0040.safetensors")
    assert all((study.folder / name).exists() for name in stale)
    declared = read_yaml(params)
    declared["baseline"] |= {"seeds": [0], "snapshots": []}
    declared["evaluate"]["scores"] = {120: [120]}
    declared["mechanism"]["seeds"] = [0]
    YAML(typ="safe", pure=True).dump(declared, params)
    study.reproduce("train@minimax")
    assert not any((study.folder / name).exists() for name in stale)


THEIRS = {
    "a folder with files": "folder",
    "a file": "file",
    "a link to a folder with files": "link",
    "the checkout": "checkout",
    "the folder above it": ".",
    "a folder inside the code": "checkout/gan/copy",
    "a project of another study": "project",
}


@pytest.mark.fault(
    "somebody's folder given to `gan run-preset`",
    full=len(THEIRS),
    short=len(THEIRS),
    note="refused in one line, everything in it as it was",
)
def test_somebodys_folder_is_refused(
    tmp_path: Path, injection: int, record_property: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    write(tmp_path / "folder/photo.jpg", b"jpg")
    write(tmp_path / "file", b"text")
    (tmp_path / "link").symlink_to("folder")
    for name in ("dvc.yaml", "params.yaml", ".dvc/config.local"):
        write(tmp_path / "project" / name, "theirs: 1\n")
    before = contents(tmp_path)
    monkeypatch.chdir(checkout)
    place = tmp_path / list(THEIRS.values())[injection]
    with pytest.raises(StudyError) as caught:
        prepare(Path("small.yaml"), place, TESTS / "params.yaml")
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)
    same = contents(tmp_path) == before
    record_property("identical", same)
    assert same


BESIDE = {
    "a name that is no UTF-8": b"note \xff.txt",
    "a name of two lines": b"two\nlines",
    "an environment": b"venv/lib/python3.11/site-packages/torch.so",
    "a data set": b"mnist/train-images-idx3-ubyte",
    "an option": b"-rf",
    "a broken link": b"link",
}


@pytest.mark.fault(
    "an odd or large file beside the code",
    full=len(BESIDE),
    short=len(BESIDE),
    note="a preset's copy has the code and nothing else",
)
def test_only_code_is_copied(tmp_path: Path, injection: int, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    beside = checkout / os.fsdecode(list(BESIDE.values())[injection])
    beside.parent.mkdir(parents=True, exist_ok=True)
    if beside.name == "link":
        beside.symlink_to("nowhere")
    else:
        beside.write_bytes(bytes(100_000))
    write(checkout / "gan/training/mine.py", "# not committed yet\n")
    monkeypatch.chdir(checkout)
    prepare(Path("small.yaml"), tmp_path / "copy", TESTS / "params.yaml")
    (checkout / "gan/training/mine.py").rename(checkout / "gan/training/ours.py")
    prepare(Path("small.yaml"), tmp_path / "copy", TESTS / "params.yaml")  # the same folder again
    copied = contents(tmp_path / "copy")
    made = {".preset", "params.yaml", ".dvc/config.local"}
    assert {name.partition("/")[0] for name in copied} - made == {
        "gan",
        "own",
        "stages",
        "dvc.yaml",
        ".dvc",
        ".dvcignore",
        "reports",
    }
    assert "gan/training/ours.py" in copied
    assert "gan/training/mine.py" not in copied
    assert all(copied[name] == (checkout / name).read_bytes() for name in copied.keys() - made)


@pytest.mark.slow
@pytest.mark.fault(
    "no git, or no repository",
    full=3,
    note="a study runs without either; DVC is told so, in one line",
)
def test_git_is_not_needed(reported: Pipeline, tmp_path: Path, injection: int, record_property: Record) -> None:
    """Without the program, without a repository (an unpacked archive), without both."""
    study = reported.copy(tmp_path / "project")
    (study.folder / ".dvc/config.local").unlink()
    environment = own(os.environ)
    if injection == 0 and shutil.which("git"):
        subprocess.run(["git", "init", "--quiet"], cwd=study.folder, check=True)
    if injection != 1:
        (tmp_path / "empty").mkdir()
        environment["PATH"] = str(tmp_path / "empty")
    shutil.rmtree(study.folder / "models")
    process = study.start(sys.executable, "-m", "gan", "study", env=environment)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    assert printed.count("no git repository") == (injection > 0)
    record_property("identical", study.pages() == reported.pages())
    assert study.pages() == reported.pages()


def copy_of_the_checkout(folder: Path) -> Path:
    """All that `gan run-preset` reads, without a repository, and a preset small.yaml."""
    for name in ("gan", "own", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvc/config", ".dvcignore", "reports/benchmark.json"):
        write(folder / name, (ROOT / name).read_bytes())
    write(folder / "small.yaml", "simulate: {studies: 1}\n")
    return folder
