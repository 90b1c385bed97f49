"""MLflow shows each trial of the ladder and of the search once, as their tables have it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from showing import a_study, save, shown

from gan.files import write_json
from gan.records.training import Machine, Provenance
from gan.study.designs import SPACE
from gan.tracking.synchronise import Changes, MlflowClient, synchronise
from gan.tracking.trials import experiments, recorded_trials

OBJECTIVES = ("minimax", "non_saturating")
RUNGS = ("printed", "rate / 4")
SEEDS = (520, 521)


def row(key: str, seed: int, failed: bool = False, **labels: Any) -> dict[str, Any]:
    """A row of a table of trials, without scores if its run diverged."""
    scores = {"fid": 20.5 + seed, "kid": 0.25, "coverage": 0.125, "digits": 7}
    state = {"status": "failed" if failed else "finished", "failed_epoch": 1 if failed else None}
    state |= {"failure": "weights not finite" if failed else "", "key": key}
    state |= dict.fromkeys(scores) if failed else scores
    return {**labels, "seed": seed, "data": "digits", "epoch": 3, **state}


def plant(root: Path, name: str, rows: list[dict[str, Any]]) -> list[str]:
    """Write a table; the keys of its runs."""
    save(root, name, pd.DataFrame(rows).astype({"failed_epoch": "Int64", "digits": "Int64"}).to_csv(index=False))
    return [each["key"] for each in rows]


def vouch(root: Path, name: str, keys: list[str]) -> None:
    """Write the provenance of the runs with these keys."""
    machine = Machine("cpu", "a processor", 2, "float32")
    record = Provenance("c0de", machine, {"torch": "2.15.0"}, "what was decided", dict.fromkeys(keys, 12.5))
    write_json(root / f"reports/trials/{name}.json", record)


def climb(root: Path, recipe: str = "1e", fid: float | None = None) -> None:
    """Write a ladder; its last trial diverged, and `fid` is the first one's if given."""
    places = [(rung, objective, seed) for rung in RUNGS for objective in OBJECTIVES for seed in SEEDS]
    rows = [
        row(f"{recipe}{place}", seed, failed=place == len(places) - 1, rung=rung, objective=objective)
        for place, (rung, objective, seed) in enumerate(places)
    ]
    if fid is not None:
        rows[0]["fid"] = fid
    vouch(root, "ladder", plant(root, "ladder.csv", rows))


def search(root: Path, objective: str) -> None:
    """Write a search of three configurations, whose last one is trained again on two seeds."""
    places = [(k, dict(zip(SPACE, (1e-4 * 2**k, 1.5, 0.5, 0.999, 1.0), strict=True))) for k in range(3)]
    keys = plant(
        root,
        f"search/{objective}.csv",
        [row(f"2e{k}", 600 + k, configuration=k, **settings) for k, settings in places],
    )
    last, settings = places[-1]
    finals = [
        row(f"3e{seed}", seed, configuration=last, **settings) | {"role": role}
        for seed, role in ((700, "chosen"), (710, "final"))
    ]
    vouch(root, f"search-{objective}", keys + plant(root, f"finals/{objective}.csv", finals))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a store with its tables, which take seconds to make."""
    root = tmp_path_factory.mktemp("store")
    address = f"sqlite:///{root}/trials.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", address)
        synchronise(a_study("empty"), [], root)
    return address


@pytest.fixture
def client(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The store, as if it were a server's; each test has an experiment of its own there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    return MlflowClient(store)


def test_each_trial_is_shown_as_its_table_has_it(client: MlflowClient, tmp_path: Path) -> None:
    climb(tmp_path)
    search(tmp_path, "minimax")
    study = a_study("trials", ladder=OBJECTIVES, search=["minimax"])

    assert synchronise(study, [], tmp_path) == Changes(logged=13, superseded=0, unchanged=0)
    runs = shown(client, "trials")
    assert runs.keys() == {
        *(f"ladder {name}/{rung}/seed-{seed}" for name in OBJECTIVES for rung in RUNGS for seed in SEEDS),
        *(f"search minimax/configuration-{k}/seed-{600 + k}" for k in range(3)),
        *(f"search minimax/configuration-2/seed-{seed}" for seed in (700, 710)),
    }
    rung = runs["ladder minimax/rate / 4/seed-521"]
    assert (rung["status"], rung["milliseconds"], rung["artifacts"]) == ("FINISHED", 12500, [])
    assert rung["parameters"] == {"rung": "rate / 4", "objective": "minimax", "data": "digits", "epochs": "3"}
    assert rung["metrics"] == {
        "score/fid": [(3, 541.5)], "score/kid": [(3, 0.25)],
        "score/coverage": [(3, 0.125)], "score/digits": [(3, 7.0)],
    }  # fmt: skip
    assert rung["tags"].items() >= {
        "variant": "ladder minimax", "design": "ladder", "seed": "521", "run_key": "1e5", "code_checksum": "c0de",
        "device": "cpu", "hardware": "a processor", "torch": "2.15.0", "preregistration": "what was decided",
    }.items()  # fmt: skip
    settings = {"generator_lr": "0.0004", "rate_ratio": "1.5", "beta1": "0.5", "beta2": "0.999", "real_label": "1.0"}
    common = {"objective": "minimax", "configuration": "2", **settings, "data": "digits", "epochs": "3"}
    point, final = (runs[f"search minimax/configuration-2/seed-{seed}"] for seed in (602, 710))
    assert (point["parameters"], point["tags"]["design"]) == (common, "search")
    assert (final["parameters"], final["tags"]["design"]) == ({**common, "role": "final"}, "finals")


def test_a_diverged_trial_is_shown_with_its_cause(client: MlflowClient, tmp_path: Path) -> None:
    climb(tmp_path)
    synchronise(a_study("diverged", ladder=OBJECTIVES), [], tmp_path)

    run = shown(client, "diverged")["ladder non_saturating/rate / 4/seed-521"]
    assert (run["status"], run["metrics"]) == ("FAILED", {})
    assert run["tags"].items() >= {"failure": "weights not finite", "failed_epoch": "1"}.items()
    assert "non_finite" not in run["tags"]


def test_a_second_time_nothing_changes_and_a_changed_score_supersedes(client: MlflowClient, tmp_path: Path) -> None:
    climb(tmp_path)
    search(tmp_path, "minimax")
    study = a_study("rescored", ladder=OBJECTIVES, search=["minimax"])
    synchronise(study, [], tmp_path)
    before = shown(client, "rescored")

    assert synchronise(study, [], tmp_path) == Changes(logged=0, superseded=0, unchanged=13)
    assert shown(client, "rescored") == before
    climb(tmp_path, fid=30.25)
    assert synchronise(study, [], tmp_path) == Changes(logged=1, superseded=1, unchanged=12)
    after = shown(client, "rescored")
    changed = "ladder minimax/printed/seed-520"
    assert after[changed]["metrics"]["score/fid"] == [(3, 30.25)]
    assert {name for name in after if after[name] != before[name]} == {changed}


def test_what_has_no_files_is_no_error_and_stays(client: MlflowClient, tmp_path: Path) -> None:
    study = a_study("partial", ladder=OBJECTIVES, search=OBJECTIVES)
    assert synchronise(study, [], tmp_path) == Changes(0, 0, 0)
    search(tmp_path, "minimax")
    assert synchronise(study, [], tmp_path) == Changes(logged=5, superseded=0, unchanged=0)
    before = shown(client, "partial")
    (tmp_path / "reports/finals/minimax.csv").unlink()
    assert synchronise(study, [], tmp_path) == Changes(0, 0, 0)
    assert shown(client, "partial") == before


def test_a_variants_update_leaves_trials_alone(client: MlflowClient, tmp_path: Path) -> None:
    climb(tmp_path)
    study = a_study("beside", ladder=OBJECTIVES, minimax=[0])
    synchronise(study, [], tmp_path)
    before = shown(client, "beside")
    climb(tmp_path, recipe="2e")

    assert synchronise(study, ["minimax"], tmp_path) == Changes(0, 0, 0)
    assert shown(client, "beside") == before


def test_an_objective_that_left_an_experiment_leaves_mlflow(client: MlflowClient, tmp_path: Path) -> None:
    climb(tmp_path)
    for objective in OBJECTIVES:
        search(tmp_path, objective)
    synchronise(a_study("shrunk", ladder=OBJECTIVES, search=OBJECTIVES), [], tmp_path)
    smaller = a_study("shrunk", ladder=["minimax"], search=["non_saturating"])

    assert synchronise(smaller, [], tmp_path) == Changes(logged=0, superseded=9, unchanged=9)
    assert {run["tags"]["variant"] for run in shown(client, "shrunk").values()} == {
        "ladder minimax", "search non_saturating",
    }  # fmt: skip


def test_rows_of_an_earlier_training_are_not_shown(tmp_path: Path) -> None:
    climb(tmp_path)
    (minimax,) = experiments(a_study("any", ladder=["minimax"]), tmp_path / "reports")
    assert len(recorded_trials(minimax, {})) == 4
    vouch(tmp_path, "ladder", ["1e0"])
    assert [run.tags["run_key"] for run in recorded_trials(minimax, {})] == ["1e0"]


def test_a_score_that_is_not_finite_is_named(tmp_path: Path) -> None:
    climb(tmp_path, fid=float("inf"))
    (minimax,) = experiments(a_study("any", ladder=["minimax"]), tmp_path / "reports")
    first = recorded_trials(minimax, {})[0]
    assert first.status == "FINISHED"
    assert first.tags["non_finite"] == "score/fid"
    assert [name for name, _, _ in first.metrics] == ["score/kid", "score/coverage", "score/digits"]
