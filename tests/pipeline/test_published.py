"""dvc.yaml against the code, and what is published against both.

The tests marked `published` are about the results in this checkout. An edit of params.yaml makes them fail until
`make study` has renewed the results, so they are part of .ci/run and not of `make test`.
"""

import subprocess
import sys

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from gan.evaluation.classifier import load_classifiers
from gan.files import read_json
from gan.study.loading import load_study

PIPELINE = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}


def test_a_stage_depends_on_its_own_script() -> None:
    for name, stage in STAGES.items():
        assert f"stages/{name}.py" in stage["deps"]


def test_what_is_scored_or_trained_depends_on_the_room_that_is_watched() -> None:
    """The checksum of a room that a stage keeps an eye on is that of the files which DVC compares."""
    ground = {"gan/images.py", "gan/seeding.py"}
    for stage, room in (("train", "gan/training"), ("evaluate", "gan/evaluation")):
        assert {room, *ground} <= set(STAGES[stage]["deps"])


def test_every_parameter_is_some_stages() -> None:
    """An edit of a result's parameter runs what depends on it; where and how to run is no result's parameter."""
    params = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    listed = {name.replace("${key}", "*") for stage in STAGES.values() for name in stage.get("params", [])}
    for section in ("classify", "train", "evaluate"):
        assert {f"{section}.{key}" for key in params[section]} <= listed
    assert {"baseline", "variants.*", "variants", "compare", "simulate", "mechanism", "data.name"} <= listed


@pytest.mark.published
def test_the_published_results_are_this_codes() -> None:
    """DVC finds nothing to do in a checkout where only what it keeps out of git is missing."""
    command = [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Running stage" not in result.stdout, result.stdout
    assert "Data and pipelines are up to date" in result.stdout + result.stderr


@pytest.mark.published
def test_the_published_classifier_is_good_enough_to_judge() -> None:
    record = read_json(ROOT / "models/classifiers.json")
    assert len(record["accuracy"]) == 3
    assert min(record["accuracy"].values()) >= 0.985
    assert record["data"]["name"] == "mnist"
    load_classifiers(ROOT / "models")


@pytest.mark.published
def test_reports_belong_to_the_params() -> None:
    study = load_study(ROOT / "params.yaml")
    for folder, suffix in (("metrics", "csv"), ("history", "csv"), ("training", "json"), ("samples", "png")):
        names = {path.stem for path in (ROOT / "reports" / folder).glob(f"*.{suffix}")}
        assert names == set(study.variants)


@pytest.mark.published
def test_readme_and_docs_show_the_published_numbers() -> None:
    readme, engine, report = (
        (ROOT / name).read_text() for name in ("README.md", "docs/engine.md", "reports/report.md")
    )
    ranking = report.split("## Ranking\n\n")[1].split("\n\n")[0]
    verdict = report.split("\n\n")[1]
    speed = report.split("## Speed\n\n")[1].split("\n\n")[0]
    assert ranking in readme
    assert verdict in readme
    assert speed in engine


@pytest.mark.published
def test_the_page_on_faults_shows_the_last_campaign() -> None:
    page = (ROOT / "docs/faults.md").read_text()
    rows = read_json(ROOT / "reports/faults.json")
    assert rows
    for row in rows:
        assert set(row) == {"fault", "injected", "survived", "identical", "note"}
        identical = {True: "yes", False: "no", None: ""}[row["identical"]]
        line = f"| {row['fault']} | {row['injected']:,} | {row['survived']:,} | {identical} | {row['note']} |"
        assert line in page
