"""Runs appear in MLflow while they are trained, epoch by epoch; the update afterwards replaces them exactly."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient
from showing import shown
from test_synchronise import a_study, train

from gan.compute.checkpoints import CheckpointFolder, history_file, remove
from gan.compute.guards import lock
from gan.files import write_json, write_sealed_json
from gan.tracking import live
from gan.tracking.live import LOCK, PLAN, STORE, LiveRun, follow, is_live, shown_live
from gan.tracking.synchronise import Changes, synchronise
from gan.training.loop import Checkpoint, Run

TRACKING: Any = SimpleNamespace(experiment="live", timeout_seconds=60.0)
FOLDER = STORE / "cpu-torch/checkpoints/c0de"


def a_run(seed: int) -> LiveRun:
    return LiveRun(f"2e{seed}", "cewl", seed, {"objective": "cewl", "adam": {"lr": 0.0002}}, "da7a")


def row(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "discriminator_loss": 0.1 * epoch, "generator_loss": 1 / 3}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("store")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        client = MlflowClient(f"sqlite:///{folder}/live.db")
        client.create_experiment("first")
    return client


@pytest.fixture
def following(client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Follows two runs that are trained in a folder; `until` waits for what MLflow shows, `stop` is the end."""
    monkeypatch.setattr(live, "PERIOD", 0.02)
    monkeypatch.setattr(live, "SHARE", 10.0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)
    monkeypatch.chdir(tmp_path)
    name = f"live {tmp_path.name}"
    experiment, ended = client.create_experiment(name), threading.Event()
    arguments = ([a_run(0), a_run(1)], client, experiment, ended, tmp_path)
    thread = threading.Thread(target=follow, args=arguments)
    thread.start()

    def until(is_there: Any) -> dict[str, dict[str, Any]]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and thread.is_alive():
            if is_there(runs := shown(client, name)):
                return runs
            time.sleep(0.03)
        raise AssertionError(runs)

    def stop() -> dict[str, dict[str, Any]]:
        ended.set()
        thread.join()
        return shown(client, name)

    yield SimpleNamespace(name=name, root=tmp_path, until=until, stop=stop)
    stop()


def test_curves_grow_and_the_update_replaces_them(following: Any, client: MlflowClient) -> None:
    root = following.root
    write_json(root / FOLDER / history_file("2e0"), [])
    begun = following.until(lambda runs: runs)
    assert begun.keys() == {"cewl/seed-0"}  # the other one waits for its turn
    assert begun["cewl/seed-0"]["status"] == "RUNNING"
    for epochs in (1, 3):
        write_json(root / FOLDER / history_file("2e0"), [row(epoch) for epoch in range(1, epochs + 1)])
        losses = following.until(
            lambda runs, n=epochs: len(runs["cewl/seed-0"]["metrics"].get("train/generator_loss", ())) == n
        )["cewl/seed-0"]["metrics"]
        assert losses["train/discriminator_loss"] == [(epoch, 0.1 * epoch) for epoch in range(1, epochs + 1)]
    record = {"history": [row(epoch) for epoch in range(1, 5)], "status": "finished"}
    write_sealed_json(root / STORE / "cpu-torch/2e0/run.json", record)
    write_json(root / FOLDER / history_file("2e1"), [row(1)])
    following.until(lambda runs: runs["cewl/seed-0"]["status"] == "FINISHED" and "cewl/seed-1" in runs)
    runs = following.stop()
    assert len(runs["cewl/seed-0"]["metrics"]["train/generator_loss"]) == 4
    assert runs["cewl/seed-0"]["parameters"] == {"objective": "cewl", "adam.lr": "0.0002"}
    assert runs["cewl/seed-1"]["status"] == "KILLED"

    study = a_study(following.name, cewl=[0, 1])
    train(root, "cewl", [0, 1], recipe="2e")
    with lock(root / LOCK, 0):  # an update while they are trained, such as that of `make ui`, leaves them alone
        assert is_live(root)
        assert synchronise(study, [], root) == Changes(logged=2, superseded=0, unchanged=0)
    assert not is_live(root)
    assert synchronise(study, [], root) == Changes(logged=0, superseded=2, unchanged=2)
    exact = shown(client, following.name)
    assert exact.keys() == {"cewl/seed-0", "cewl/seed-1"}
    assert {run["status"] for run in exact.values()} == {"FINISHED"}
    assert all("live" not in run["tags"] for run in exact.values())


def test_a_training_that_goes_on_begins_its_curves_anew(following: Any, client: MlflowClient) -> None:
    write_json(following.root / FOLDER / history_file("2e0"), [row(1), row(2)])
    following.until(lambda runs: runs and runs["cewl/seed-0"]["metrics"])
    following.stop()
    experiment, ended = client.get_experiment_by_name(following.name).experiment_id, threading.Event()
    ended.set()
    follow([a_run(0)], client, experiment, ended, following.root)
    (run,) = shown(client, following.name).values()
    assert run["metrics"]["train/generator_loss"] == [(1, 1 / 3), (2, 1 / 3)]


def test_a_trainer_shows_its_epochs_without_taking_noticeable_time(tmp_path: Path) -> None:
    saver = CheckpointFolder(tmp_path, ["2e0"], seconds=3600, origin={})
    assert saver.load() is None
    path = tmp_path / history_file("2e0")
    assert path.read_text(encoding="utf-8").strip() == "[]"
    taken = 0

    def take() -> Checkpoint:
        nonlocal taken
        taken += 1
        time.sleep(0.02)
        return Checkpoint(taken, [Run(0, [row(epoch) for epoch in range(1, taken + 1)])], [{}])

    started = time.monotonic()
    while time.monotonic() - started < 1:
        saver.save(take)
    assert taken == 1  # 0.02 s of every two seconds
    assert '"epoch": 1' in path.read_text(encoding="utf-8")
    assert not list(tmp_path.glob("*.checkpoint"))
    remove(tmp_path, "2e0")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("obstacle", ["all trained", "no MLflow", "delayed enough"])
def test_nothing_is_started_without_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str) -> None:
    monkeypatch.chdir(tmp_path)
    tracking = TRACKING
    if obstacle == "all trained":
        write_sealed_json(tmp_path / STORE / "cpu-torch/2e0/run.json", {"history": [], "status": "finished"})
    elif obstacle == "no MLflow":
        monkeypatch.setattr(live, "find_spec", lambda name: None)
    else:
        tracking = SimpleNamespace(experiment="live", timeout_seconds=1.0)
    with shown_live([a_run(0)], tracking, tmp_path):
        pass
    assert not (tmp_path / PLAN).exists()


@pytest.mark.parametrize(("program", "left"), [("import sys; sys.stdin.read()", 60.0), ("while True: pass", 59.5)])
def test_a_training_hardly_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, left: float
) -> None:
    """It ends with the training; one that hangs is killed, and the time counts as MLflow's delay."""
    monkeypatch.chdir(tmp_path)
    if left < 60:
        monkeypatch.setattr(live, "ENDING", 0.5)
    real = subprocess.Popen
    started: list[Any] = []

    def start(command: list[str], **settings: Any) -> Any:
        assert command == [sys.executable, "-m", "gan.tracking.live", str(PLAN)]
        started.append(real([sys.executable, "-c", program], **settings))
        return started[0]

    monkeypatch.setattr(live.subprocess, "Popen", start)
    with shown_live([a_run(0)], TRACKING, tmp_path):
        assert started[0].poll() is None
    assert started[0].poll() == (0 if left == 60 else -9)
    assert live.TimeBudget(60.0).left == pytest.approx(left, abs=0.3)
