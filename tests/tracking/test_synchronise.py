"""MLflow shows each run of the files once, whatever was there before; when MLflow fails, the study goes on."""

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TESTS
from mlflow.entities import ViewType
from showing import a_study, save, shown

from gan import errors
from gan.errors import StudyError
from gan.files import read_json, write_json
from gan.study.loading import load_study
from gan.tracking import SHOWN
from gan.tracking import __main__ as command
from gan.tracking import synchronise as synchronising
from gan.tracking.recorded import recorded_runs
from gan.tracking.synchronise import PER_REQUEST, Changes, MlflowClient, synchronise
from gan.tracking.time_budget import USUAL, TimeBudget
from stages import track

EPOCHS = 3
RECIPE, OTHER_RECIPE = "1e", "2e"  # keys are hex, and may look like a number
CAUSE = "loss is nan [bold]<b>&amp;</b>[/bold] 'ü'\n\"100 %\" {x} \\"


def train(root: Path, variant: str, seeds: list[int], recipe: str = RECIPE, failed: int = -1, epochs: int = EPOCHS):
    """Write what a training writes; the seed `failed` diverges in epoch 2, whose losses are not finite."""
    rows = [
        {
            "seed": seed,
            "epoch": epoch,
            "discriminator_loss": np.nan if seed == failed and epoch == 2 else seed + 0.1 * epoch,
            "generator_loss": np.inf if seed == failed and epoch == 2 else 1 / 3,
        }
        for seed in seeds
        for epoch in range(1, 1 + (2 if seed == failed else epochs))
    ]
    training = {
        "variant": variant,
        "parameters": {"objective": "minimax", "seeds": seeds, "adam": {"lr": 2e-4, "betas": [0.9, 0.999]}},
        "checksums": {"code": "c0de", "data": "da7a"},
        "hardware": {"device": "cpu", "name": "a processor", "cores": 2, "arithmetic": "float32", "workers": 2},
        "versions": {"python": "3.11.9", "torch": "2.15.0"},
        "seconds": 99.5,
        "runs": [
            {
                "seed": seed,
                "key": f"{recipe}{seed}",
                "status": "failed" if seed == failed else "finished",
                "failure": {"epoch": 2, "cause": CAUSE} if seed == failed else None,
                "seconds": 12.5,
                "preregistration": "what was decided",
            }
            for seed in seeds
        ],
    }
    save(root, f"training/{variant}.json", json.dumps(training))
    save(root, f"history/{variant}.csv", pd.DataFrame(rows).to_csv(index=False))


def evaluate(root: Path, variant: str, seeds: list[int], recipe: str = RECIPE, failed: int = -1):
    """Write what an evaluation of those runs writes."""
    rows = [
        {
            "variant": variant,
            "data": "mnist",
            "seed": seed,
            "epoch": EPOCHS,
            "averaged": str(EPOCHS),
            "status": "failed" if seed == failed else "finished",
            "fid": None if seed == failed else 6.5 + seed,
            "coverage": None if seed == failed else 0.5,
            "digits": None if seed == failed else 10,
            "reconstruction_error": None,
            "failed_epoch": 2 if seed == failed else None,
            "failure": CAUSE if seed == failed else None,
            "key": f"{recipe}{seed}",
        }
        for seed in seeds
    ]
    snapshots = [
        {"variant": variant, "seed": seed, "epoch": epoch, "fid": 30.0 / epoch}
        for seed in seeds
        for epoch in (1, EPOCHS)
    ]
    save(root, f"metrics/{variant}.csv", pd.DataFrame(rows).to_csv(index=False))
    save(root, f"snapshots/{variant}.csv", pd.DataFrame(snapshots).to_csv(index=False))
    save(root, f"samples/{variant}.png", f"pixels of {variant}")


def ids(runs: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: run["id"] for name, run in runs.items()}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A study of three runs, one of them failed, shown in a store of its own."""
    root = tmp_path_factory.mktemp("study")
    study = a_study("embedded", minimax=[0, 1], cewl=[0])
    for variant, seeds, failed in (("minimax", [0, 1], 1), ("cewl", [0], -1)):
        train(root, variant, seeds, failed=failed)
        evaluate(root, variant, seeds, failed=failed)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(root)  # where MLflow puts the artifacts of a store that is opened here
        changes, client = synchronise(study, [], root), MlflowClient(f"sqlite:///{root}/mlflow.db")
    return SimpleNamespace(root=root, study=study, changes=changes, client=client)


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def client(embedded, tmp_path, monkeypatch):
    """The embedded study's store, as if it were a server's: creating a store takes seconds."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{embedded.root}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    return embedded.client


def test_each_run_is_shown_as_recorded(embedded):
    runs = shown(embedded.client, "embedded")
    run = runs["minimax/seed-0"]

    assert embedded.changes == Changes(logged=3, superseded=0, unchanged=0)
    assert set(runs) == {"minimax/seed-0", "minimax/seed-1", "cewl/seed-0"}
    assert (run["status"], run["milliseconds"]) == ("FINISHED", 12500)
    assert run["parameters"] == {"objective": "minimax", "adam.lr": "0.0002", "adam.betas": "[0.9, 0.999]"}
    assert run["tags"].items() >= {
        "variant": "minimax", "seed": "0", "run_key": "1e0", "code_checksum": "c0de", "data_checksum": "da7a",
        "device": "cpu", "hardware": "a processor", "python": "3.11.9", "torch": "2.15.0",
        "preregistration": "what was decided",
    }.items()  # fmt: skip
    assert run["metrics"] == {
        "train/discriminator_loss": [(1, 0.1), (2, 0.2), (3, 0.1 * 3)],
        "train/generator_loss": [(1, 1 / 3), (2, 1 / 3), (3, 1 / 3)],
        "snapshot/fid": [(1, 30.0), (3, 10.0)],
        "score/fid": [(3, 6.5)],
        "score/coverage": [(3, 0.5)],
        "score/digits": [(3, 10.0)],
    }
    assert run["artifacts"] == ["samples/minimax.png"]


def test_failed_run_is_shown_with_its_cause_and_its_finite_values(embedded):
    run = shown(embedded.client, "embedded")["minimax/seed-1"]

    assert run["status"] == "FAILED"
    assert run["tags"].items() >= {"failure": CAUSE, "failed_epoch": "2"}.items()
    assert run["tags"]["non_finite"] == "train/discriminator_loss, train/generator_loss"
    assert run["metrics"].keys() == {"train/discriminator_loss", "train/generator_loss", "snapshot/fid"}
    assert run["metrics"]["train/generator_loss"] == [(1, 1 / 3)]


def test_a_score_that_only_some_epochs_have_did_not_go_wrong(tmp_path):
    train(tmp_path, "cewl", [0])
    evaluate(tmp_path, "cewl", [0])
    path = tmp_path / "reports/metrics/cewl.csv"
    last = pd.read_csv(path, dtype={"key": str}, encoding="utf-8").assign(fid_classifier_1=7.5, fid_half=np.inf)
    save(
        tmp_path, "metrics/cewl.csv", pd.concat([last.assign(epoch=1, fid_classifier_1=None), last]).to_csv(index=False)
    )

    (run,) = recorded_runs("cewl", [0], tmp_path / "reports")
    assert [(value, epoch) for name, value, epoch in run.metrics if name == "check/fid_classifier_1"] == [(7.5, EPOCHS)]
    assert run.tags["non_finite"] == "check/fid_half"


def test_second_synchronisation_changes_nothing(embedded):
    before = shown(embedded.client, "embedded")

    assert synchronise(embedded.study, [], embedded.root) == Changes(logged=0, superseded=0, unchanged=3)
    assert shown(embedded.client, "embedded") == before


def test_an_evaluation_completes_a_trained_run(client, tmp_path):
    study = a_study("evaluated", cewl=[0])
    train(tmp_path, "cewl", [0])
    synchronise(study, ["cewl"], tmp_path)
    trained = shown(client, "evaluated")["cewl/seed-0"]
    evaluate(tmp_path, "cewl", [0])
    synchronise(study, ["cewl"], tmp_path)
    evaluated = shown(client, "evaluated")["cewl/seed-0"]

    assert trained["metrics"].keys() == {"train/discriminator_loss", "train/generator_loss"}
    assert trained["artifacts"] == []
    assert evaluated["metrics"] == trained["metrics"] | {
        "snapshot/fid": [(1, 30.0), (3, 10.0)], "score/fid": [(3, 6.5)],
        "score/coverage": [(3, 0.5)], "score/digits": [(3, 10.0)],
    }  # fmt: skip
    assert evaluated["artifacts"] == ["samples/cewl.png"]


def test_a_changed_run_supersedes_the_old_one(client, tmp_path):
    study = a_study("changed", cewl=[0, 1])
    train(tmp_path, "cewl", [0, 1])
    synchronise(study, [], tmp_path)
    old = ids(shown(client, "changed"))
    train(tmp_path, "cewl", [0, 1], recipe=OTHER_RECIPE)

    assert synchronise(study, [], tmp_path) == Changes(logged=2, superseded=2, unchanged=0)

    assert {run["tags"]["run_key"] for run in shown(client, "changed").values()} == {"2e0", "2e1"}
    experiment_id = client.get_experiment_by_name("changed").experiment_id
    deleted = client.search_runs([experiment_id], run_view_type=ViewType.DELETED_ONLY)
    assert {run.info.run_id for run in deleted} == set(old.values())
    assert {run.data.tags["superseded"] for run in deleted} == {"true"}


def test_an_evaluation_of_an_earlier_training_is_not_shown(tmp_path):
    train(tmp_path, "cewl", [0, 1], recipe=OTHER_RECIPE)
    evaluate(tmp_path, "cewl", [0, 1])
    (run, _) = recorded_runs("cewl", [0, 1], tmp_path / "reports")

    assert {metric for metric, _, _ in run.metrics} == {"train/discriminator_loss", "train/generator_loss"}
    assert run.files == ()


def test_a_run_that_failed_at_once_has_no_metrics(tmp_path):
    train(tmp_path, "cewl", [0], failed=0)
    save(tmp_path, "history/cewl.csv", "seed,epoch\n")
    (run,) = recorded_runs("cewl", [0], tmp_path / "reports")

    assert (run.status, run.metrics) == ("FAILED", [])


def test_a_changed_sample_grid_changes_a_run(tmp_path):
    train(tmp_path, "cewl", [0])
    evaluate(tmp_path, "cewl", [0])
    before = recorded_runs("cewl", [0], tmp_path / "reports")[0].content
    save(tmp_path, "samples/cewl.png", "other pixels")

    assert recorded_runs("cewl", [0], tmp_path / "reports")[0].content != before


def test_a_new_seed_leaves_the_others_runs_alone(client, tmp_path):
    train(tmp_path, "cewl", [0])
    synchronise(a_study("grown", cewl=[0]), [], tmp_path)
    before = ids(shown(client, "grown"))
    train(tmp_path, "cewl", [0, 1])

    assert synchronise(a_study("grown", cewl=[0, 1]), [], tmp_path) == Changes(1, 0, 1)
    assert ids(shown(client, "grown")).items() > before.items()


def test_what_left_the_study_leaves_mlflow(client, tmp_path):
    for variant in ("minimax", "cewl", "hinge"):
        train(tmp_path, variant, [0, 1])
    synchronise(a_study("shrunk", minimax=[0, 1], cewl=[0, 1], hinge=[0, 1]), [], tmp_path)
    everything = shown(client, "shrunk").keys()
    smaller = a_study("shrunk", minimax=[0, 1], cewl=[1])

    synchronise(smaller, ["minimax"], tmp_path)
    assert shown(client, "shrunk").keys() == everything

    synchronise(smaller, [], tmp_path)
    assert shown(client, "shrunk").keys() == {"minimax/seed-0", "minimax/seed-1", "cewl/seed-1"}


def test_runs_without_files_and_runs_of_others_stay(client, tmp_path):
    study = a_study("shared", minimax=[0], cewl=[0])
    for variant in ("minimax", "cewl"):
        train(tmp_path, variant, [0])
    synchronise(study, [], tmp_path)
    client.create_run(client.get_experiment_by_name("shared").experiment_id, run_name="a trial")
    (tmp_path / "reports/training/cewl.json").unlink()

    assert synchronise(study, [], tmp_path) == Changes(logged=0, superseded=0, unchanged=1)
    assert shown(client, "shared").keys() == {"minimax/seed-0", "cewl/seed-0", "a trial"}


@pytest.mark.parametrize("step", ["log_batch", "log_inputs", "log_artifact", "set_terminated", "set_tag"])
def test_a_run_that_was_cut_short_is_repaired(client, tmp_path, monkeypatch, step):
    study = a_study(f"cut at {step}", cewl=[0])
    train(tmp_path, "cewl", [0])
    evaluate(tmp_path, "cewl", [0])

    def power_cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, power_cut)
        with pytest.raises(KeyboardInterrupt):
            synchronise(study, [], tmp_path)

    assert synchronise(study, [], tmp_path) == Changes(logged=1, superseded=1, unchanged=0)
    run = shown(client, f"cut at {step}")["cewl/seed-0"]
    assert run["status"] == "FINISHED"
    assert len(run["metrics"]["train/generator_loss"]) == EPOCHS
    assert run["artifacts"] == ["samples/cewl.png"]
    experiment = client.get_experiment_by_name(f"cut at {step}").experiment_id
    assert not client.search_runs([experiment], "attributes.status = 'RUNNING'", ViewType.ALL)


def test_a_doubled_run_is_shown_once(client, tmp_path):
    study = a_study("doubled", cewl=[0])
    train(tmp_path, "cewl", [0])
    synchronise(study, [], tmp_path)
    experiment_id = client.get_experiment_by_name("doubled").experiment_id
    (run,) = client.search_runs([experiment_id])
    client.create_run(experiment_id, tags=run.data.tags, run_name=run.info.run_name)

    assert synchronise(study, [], tmp_path) == Changes(logged=0, superseded=1, unchanged=1)


@pytest.mark.parametrize("deleted", ["run", "experiment"])
def test_what_a_user_deleted_comes_back_once(client, tmp_path, deleted):
    study = a_study(f"deleted {deleted}", cewl=[0])
    train(tmp_path, "cewl", [0])
    synchronise(study, [], tmp_path)
    if deleted == "run":
        client.delete_run(shown(client, "deleted run")["cewl/seed-0"]["id"])
    else:
        client.delete_experiment(client.get_experiment_by_name("deleted experiment").experiment_id)

    synchronise(study, [], tmp_path)
    assert shown(client, f"deleted {deleted}").keys() == {"cewl/seed-0"}


def test_a_long_history_is_shown_whole(client, tmp_path):
    epochs = PER_REQUEST
    train(tmp_path, "cewl", [0], epochs=epochs)
    synchronise(a_study("long", cewl=[0]), [], tmp_path)

    (run,) = client.search_runs([client.get_experiment_by_name("long").experiment_id])
    for loss in ("train/discriminator_loss", "train/generator_loss"):
        assert len(client.get_metric_history(run.info.run_id, loss)) == epochs


def test_a_store_from_another_folder_is_refused(embedded, tmp_path):
    shutil.copy(embedded.root / "mlflow.db", tmp_path)

    with pytest.raises(StudyError, match="made in another folder"):
        synchronise(embedded.study, [], tmp_path)


def test_an_unknown_variant_is_named(embedded, tmp_path):
    with pytest.raises(StudyError, match=r"cewll is unknown: did you mean cewl\?"):
        synchronise(embedded.study, ["cewll"], tmp_path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with params.yaml, from which commands find the code."""
    shutil.copy(TESTS / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def test_command_shows_the_study_in_the_working_directory(client, project, capsys, monkeypatch):
    study = load_study()
    variant, seed = next(iter(study.variants)), study.baseline.seeds[0]
    train(project, variant, [seed])
    monkeypatch.setattr(sys, "argv", ["gan.tracking"])
    command.main()

    assert "1 runs logged" in capsys.readouterr().out
    assert shown(client, study.tracking.experiment).keys() == {f"{variant}/seed-{seed}"}


def test_unreachable_server_costs_a_warning(project, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:secret@127.0.0.1:{port}")
    track.main()

    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: MLflow not updated: ")
    assert "refused" in warning
    assert "secret" not in warning
    assert warning.endswith("; run `make sync` when it is back")


def test_an_address_where_nobody_listens_is_one_line_at_once(project, monkeypatch):
    """MLflow is not even imported, unless a proxy may reach the server."""
    monkeypatch.setattr(sys, "argv", ["gan.tracking"])
    monkeypatch.setitem(sys.modules, "gan.tracking.synchronise", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(SystemExit, match=r"^no server answers at MLFLOW_TRACKING_URI, http://127\.0\.0\.1:9: Conn"):
        command.main()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(SystemExit, match="import"):
        command.main()


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("http://me:pa/secret@127.0.0.1:9", "MLFLOW_TRACKING_URI is no address"),
        ("http://me:p@secret@[bad", "MLFLOW_TRACKING_URI is no address"),
        (
            "http://me:p@secret@127.0.0.1:9/?token=secret",
            "MLFLOW_TRACKING_URI, http://127.0.0.1:9/: Connection refused",
        ),
    ],
)
def test_no_password_of_the_servers_address_is_shown(project, monkeypatch, uri, told):
    monkeypatch.setattr(sys, "argv", ["gan.tracking"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert told in ended.value.code
    assert "secret" not in ended.value.code


FAULTS = {
    "a crash": (
        subprocess.CompletedProcess([], 1, "", "chatter\nno route [red]to\\host\n"),
        "no route [red]to\\host",
    ),
    "a kill": (subprocess.CompletedProcess([], -9, "", ""), "it was killed"),
    "a hang": (subprocess.TimeoutExpired([], 15), "not done within 15 s"),
    "no process": (OSError("out of memory"), "out of memory"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_a_warning_or_when_strict_the_command(tmp_path, monkeypatch, capsys, fault):
    outcome, cause = FAULTS[fault]

    def run(*_: object, timeout: float | None, **__: object) -> Any:
        limits.append(timeout)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    limits: list[float | None] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(track, "load_study", lambda: a_study("any", cewl=[0]))
    track.main(["cewl"])
    monkeypatch.setattr(sys, "argv", ["track", "cewl", "--strict"])
    with pytest.raises(SystemExit) as strict:
        errors.run(track.main)

    warning, error = capsys.readouterr().err.splitlines()
    assert warning == f"warning: MLflow not updated: {cause}; run `make sync` when it is back"
    assert error == f"error: MLflow not updated: {cause}"
    assert strict.value.code == 1
    assert limits == [a_study("any").tracking.timeout_seconds / 2, None]


def test_all_stages_of_a_pipeline_together_wait_no_longer_than_they_may(tmp_path, monkeypatch, capsys):
    """One after another, as a pipeline whose MLflow hangs runs them: each is another process, of one dvc."""
    clock = 0.0

    def hang(*_: object, timeout: float, **__: object) -> None:
        nonlocal clock
        clock += timeout
        raise subprocess.TimeoutExpired([], timeout)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", hang)
    monkeypatch.setattr(track.time, "monotonic", lambda: clock)
    monkeypatch.setattr(track, "load_study", lambda: a_study("any", cewl=[0]))
    for _ in range(20):
        track.main(["cewl"])
    assert clock < a_study("any").tracking.timeout_seconds
    assert "it has delayed the study enough" in capsys.readouterr().err.splitlines()[-1]
    track.main()
    assert clock == pytest.approx(a_study("any").tracking.timeout_seconds)


def test_slowness_counts_where_it_is_more_than_usual(tmp_path):
    path = tmp_path / "budget.json"
    TimeBudget(60, path).spend(USUAL, failed=False)
    assert TimeBudget(60, path).left == 60
    TimeBudget(60, path).spend(USUAL + 20, failed=False)
    TimeBudget(60, path).spend(5, failed=True)
    assert TimeBudget(60, path).left == 35
    record = read_json(path)
    write_json(path, {**record, "run": "another"})
    assert TimeBudget(60, path).left == 60


def test_a_wait_for_another_process_is_told_at_once_and_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(synchronising, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(synchronising, "MOST_LOCK_SECONDS", 0.3)
    told, shown = os.pipe()
    os.set_blocking(told, False)
    monkeypatch.setenv(SHOWN, str(shown))
    path = tmp_path / "mlflow.db.lock"
    with path.open("w", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StudyError, match=f"^{re.escape(str(path))} is held by another process$"):
            synchronising._alone(path).__enter__()
        assert os.read(told, 1_000).decode() == f"MLflow's update waits: {path} is held by another process\n"
        monkeypatch.setattr(synchronising, "MOST_LOCK_SECONDS", 60.0)
        Timer(0.5, lambda: fcntl.flock(other, fcntl.LOCK_UN)).start()
        with synchronising._alone(path):
            assert os.read(told, 1_000)
    os.close(told)
    os.close(shown)
