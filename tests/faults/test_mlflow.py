"""MLflow killed, locked, slow, read-only, deleted or doubled: the study goes on, and a later sync is exact."""

import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import Pipeline
from mlflow import MlflowClient
from mlflow.entities import ViewType
from ruamel.yaml import YAML

from gan.tracking.summary import NAME

pytestmark = pytest.mark.slow  # they need a whole small study
Identical = Callable[[str, Any], None]
TRIALS = 8 + 12  # of two rungs and of the search: two objectives, with two seeds, and with 3 + 1 + 2 trials
MOST = 24  # seconds that this study lets MLflow delay it, instead of a minute
TRACK = (sys.executable, "-m", "stages.track")


@pytest.fixture
def study(reported: Pipeline, tmp_path: Path) -> Pipeline:
    """A finished study that is not in MLflow."""
    study = reported.copy(tmp_path / "project")
    path, yaml = study.folder / "params.yaml", YAML(pure=True)
    params = yaml.load(path)
    params["tracking"]["timeout_seconds"] = MOST
    yaml.dump(params, path)
    return study


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real MLflow server over a store in `folder`, its address and process."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    folder.mkdir(exist_ok=True)
    store = (
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    )
    command = (sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1", *store)
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        while not up(address):
            assert server.poll() is None
            time.sleep(0.2)
        yield address, server
    finally:
        kill(server)


def up(address: str) -> bool:
    try:
        return requests.get(f"{address}/health", timeout=1).ok
    except requests.RequestException:
        return False


def kill(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def track(study: Pipeline, uri: str | None, *arguments: str) -> str:
    """Bring MLflow up to date, which must succeed in time; returns what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    if uri:
        environment["MLFLOW_TRACKING_URI"] = uri
    started = time.monotonic()
    process = study.start(*TRACK, *arguments, env=environment)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    if "--strict" not in arguments:
        assert time.monotonic() - started < 60
    return printed


def is_exact(study: Pipeline, uri: str | None) -> bool:
    """After one more synchronisation: each run once, ended, no point twice."""
    track(study, uri, "--strict")
    client = MlflowClient(uri or f"sqlite:///{study.folder}/mlflow.db")
    experiment = [client.get_experiment_by_name("smallest").experiment_id]
    every = client.search_runs(experiment)
    shown = [run for run in every if "design" not in run.data.tags and run.info.run_name != NAME]
    keys = [(run.data.tags["design"], run.data.tags["run_key"]) for run in every if "design" in run.data.tags]
    names = sorted(f"{run.data.tags['variant']} {run.data.tags['seed']}" for run in shown)
    histories = [client.get_metric_history(run.info.run_id, "train/generator_loss") for run in shown]
    return (
        names == ["minimax 0", "minimax 1", "non_saturating 0", "non_saturating 1"]
        and all([point.step for point in history] == list(range(1, 121)) for history in histories)
        and len(keys) == len(set(keys)) == TRIALS
        and {run.info.status for run in every} == {"FINISHED"}
        and not client.search_runs(experiment, "attributes.status = 'RUNNING'", ViewType.ALL)
    )


@contextmanager
def slowly(address: str, seconds: float) -> Iterator[str]:
    """The address of a proxy that keeps each connection waiting."""
    host, port = address.removeprefix("http://").split(":")

    def pour(source: socket.socket, target: socket.socket) -> None:
        try:
            while part := source.recv(65_536):
                time.sleep(seconds)
                target.sendall(part)
        except OSError:
            pass
        for end in (source, target):
            end.close()

    def accept() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            other = socket.create_connection((host, int(port)))
            for pair in ((one, other), (other, one)):
                threading.Thread(target=pour, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


WARNING = "warning: MLflow not updated: "


@pytest.mark.fault("MLflow's server killed", full=3, note="a warning; the next sync is exact")
def test_a_server_that_is_killed(study: Pipeline, tmp_path: Path, injection: int, record_property: Identical) -> None:
    """When some of the runs are there, and perhaps one in part."""
    with serving(tmp_path / "server") as (address, server):
        process = study.start(*TRACK, env={**os.environ, "MLFLOW_TRACKING_URI": address})
        client = MlflowClient(address)
        while not (known := client.get_experiment_by_name("smallest")):
            time.sleep(0.02)
        while len(client.search_runs([known.experiment_id])) <= injection:
            assert process.poll() is None
        kill(server)
        printed, _ = process.communicate()
        assert process.returncode == 0, printed
        assert WARNING in printed
    with serving(tmp_path / "server", int(address.rsplit(":", 1)[1])):
        assert is_exact(study, address)
    record_property("identical", True)


@pytest.mark.fault(
    "MLflow's server slow", short=0, full=2, note="given up in time, with a warning; the next sync is exact"
)
def test_a_server_that_is_slow(study: Pipeline, tmp_path: Path, injection: int, record_property: Identical) -> None:
    with serving(tmp_path / "server") as (address, _):
        with slowly(address, (1.5, 100)[injection]) as slow:
            assert f"{WARNING}not done within {MOST} s" in track(study, slow)
        assert is_exact(study, address)
    record_property("identical", True)


@pytest.mark.fault("MLflow's sqlite locked", full=2, note="given up in time, with a warning; the next sync is exact")
def test_a_store_that_is_locked(study: Pipeline, injection: int, record_property: Identical) -> None:
    if injection:
        track(study, None, "minimax", "--strict")
    else:
        sqlite3.connect(study.folder / "mlflow.db").close()
    with closing(sqlite3.connect(study.folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert WARNING in track(study, None)
    if not injection:
        (study.folder / "mlflow.db").unlink()
    assert is_exact(study, None)
    record_property("identical", True)


@pytest.mark.fault("MLflow's store read-only", full=2, note="a warning; the next sync is exact")
def test_a_store_that_is_read_only(study: Pipeline, injection: int, record_property: Identical) -> None:
    track(study, None, ("minimax", "non_saturating")[injection], "--strict")
    assert WARNING in track(study, f"sqlite:///file:{study.folder}/mlflow.db?mode=ro&uri=true")
    assert is_exact(study, None)
    record_property("identical", True)


@pytest.mark.fault("MLflow's store deleted", full=2, note="made anew from the files")
def test_a_store_that_is_deleted(study: Pipeline, injection: int, record_property: Identical) -> None:
    track(study, None, "--strict")
    (study.folder / "mlflow.db").unlink()
    if injection:
        shutil.rmtree(study.folder / "mlartifacts")
    assert is_exact(study, None)
    record_property("identical", True)


@pytest.mark.fault("kill -9 while MLflow's store is made", full=10, note="made anew from the files")
def test_a_store_that_is_not_finished(study: Pipeline, injection: int, record_property: Identical) -> None:
    process = study.start(*TRACK, "--strict")
    while not list(study.folder.glob("*mlflow.db*.part")):
        assert process.poll() is None, "it was too quick"
    time.sleep(random.Random(injection).uniform(0, 1.5))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert is_exact(study, None)
    record_property("identical", True)


@pytest.mark.fault("two studies on a cold store at once", full=2, note="one after the other; each run once")
def test_two_on_a_cold_store(study: Pipeline, tmp_path: Path, injection: int, record_property: Identical) -> None:
    """The same one twice, or two of different names on a store that they share."""
    uri, second = None, study
    if injection == 0:
        uri = f"sqlite:///{tmp_path}/shared.db"
        second = study.copy(tmp_path / "second")
        params = second.folder / "params.yaml"
        params.write_text(params.read_text().replace("experiment: smallest", "experiment: another"))
    environment = {**os.environ, **({"MLFLOW_TRACKING_URI": uri} if uri else {})}
    both = [each.start(*TRACK, "--strict", env=environment) for each in (study, second)]
    for process in both:
        printed, _ = process.communicate()
        assert process.returncode == 0, printed
    assert is_exact(study, uri)
    if uri:
        assert f"0 runs logged, 0 superseded, {5 + TRIALS} unchanged" in track(second, uri, "--strict")
    record_property("identical", True)


@pytest.mark.fault("no MLflow for the whole study", short=0, full=2, note="a warning a stage; results as ever")
def test_a_study_without_mlflow(
    begun: Pipeline,
    finished: Pipeline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    injection: int,
    record_property,
) -> None:
    """Nobody listens at the address, or a server that never answers."""
    study = begun.copy(tmp_path / "project")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if not injection:
            silent.close()
        port = silent.getsockname()[1] if injection else 9
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        assert study.reproduce("compare", "track").count(WARNING) == 3
    assert study.results() == finished.results()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert is_exact(study, None)
    record_property("identical", True)
