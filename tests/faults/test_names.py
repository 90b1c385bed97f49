"""A variant's name is text wherever it is read, whatever else it looks like: from params.yaml to the report."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import DESIGNED, ROOT, TESTS, Pipeline
from hostile import as_written, as_yaml, unshared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from reporting.building import HYPOTHESES, LEVELS, PREREGISTRATION, make_study, page_text, render, write_inputs

from gan.claims.evidence import Evidence
from gan.commands.presets import prepare
from gan.compute.tables import read_tables
from gan.files import read_json
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.reporting.figures import scores, training
from gan.reporting.figures.colours import palette
from gan.reporting.results import Results
from gan.stats.comparison import compare
from gan.study.loading import load_study, read_yaml
from gan.study.schema import Study
from gan.tracking.recorded import recorded_runs

# What readers of tables, of YAML or of a command line take for a missing value, a truth value, a number or a date.
NASTY = (
    *("None", "NA", "N-A", "nan", "null", "NULL", "NaN", "true", "False", "yes", "No", "on", "off", "y", "n"),
    *("1", "0", "01", "1e3", "1E10", "1e400", "0x10", "0o7", "0b1", "1_000", "inf", "Infinity", "12345678901234567890"),
    *("2020-01-01", "12-30", "key", "variant", "seed", "index", "values", "fid", "baseline", "all"),
)
CAUSES = ("nan", "None", "1e10", "007", "NA", "")
PLAIN = "cewl"


NAMED = (
    DESIGNED
    + """
only: [minimax, non_saturating, cewl]
classify: {seeds: [0], epochs: 2}
baseline:
  {data: digits, seeds: [0, 1], epochs: 2, snapshots: [1], latent_dim: 8, generator_hidden: [16],
  discriminator_hidden: [16]}
simulate: {studies: 4}
toys: {dirac: {objectives: [minimax], turns: 1}, ring: {seeds: [0], hidden: [8], steps: [3], samples: 50}}
mechanism: {epochs: [1, 2], seeds: [0], steps: 2}
evaluate: {images: 200, grid_seeds: 2, grid_columns: 4}
compute: {device: cpu, workers: 1}
tracking: {experiment: named}
"""
)


def renamed(params: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """What params.yaml holds, with other names of variants; objectives keep theirs."""
    compare, mechanism = params["compare"], params["mechanism"]
    params["variants"] = {names.get(name, name): variant for name, variant in params["variants"].items()}
    compare["reference"] = names.get(compare["reference"], compare["reference"])
    mechanism["variant"] = names.get(mechanism["variant"], mechanism["variant"])
    for question in (*compare["hypotheses"], *compare["controls"]):
        question |= {side: names.get(question[side], question[side]) for side in ("variant", "against")}
    return params


def named(study: Study, name: str, path: Path) -> Study:
    """The study with CEWL under another name, by way of its params.yaml."""
    path.write_bytes(as_yaml(renamed(as_written(study), {PLAIN: name})))
    return load_study(path)


def through_the_tables(study: Study, name: str, cause: str, root: Path) -> Comparison:
    """The comparison of made-up runs, one of which failed, by way of their tables; MLflow and claims see them alike."""
    write_inputs(root, study, {(name, 2): (2, cause)}, {**LEVELS, name: LEVELS[PLAIN]})
    metrics, history = (read_tables(root / "reports" / kind, study.variants) for kind in ("metrics", "history"))
    comparison = compare(metrics, study.compare, PREREGISTRATION)
    evidence = Evidence({}, None, comparison, {}, metrics, history, metrics.iloc[:0])
    assert evidence.runs(name)["seed"].tolist() == list(study.variants[name].seeds)
    assert set(evidence.epochs(name)["seed"]) == set(study.variants[name].seeds)
    assert evidence.contrast(name, "minimax").n.variant == len(study.variants[name].seeds)
    assert metrics[metrics["status"] == "failed"]["failure"].unique().tolist() == [cause]
    recorded = recorded_runs(name, study.variants[name].seeds, root / "reports")
    assert [run.variant for run in recorded] == [name] * len(study.variants[name].seeds)
    failed = next(run for run in recorded if run.tags["seed"] == "2")
    assert failed.tags["failure"] == cause
    assert all("score/fid" in {metric for metric, _, _ in run.metrics} for run in recorded if run is not failed)
    return comparison


@pytest.mark.fault(
    "a variant whose name looks like something else",
    full=len(NASTY),
    short=6,
    note="it is text everywhere: None, NA, 1e3 and others are compared as any other name",
)
def test_a_name_is_text_everywhere(tmp_path: Path, record_property, injection: int) -> None:
    name, cause = NASTY[injection], CAUSES[injection % len(CAUSES)]
    plain = make_study(seeds=5, epochs=2)
    study = named(plain, name, tmp_path / "params.yaml")
    assert list(study.variants) == ["minimax", "non_saturating", name]
    comparison = through_the_tables(study, name, cause, tmp_path / "nasty")
    assert [contrast.id for contrast in comparison.contrasts] == [identifier for identifier, *_ in HYPOTHESES]
    expected = through_the_tables(plain, PLAIN, cause, tmp_path / "plain")
    for ours, theirs in zip(comparison.contrasts, expected.contrasts, strict=True):
        assert replace(ours, variant="", against="", reason="") == replace(theirs, variant="", against="", reason="")
    assert [name if each == PLAIN else each for each in expected.standings[0].ranking] == comparison.standings[
        0
    ].ranking
    record_property("identical", True)


@given(name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True), cause=st.sampled_from(CAUSES))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_that_is_allowed_is_text(tmp_path_factory: pytest.TempPathFactory, name: str, cause: str) -> None:
    if name.casefold() in ("minimax", "non_saturating"):
        return
    root = tmp_path_factory.mktemp("names")
    study = named(make_study(seeds=3, epochs=2), name, root / "params.yaml")
    comparison = through_the_tables(study, name, cause, root)
    assert {name} < set(comparison.standings[-1].variants)
    assert len(comparison.contrasts) == len(HYPOTHESES)


def test_the_report_shows_every_name(tmp_path: Path) -> None:
    names = tuple(dict.fromkeys(["minimax", "non_saturating", *{name.casefold(): name for name in NASTY}.values()]))
    study = make_study(names, seeds=2, epochs=2)
    write_inputs(tmp_path, study, {("NaN", 1): (1, "1e10")}, {name: 5.0 + place for place, name in enumerate(names)})
    text = page_text(render(tmp_path, study)[0])
    assert all(re.search(rf"(?<![\w-]){name}(?![\w-])", text) for name in names)
    assert "1e10" in text
    results = Results.read(study, tmp_path)
    assert sorted(results.comparison.standings[0].ranking) == sorted(names)


def test_figures_take_names_for_text() -> None:
    """Rows and panels stand in the order of the ranking, not at 1 and 1000 on an axis of numbers."""
    names, shares = ["1e3", "1", "nan", "None"], {f"digit_{digit}": 0.1 for digit in range(10)}
    run = {"fid": 5.0, "state": "learnt", **shares}
    runs = pd.DataFrame([{"variant": name, "seed": seed, **run} for name in names for seed in range(3)])
    numbers = {"mean": 5.0, "low": 4.0, "high": 6.0, "never_learnt": 0, "mode_collapse": 0, "diverged": 0}
    summary, colours = pd.DataFrame([{"variant": name, **numbers} for name in names]), palette(names)
    (axes,) = scores.seeds(runs, summary, 0.3, colours).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    assert axes.get_yticks().tolist() == [0, 1, 2, 3]
    panels = training.digits(runs, [0.1] * 10, colours).axes
    assert [panel.get_title(loc="left") for panel in panels][: len(names)] == names


@pytest.mark.slow
def test_a_study_of_such_names_runs_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By way of DVC's templates and its lock, the command line, and MLflow."""
    names = {"minimax": "null", "non_saturating": "1e3", "cewl": "None"}
    (tmp_path / "named.yaml").write_text(NAMED, encoding="utf-8")
    monkeypatch.chdir(ROOT)
    prepare(tmp_path / "named.yaml", tmp_path / "project", TESTS / "params.yaml")
    params = tmp_path / "project/params.yaml"
    params.write_bytes(as_yaml(renamed(unshared(read_yaml(params)), names)))
    pipeline = Pipeline(tmp_path / "project")
    printed = pipeline.reproduce()
    assert printed.index("Running stage 'floor'") < printed.index("Running stage 'train@")
    assert "Running stage" not in pipeline.reproduce()
    reports = tmp_path / "project/reports"
    assert read_json(reports / "metrics.json", "scores").keys() == set(names.values())
    comparison = read(Comparison, reports / "comparison.json")
    assert [contrast.id for contrast in comparison.contrasts] == ["H1", "H2", "A1"]
    assert comparison.untested == []
    store = MlflowClient(f"sqlite:///{tmp_path / 'project/mlflow.db'}")
    runs = store.search_runs([store.get_experiment_by_name("named").experiment_id])
    assert {
        run.data.tags["variant"] for run in runs if "seed" in run.data.tags and "design" not in run.data.tags
    } == set(names.values())
    page = (reports / "report.html").read_text(encoding="utf-8")
    assert all(f"Grid of generated images: {name}" in page for name in names.values())
    assert "Lucic" not in page
