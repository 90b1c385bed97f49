"""`gan study`: an interrupted or failed study says in one line how to go on and how to go back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from gan import errors
from gan.commands import dvc, study
from gan.errors import StudyError

# In the place of dvc: it starts a stage, waits for it, and would report its end.
PIPELINE = """
import signal, subprocess, sys
stage = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("dvc reports", stage.wait(), flush=True)
sys.exit(255)
"""
STAGE = """
import sys, time
from gan import errors
def work():
    print("working", flush=True)
    time.sleep(600)
del sys.argv[1:]
errors.run(work)
"""
COMMAND = """
import sys
from gan import errors
from gan.commands import dvc, study
dvc.DVC = (sys.executable, *sys.argv[1:])
del sys.argv[1:]
errors.run(study.run_study)
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results file that git knows, in the working directory."""
    results = [tmp_path / "reports/audit.json", tmp_path / "dvc.lock", tmp_path / "models/x"]
    for path in results:
        path.parent.mkdir(exist_ok=True)
        path.write_text("published")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "x")
    monkeypatch.chdir(tmp_path)
    return results[0]


@pytest.mark.parametrize("removed", [True, False])
@pytest.mark.parametrize("end", [StudyError("the pipeline failed"), errors.Interrupted()])
def test_the_last_line_says_how_to_go_on_and_back(
    published: Path, monkeypatch: pytest.MonkeyPatch, end: BaseException, removed: bool
) -> None:
    def reproduce(*arguments: str) -> None:
        if removed:
            published.unlink()
        raise end

    monkeypatch.setattr(study, "reproduce", reproduce)
    with pytest.raises(type(end)) as caught:
        study.run_study()
    told = str(caught.value)
    assert "`make study` goes on from here" in told
    assert ("`git checkout dvc.lock models reports` goes back to the published results" in told) == removed
    assert "\n" not in told


def test_ctrl_c_is_told_once(published: Path, tmp_path: Path) -> None:
    """Every process of a terminal gets it: this command, dvc and the stage."""
    (tmp_path / "dvc.py").write_text(PIPELINE)
    command = [sys.executable, "-c", COMMAND, str(tmp_path / "dvc.py"), STAGE]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    with subprocess.Popen(command, env=environment, **options) as process:
        assert process.stdout.readline() == "working\n"
        os.killpg(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert printed == "error: interrupted: `make study` goes on from here\n"
    assert process.returncode == 130


def test_a_pipeline_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dvc, "DVC", (sys.executable, "-c", "import sys; sys.exit(sys.argv[1:] != ['repro', 'audit'])"))
    monkeypatch.setattr(dvc, "_suit", lambda folder: None)
    dvc.reproduce("audit")
    with pytest.raises(StudyError, match=r"^the pipeline failed; the reason is above$"):
        dvc.reproduce()
    with pytest.raises(StudyError, match=f"^the pipeline failed in {tmp_path}; the reason is above$"):
        dvc.reproduce(folder=tmp_path)


def test_a_setting_that_dvc_cannot_keep_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a folder without a repository."""
    monkeypatch.setattr(dvc, "DVC", (sys.executable, "-c", "import sys; sys.exit('read-only\\nfile system')"))
    with pytest.raises(StudyError, match=r"^DVC can't set core\.no_scm in .*: read-only file system$"):
        dvc.reproduce(folder=tmp_path)
