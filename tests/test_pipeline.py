"""dvc.yaml against the code: each stage depends on what decides its numbers, and dvc.lock is this code's."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from gan.compute.trainer import TRAINING_SOURCES
from gan.evaluation.classifier import load_classifiers
from gan.files import read_json
from gan.study.loading import load_study
from stages.evaluate import SCORING_SOURCES

PIPELINE = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}

# Modules that carry numbers and decide none: what they hand on, DVC checks through parameters, data and outputs.
CARRIERS = {
    "catalogue",
    "checkpoints",
    "cluster",
    "declaration",
    "errors",
    "files",
    "guard",
    "patience",
    "pipeline",
    "progress",
    "runs",
    "study",
    "trainer",
    "workers",
}


def imports(path: Path) -> set[str]:
    """The project's modules that a file imports, wherever in it, but not for type checking only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "gan":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gan."):
            found.add(str(node.module).removeprefix("gan."))
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("gan.") for alias in node.names if alias.name.startswith("gan.")}
    return found


def closure(path: Path) -> set[str]:
    """All of the package's modules that a file brings in."""
    seen: set[str] = set()
    waiting = imports(path)
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= imports(ROOT / "gan" / f"{module}.py") - seen
    return seen


@pytest.mark.parametrize("name", STAGES)
def test_dependencies_are_the_import_closure(name: str) -> None:
    needed = closure(ROOT / f"stages/{name}.py") - CARRIERS
    if name != "download":  # the others only read what the download stage wrote, under its checksum
        needed -= {"data"}
    listed = {Path(dep).stem for dep in STAGES[name]["deps"] if dep.startswith("gan/") and dep.endswith(".py")}
    assert listed == needed
    assert f"stages/{name}.py" in STAGES[name]["deps"]


@pytest.mark.parametrize(("stage", "modules"), [("train", TRAINING_SOURCES), ("evaluate", SCORING_SOURCES)])
def test_the_code_that_is_watched_is_what_the_stage_depends_on(stage: str, modules: Iterable[ModuleType]) -> None:
    sources = {f"gan/{Path(str(module.__file__)).name}" for module in modules}
    assert sources == {dep for dep in STAGES[stage]["deps"] if dep.startswith("gan/")}


def test_every_parameter_is_some_stages() -> None:
    """An edit of a result's parameter runs what depends on it; where and how to run is no result's parameter."""
    params = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    listed = {name.replace("${key}", "*") for stage in STAGES.values() for name in stage.get("params", [])}
    for section in ("classify", "train", "evaluate"):
        assert {f"{section}.{key}" for key in params[section]} <= listed
    assert {"baseline", "variants.*", "variants", "compare", "calibrate", "mechanism", "data.name"} <= listed


def test_the_published_results_are_this_codes() -> None:
    """DVC finds nothing to do in a checkout where only what it keeps out of git is missing."""
    command = [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Running stage" not in result.stdout, result.stdout
    assert "Data and pipelines are up to date" in result.stdout + result.stderr


def test_the_published_classifier_is_good_enough_to_judge() -> None:
    record = read_json(ROOT / "models/classifiers.json")
    assert len(record["accuracy"]) == 3
    assert min(record["accuracy"].values()) >= 0.985
    assert record["data"]["name"] == "mnist"
    load_classifiers(ROOT / "models")


def test_reports_belong_to_the_params() -> None:
    study = load_study(ROOT / "params.yaml")
    for folder, suffix in (("metrics", "csv"), ("history", "csv"), ("training", "json"), ("samples", "png")):
        names = {path.stem for path in (ROOT / "reports" / folder).glob(f"*.{suffix}")}
        assert names == set(study.variants)


def test_the_readme_shows_the_published_numbers() -> None:
    readme, report = ((ROOT / name).read_text() for name in ("README.md", "reports/report.md"))
    ranking = report.split("## Ranking\n\n")[1].split("\n\n")[0]
    verdict = report.split("\n\n")[1]
    speed = report.split("## Speed\n\n")[1].split("\n\n")[0]
    assert ranking in readme
    assert speed in readme
    assert verdict in readme


def test_the_readme_shows_the_last_campaign() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = read_json(ROOT / "reports/faults.json")
    assert rows
    for row in rows:
        assert set(row) == {"fault", "injected", "survived", "identical", "note"}
        identical = {True: "yes", False: "no", None: ""}[row["identical"]]
        line = f"| {row['fault']} | {row['injected']:,} | {row['survived']:,} | {identical} | {row['note']} |"
        assert line in readme
