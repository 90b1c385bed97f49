"""`gan study`: an interrupted or failed study says in one line how to go on and how to go back."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import ROOT

from gan import errors, pipeline
from gan.commands import dvc
from gan.commands import study as commands
from gan.compute import store, trainer, trials
from gan.compute.executors import ProcessExecutor
from gan.compute.store import export_runs
from gan.compute.trainer import STORE, TrainingImages, run_key
from gan.errors import StudyError
from gan.files import write
from gan.study.schema import Study

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

    monkeypatch.setattr(commands, "reproduce", reproduce)
    with pytest.raises(type(end)) as caught:
        commands.run_study()
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


PIPELINE_OF_THREE = """
stages:
  audit: {cmd: python -m stages.audit, outs: [reports/audit.json]}
  train:
    foreach: ${variants}
    do: {cmd: python -m stages.train, deps: [reports/audit.json], outs: [runs/x]}
"""


@pytest.fixture
def timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, float]]:
    """Runs a study whose stages note these times, and returns the seconds that reports/times.json has then."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(PIPELINE_OF_THREE)
    (tmp_path / "params.yaml").write_text("variants: {cewl: {}, hinge: {}}")

    def run(*noted: tuple[str, float], fails: bool = False, trained: int = 0) -> dict[str, float]:
        def reproduce(*targets: str) -> None:
            if targets:
                return
            with Path(os.environ[pipeline.TIMES]).open("a", encoding="utf-8") as lines:
                lines.writelines(json.dumps({"stage": stage, "seconds": seconds}) + "\n" for stage, seconds in noted)
            if fails:
                raise StudyError("the pipeline failed")

        monkeypatch.setattr(commands, "reproduce", reproduce)
        monkeypatch.setattr(commands, "load_study", lambda: None)
        monkeypatch.setattr(commands, "train_missing", lambda study: trained)
        with nullcontext() if not fails else pytest.raises(StudyError, match="the pipeline failed"):
            commands.run_study()
        assert pipeline.TIMES not in os.environ
        if not commands.TIMES.exists():
            return {}
        return {stage: entry["seconds"] for stage, entry in json.loads(commands.TIMES.read_text()).items()}

    return run


def test_a_study_keeps_how_long_each_stage_took(timed: Callable[..., dict[str, float]]) -> None:
    assert timed() == {}
    first = {"audit": 3.0, "train@cewl": 60.5, "train@hinge": 10.0}
    # Out of order, and one of two commands.
    found = timed(("train@hinge", 10.0), ("audit", 3.0), ("train@cewl", 60.0), ("train@cewl", 0.5))
    assert found == first
    assert list(found) == list(first)
    before = commands.TIMES.read_bytes()
    assert timed() == first
    assert commands.TIMES.read_bytes() == before  # with nothing to do
    assert timed(("audit", 4.0)) == {**first, "audit": 4.0}
    Path("params.yaml").write_text("variants: {hinge: {}}", encoding="utf-8")
    assert timed(("audit", 5.0)) == {"audit": 5.0, "train@hinge": 10.0}
    assert list(timed(("audit", 5.0), trained=3)) == ["train", "audit", "train@hinge"]


def test_a_failed_stages_time_is_not_kept(timed: Callable[..., dict[str, float]]) -> None:
    assert timed(("audit", 3.0), ("train@cewl", 1.0), fails=True) == {"audit": 3.0}
    assert timed(("train@cewl", 60.0)) == {"audit": 3.0, "train@cewl": 60.0}


def test_damaged_times_are_begun_anew(timed: Callable[..., dict[str, float]]) -> None:
    commands.TIMES.parent.mkdir()
    commands.TIMES.write_text("{")
    assert timed(("audit", 3.0)) == {"audit": 3.0}


def test_a_stage_notes_its_time(tmp_path: Path) -> None:
    """Its imports are part of it."""
    noted = tmp_path / "times"
    settings = {**os.environ, "DVC_STAGE": "train@cewl", pipeline.TIMES: str(noted)}
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "stages.track", "--help"], cwd=ROOT, env=settings, check=True)
    ((stage, seconds),) = pipeline.noted_times(noted).items()
    assert stage == "train@cewl"
    assert 0.05 < seconds < 120


def test_only_runs_that_are_nowhere_are_trained(
    study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All variants' in one call; not those in the store, nor those that an earlier stage has exported to runs/."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TrainingImages, "load", lambda names: {"mnist": TrainingImages(images, "data")})
    variants = {name: study.variants[name] for name in ("non_saturating", "wgan_gp")}
    small = study.model_copy(update={"variants": variants})
    (trial,) = few = study.ladder.trials[:1]
    monkeypatch.setattr(trials, "first_trials", lambda _: few)
    asked: list[list[tuple[str, int]]] = []
    real = ProcessExecutor.run

    def listening(self, task, items, *rest):
        asked.append([(run.spec.variant.objective, run.spec.seed) for share in items for run in share])
        return real(self, task, items, *rest)

    monkeypatch.setattr(ProcessExecutor, "run", listening)
    seeds = sum(len(variant.seeds) for variant in variants.values()) + 1  # and a trial
    assert commands.train_missing(small) == seeds
    assert len(asked[0]) == seeds
    assert asked[0][0][0] == "wasserstein", "the longest first"
    assert commands.train_missing(small) == 0
    kept = run_key(variants["non_saturating"], 0, study.train.quantiles, "data")
    export_runs({kept: next(STORE.glob(f"*/{kept}"))}, Path("runs/non_saturating"))
    shutil.rmtree(STORE)
    tabled = {"rung": ["printed"], "objective": ["minimax"], "seed": [0], "epoch": [1], "fid": [1.0]}
    key = run_key(trial.variant, trial.seed, study.train.quantiles, "data")
    tabled |= {"coverage": [0.1], "digits": [9], "status": ["finished"], "key": [key]}
    write(Path("reports/ladder.csv"), pd.DataFrame(tabled).to_csv(index=False))
    assert commands.train_missing(small) == seeds - 2
    assert ("non_saturating", 0) not in asked[-1]
    (next(Path("runs/non_saturating/seed-0").glob("*.safetensors"))).write_bytes(b"damaged")
    assert commands.train_missing(small) == 1


def test_a_study_with_nothing_to_train_needs_no_gpu(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a cluster: its results can be looked at anywhere."""
    monkeypatch.setattr(TrainingImages, "load", lambda names: {name: TrainingImages(None, "data") for name in names})
    monkeypatch.setattr(store, "is_exported", lambda *_: True)
    monkeypatch.setattr(trials, "first_trials", lambda _: [])
    monkeypatch.setattr(trainer, "train_runs", lambda *_: pytest.fail("it asked for a device"))
    compute = study.compute.model_copy(update={"device": "cuda"})
    assert commands.train_missing(study.model_copy(update={"compute": compute})) == 0
