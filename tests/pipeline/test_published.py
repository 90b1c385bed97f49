"""dvc.yaml against the code, and the published results against both.

The tests marked `published` ask whether the results in this checkout belong to params.yaml and the code. After an edit
of params.yaml they fail until `make study` has renewed the results, so .ci/run has them and `make test` does not.
"""

import re
import subprocess
import sys

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from gan.compute.pipeline import place, running_order
from gan.evaluation.classifier import load_classifiers
from gan.files import read_json
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
    assert {"baseline", "variants.*", "variants", "compare", "simulate", "mechanism", "baseline.data"} <= listed


def test_stages_are_counted_in_the_order_in_which_they_run() -> None:
    """As `dvc repro` plans them; what it reads comes first."""
    params = {"variants": {"a": {}, "b": {}}, "mechanism": {"variant": "b"}}
    order = running_order(PIPELINE, params)
    assert {name.partition("@")[0] for name in order} == set(STAGES)
    assert len(order) == len(set(order)) == len(STAGES) + 2
    for earlier, later in (
        ("download", "classify"),
        ("download", "train@a"),
        ("classify", "floor"),
        ("floor", "train@a"),  # an instrument that measures nothing stops the study before anything is trained
        ("classify", "evaluate@a"),
        ("train@a", "evaluate@a"),
        ("train@b", "mechanism"),
        ("evaluate@b", "compare"),
        ("compare", "report"),
        ("mechanism", "claims"),
    ):
        assert order.index(earlier) < order.index(later)
    assert order[-1] == "track"
    assert re.fullmatch(r"stage 1 of \d+: audit", place("audit", ROOT))
    assert place("unknown", ROOT) == "stage unknown"


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
    for folder, suffix in (("metrics", "csv"), ("history", "csv"), ("training", "json"), ("samples", "png")):
        names = {path.stem for path in (ROOT / "reports" / folder).glob(f"*.{suffix}")}
        assert names == set(study.variants)


@pytest.mark.published
@pytest.mark.usefixtures("study")
def test_readme_and_docs_show_the_published_numbers() -> None:
    readme, engine, report = (
        (ROOT / name).read_text() for name in ("README.md", "docs/engine.md", "reports/report.md")
    )
    verdict = report.split("\n\n")[1]
    ranking, speed = (report.split(f"## {section}\n\n")[1].split("\n\n")[0] for section in ("Ranking", "Speed"))
    assert verdict in readme
    assert ranking in readme
    assert speed in engine


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
