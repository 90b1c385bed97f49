"""Killed at a random moment, a study goes on where it was, and ends as if nothing had happened."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import Pipeline, contents

pytestmark = pytest.mark.slow  # they need a small study

MOST = 120  # seconds to wait for something that takes a few, on a busy machine

TRAINING = [sys.executable, "-m", "stages.train", "minimax"]


def wait_for(seen: Callable[[], object], seconds: float = MOST) -> None:
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def doing(process: psutil.Process, *words: str) -> bool:
    try:
        return any(word in " ".join(process.cmdline()) for word in words)
    except psutil.Error:
        return False


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def trainer(dvc: psutil.Process) -> psutil.Process | None:
    """The process of the training stage, once it has workers."""
    for process in descendants(dvc):
        if doing(process, "-m stages.train") and not doing(process, "sh -c") and worker(dvc):
            return process
    return None


def worker(dvc: psutil.Process) -> psutil.Process | None:
    """A process that the server of worker processes has started."""
    servers = [each for each in descendants(dvc) if doing(each, "multiprocessing.forkserver")]
    return next((child for server in servers for child in descendants(server)), None)


def kill(find: Callable[[psutil.Process], psutil.Process | None]) -> Callable[[psutil.Process], None]:
    def find_and_kill(dvc: psutil.Process) -> None:
        process = find(dvc)
        if process:
            process.kill()

    return find_and_kill


def interrupt(dvc: psutil.Process) -> None:
    """Ctrl-C reaches all processes of the terminal."""
    os.killpg(dvc.pid, signal.SIGINT)


def runs_in_mlflow(folder: Path) -> None:
    """Each run once and ended, no point twice."""
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = [client.get_experiment_by_name("smallest").experiment_id]
    assert not client.search_runs(experiment, "attributes.status = 'RUNNING'", ViewType.ALL)
    shown = [run for run in client.search_runs(experiment) if "seed" in run.data.tags and "design" not in run.data.tags]
    assert sorted((run.data.tags["variant"], run.data.tags["seed"]) for run in shown) == [
        (variant, seed) for variant in ("minimax", "non_saturating") for seed in ("0", "1")
    ]
    for run in shown:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "train/generator_loss")]
        assert steps == list(range(1, 121))
        assert run.info.status == "FINISHED"


def disturbed_once(
    begun: Pipeline, finished: Pipeline, folder: Path, strike: Callable[[psutil.Process], None], number: int
) -> str:
    """Strike a study at a random moment of its training, then run it again: nothing has changed. What it printed."""
    study = begun.copy(folder / "project")
    process = study.start(*("python", "-m", "dvc"), "repro", "compare")
    dvc = psutil.Process(process.pid)
    moments = random.Random(number)
    if moments.random() < 0.5:  # in the second variant's training, else in the first's
        wait_for((study.folder / "reports/training/minimax.json").exists)
    wait_for(lambda: trainer(dvc))
    time.sleep(moments.uniform(0, 4))
    wait_for(lambda: trainer(dvc) or process.poll() is not None)
    family = [dvc, *descendants(dvc)]
    strike(dvc)
    printed, _ = process.communicate()
    assert process.returncode != 0, printed
    wait_for(lambda: not any(map(alive, family)), 20)
    study.reproduce("compare")
    assert study.results() == finished.results()
    sync = study.start(sys.executable, "-m", "stages.track", "minimax", "non_saturating", "--strict")
    sync.communicate()
    assert sync.returncode == 0
    runs_in_mlflow(study.folder)
    assert not list(study.folder.glob(".work/runs/*/checkpoints/*/*"))
    return printed


@pytest.mark.fault("kill -9 of the trainer", full=5, note="goes on from the last checkpoint")
def test_a_killed_trainer(begun, finished, tmp_path, injection, record_property):
    disturbed_once(begun, finished, tmp_path, kill(trainer), injection)
    record_property("identical", True)


@pytest.mark.fault(
    "kill -9 of a worker", short=0, full=5, note="its trainer says so in one line; goes on from the checkpoint"
)
def test_a_killed_worker(begun, finished, tmp_path, injection, record_property):
    printed = disturbed_once(begun, finished, tmp_path, kill(worker), 10 + injection)
    assert "error: a worker process was killed" in printed
    assert "Traceback" not in printed
    record_property("identical", True)


@pytest.mark.fault(
    "kill -9 of dvc", short=0, full=5, note="trainer and workers end with it; goes on from the last checkpoint"
)
def test_a_killed_dvc(begun, finished, tmp_path, injection, record_property):
    printed = disturbed_once(begun, finished, tmp_path, psutil.Process.kill, 20 + injection)
    assert "error: dvc, which started this, has ended" in printed  # so the trainer did not end because it was done
    record_property("identical", True)


@pytest.mark.fault("Ctrl-C", full=5, note="one line, no traceback; goes on from the last checkpoint")
def test_ctrl_c(begun, finished, tmp_path, injection, record_property):
    printed = disturbed_once(begun, finished, tmp_path, interrupt, 30 + injection)
    assert "Traceback" not in printed
    assert "error: interrupted: the same command goes on from here" in printed
    record_property("identical", True)


def test_a_recipe_that_changes_while_it_is_trained(begun, tmp_path):
    """DVC would take the result for that of the new recipe."""
    study = begun.copy(tmp_path / "project")
    trainer = study.start(*TRAINING)
    wait_for((study.folder / ".work/locks/train.json").exists)
    params = study.folder / "params.yaml"
    params.write_text(params.read_text().replace("latent_dim: 8", "latent_dim: 9"))
    printed, _ = trainer.communicate()
    assert trainer.returncode == 1
    assert "error: params.yaml or the code has changed meanwhile: run it again" in printed


@pytest.mark.fault(
    "a second trainer on one output", full=3, note="refused within seconds; it says which process holds it"
)
def test_a_second_trainer(begun, finished, tmp_path, injection, record_property):
    study = begun.copy(tmp_path / "project")
    first = study.start(*TRAINING)
    wait_for((study.folder / ".work/locks/train.json").exists)
    second = study.start(*TRAINING)
    refusal, _ = second.communicate()
    assert second.returncode == 1
    assert refusal.startswith(f"error: train is taken by process {first.pid} on ")
    assert refusal.count("\n") == 1
    printed, _ = first.communicate()
    assert first.returncode == 0, printed
    for place in ("runs/minimax", "reports/history"):
        trained = contents(study.folder / place)
        assert trained
        assert trained.items() <= contents(finished.folder / place).items()
    record_property("identical", True)
