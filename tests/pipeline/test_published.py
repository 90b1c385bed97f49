"""dvc.yaml against the code, and the published results against both.

The tests marked `published` ask whether the results in this checkout belong to params.yaml and the code. After an edit
of params.yaml they fail until `make study` has renewed the results, so .ci/run has them and `make test` does not.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from gan.evaluation.classifier import load_classifiers
from gan.files import read_json, write_json
from gan.pipeline import place, running_order, seconds_left
from gan.reporting.tables import speed_table
from gan.study import preregistration
from gan.study.loading import load_study
from gan.study.schema import Study

PIPELINE = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")
OUTDATED = "the published results in reports/ are older than params.yaml or the code: `make study` renews them"
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}


@pytest.fixture
def study() -> Study:
    """The project's study; the published results must not be older."""
    study, reports = load_study(ROOT / "params.yaml"), ROOT / "reports"
    records = {path.stem: read_json(path, "parameters") for path in (reports / "training").glob("*.json")}
    declared = read_json(reports / "comparison.json").get("preregistration")
    variants = {name: variant.model_dump(mode="json") for name, variant in study.variants.items()}
    if records != variants or declared != preregistration.checksum(study):
        pytest.fail(OUTDATED, pytrace=False)
    return study


def test_a_stage_depends_on_its_own_script() -> None:
    for name, stage in STAGES.items():
        assert f"stages/{name}.py" in stage["deps"]


def test_a_stage_depends_on_the_rooms_that_it_watches() -> None:
    """A stage checks that its rooms don't change while it runs; they must be rooms that DVC compares, too."""
    ground = {"gan/images.py", "gan/seeding.py"}
    for stage, room in (("train", "gan/training"), ("evaluate", "gan/evaluation")):
        assert {room, *ground} <= set(STAGES[stage]["deps"])


def test_every_parameter_of_a_result_is_a_dependency() -> None:
    """Editing a parameter that decides a result runs the stages that depend on it."""
    params = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    listed = {
        name.replace("${key}", "*")
        for stage in STAGES.values()
        for name in stage.get("params", [])
        if isinstance(name, str)
    }
    for section in ("classify", "train", "evaluate"):
        assert {f"{section}.{key}" for key in params[section]} <= listed
    sections = ("compare", "simulate", "specifications", "toys", "ladder.rungs", "mechanism", "memory", "baseline.data")
    assert {"baseline", "variants.*", "variants", *sections} <= listed


def test_stages_are_counted_in_the_order_in_which_they_run() -> None:
    """As `dvc repro` plans them; what it reads comes first."""
    params = {"variants": {"a": {}, "b": {}}, "mechanism": {"variant": "b"}, "baseline": {"data": "mnist"}}
    params |= {"search": {"objectives": ["c", "d", "e"]}}
    order = running_order(PIPELINE, params)
    assert {name.partition("@")[0] for name in order} == set(STAGES)
    assert len(order) == len(set(order)) == len(STAGES) + 3 + 2
    for earlier, later in (
        ("download", "classify"),
        ("download", "train@a"),
        ("classify", "floor"),
        ("floor", "train@a"),  # an instrument that measures nothing stops the study before anything is trained
        ("classify", "evaluate@a"),
        ("train@a", "evaluate@a"),
        ("train@a", "publish@a"),
        ("publish@a", "report"),
        ("train@b", "mechanism"),
        ("download", "memory"),
        ("evaluate@b", "compare"),
        ("search@e", "robustness"),
        ("ladder", "robustness"),
        ("compare", "report"),
        ("mechanism", "claims"),
    ):
        assert order.index(earlier) < order.index(later)
    assert order[-1] == "track"
    assert re.fullmatch(r"stage 1 of \d+: audit(, .* left if all that follow run as last time)?", place("audit", ROOT))
    assert place("unknown", ROOT) == "stage unknown"


def test_the_time_left_is_that_of_the_stages_to_come(tmp_path: Path) -> None:
    write_json(tmp_path / "reports/times.json", {"a": {"seconds": 60.0}, "b": {"seconds": 1.5}})
    assert seconds_left(["a", "b"], tmp_path) == 61.5
    assert seconds_left(["b"], tmp_path) == 1.5
    assert seconds_left(["b", "unknown"], tmp_path) is None
    assert seconds_left(["b"], tmp_path / "nowhere") is None


@pytest.mark.published
@pytest.mark.usefixtures("study")
def test_the_published_results_belong_to_this_code() -> None:
    """DVC has nothing to do, although the files that git doesn't keep may be missing."""
    command = [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    stages = re.findall(r"Running stage '(.*)'", result.stdout)
    if result.returncode or stages:
        pytest.fail(f"{OUTDATED} ({', '.join(stages) or result.stderr.strip()})", pytrace=False)


@pytest.mark.published
def test_the_published_classifier_is_accurate_enough() -> None:
    record = read_json(ROOT / "models/mnist/classifiers.json")
    assert len(record["accuracy"]) == 3
    assert min(record["accuracy"].values()) >= 0.985
    assert record["data"]["name"] == "mnist"
    load_classifiers(ROOT / "models/mnist")


@pytest.mark.published
def test_every_variant_has_its_reports_and_no_other(study: Study) -> None:
    tables = (("metrics", "csv"), ("history", "csv"), ("training", "json"), ("samples", "png"))
    pictures = (("generators", "safetensors"), ("strips", "png"), ("strips", "json"), ("interpolations", "png"))
    for folder, suffix in (*tables, *pictures):
        names = {path.stem for path in (ROOT / "reports" / folder).glob(f"*.{suffix}")}
        assert names == set(study.variants)


@pytest.mark.published
@pytest.mark.usefixtures("study")
def test_readme_and_docs_show_the_published_numbers() -> None:
    readme, engine, report = (
        (ROOT / name).read_text() for name in ("README.md", "docs/engine.md", "reports/report.md")
    )
    _, answer, in_numbers, *others = report.split("\n\n")
    table = next(part for part in others if part.startswith("| ground |"))
    assert f"{answer}\n\n{in_numbers}\n\n{table}" in readme
    speed = speed_table(read_json(ROOT / "reports/benchmark.json"))
    lines = [f"| {' | '.join(row.values())} |" for row in speed]
    assert [line for line in lines if line not in engine] == []


@pytest.mark.published
def test_the_docs_show_the_last_campaign() -> None:
    page = (ROOT / "docs/faults.md").read_text()
    rows = read_json(ROOT / "reports/faults.json")
    assert rows
    for row in rows:
        assert set(row) == {"fault", "injected", "survived", "identical", "note"}
        identical = {True: "yes", False: "no", None: ""}[row["identical"]]
        line = f"| {row['fault']} | {row['injected']:,} | {row['survived']:,} | {identical} | {row['note']} |"
        assert line in page
