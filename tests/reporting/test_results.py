"""Results are those of the study's variants, each file is needed, and what is derived follows from the files."""

from dataclasses import replace
from pathlib import Path

import pytest
from reporting.building import CONTROLS, FAILURES, LEVELS, STUDIED, change, make_study, write_inputs

from gan.errors import StudyError
from gan.records.comparison import Ratio, Retest
from gan.records.robustness import History, PastContrast, PastStudy, Pooled
from gan.reporting import tables
from gan.reporting.results import Results, measured

FILES = (
    "reports/comparison.json", "reports/floor.json", "models/mnist/classifiers.json", "reports/history/cewl.csv",
    "reports/metrics/cewl.csv", "reports/snapshots/cewl.csv", "reports/training/cewl.json",
    "reports/samples/cewl.png", "reports/audit.json", "reports/simulation.json", "reports/claims.json",
    "reports/mechanism.json", "reports/benchmark.json", "reports/identities.json", "reports/ladder.json",
    "reports/search.json", "reports/scope.json", "reports/toys.json", "reports/memory.json",
    "reports/specifications.json", "reports/history.json",
)  # fmt: skip


def test_a_missing_file_is_named_in_one_line(tmp_path: Path) -> None:
    study = make_study(["cewl"], seeds=1, epochs=1)
    write_inputs(tmp_path, study)
    Results.read(study, tmp_path)
    for missing in FILES:
        path = tmp_path / missing
        path.rename(tmp_path / "away")
        with pytest.raises(StudyError) as caught:
            Results.read(study, tmp_path)
        assert str(caught.value) == f"{path} is missing: run `dvc repro` to make it"
        (tmp_path / "away").rename(path)


def test_a_comparison_of_other_variants_is_refused(tmp_path: Path) -> None:
    write_inputs(tmp_path, make_study(["softer", "minimax"], seeds=1, epochs=1))
    study = make_study(["minimax"], seeds=1, epochs=1)
    with pytest.raises(StudyError, match="compares softer, minimax, but the study's variants are minimax"):
        Results.read(study, tmp_path)


def test_the_tables_tell_which_runs_failed(tmp_path: Path) -> None:
    study = make_study(epochs=3)
    write_inputs(tmp_path, study, FAILURES, collapsed=[("cewl", 1)])
    read = Results.read(study, tmp_path)
    for table in (read.history, read.snapshots):
        failed = table[table["failed"]]
        assert set(zip(failed["variant"], failed["seed"], strict=True)) == {("minimax", 3)}
    collapsed = read.metrics[read.metrics["state"] == "mode collapse"]
    assert set(zip(collapsed["variant"], collapsed["seed"], strict=True)) == {("cewl", 1)}
    assert set(read.metrics.loc[read.metrics["status"] == "failed", "failure"]) == {
        cause for _, cause in FAILURES.values()
    }
    change(tmp_path / "reports/comparison.json", learnt={"coverage": 0.002, "digits": 0, "epochs": 20})
    assert set(Results.read(study, tmp_path).metrics["state"]) == {"learnt", "diverged"}


def test_named_variants_are_followed_through_training_and_without_any_all(tmp_path: Path) -> None:
    study = make_study([*STUDIED, "softer"], seeds=2, controls=CONTROLS)
    write_inputs(tmp_path, study)
    assert Results.read(study, tmp_path).followed == [*LEVELS, "twin"]
    study = make_study(["cewl", "softer"], seeds=2)
    write_inputs(tmp_path, study)
    assert Results.read(study, tmp_path).followed == ["cewl", "softer"]


def test_a_ratio_is_of_survivors_or_else_of_all_scored_runs() -> None:
    every_run = Ratio(2.0, 1.0, 3.0)
    retest = Retest("H1", 0.5, 0.4, 0.6, every_run, p_adjusted=0.01, verdict="supported", agree=True)
    assert measured(retest) is retest
    assert measured(replace(retest, ratio=None)) is every_run


def test_an_earlier_studys_verdict_is_what_its_interval_says() -> None:
    ends = {"better": (0.3, 0.5), "worse": (1.2, 1.5), "equivalent": (0.98, 1.02), "undecided": (0.8, 1.3)}
    studies = [
        PastStudy(name, True, {}, [PastContrast("cewl", "minimax", 9, 1.0, low, high, 0.5)])
        for name, (low, high) in ends.items()
    ]
    past = History("fid", [*studies, PastStudy("", True, {}, [])], [Pooled("cewl", "minimax", 4, 1.0, 0.9, 1.1, 0.5)])
    pairs, rows = tables.studies(past, margin=1.1)
    assert pairs == [("cewl", "minimax")]
    assert [row["contrasts"][0][1] for row in rows] == [*ends, ""]
