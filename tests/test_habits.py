"""What a project has beside its code: it parses, its versions agree, and the commands that it names exist."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEVELOPING = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
SCRIPTS = {"ruff": "ruff", "mypy": "mypy", "lint-imports": "import-linter"}  # each with the package that brings it


def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / name)


def test_the_versions_agree() -> None:
    released = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = read("CITATION.cff")
    assert released[0] == (PROJECT["version"], citation["date-released"])
    assert citation["version"] == PROJECT["version"]
    assert released == sorted(released, key=lambda release: [int(part) for part in release[0].split(".")], reverse=True)


def test_the_citation_has_what_the_format_asks_for() -> None:
    """https://github.com/citation-file-format/citation-file-format/blob/1.2.0/schema-guide.md"""
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["license"] == PROJECT["license"]
    for author in citation["authors"]:
        assert author.get("name", "") in (ROOT / "LICENSE").read_text()


def test_the_hooks_are_the_checks_of_make_test() -> None:
    """No hook is fetched from elsewhere, each command is one of `.venv`, and `make test` has each check."""
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    commands = [hook["entry"] for hook in repository["hooks"]]
    programs = {word for command in commands for word in shlex.split(command) if word.startswith(".venv/bin/")}
    named = {Path(program).name for program in programs} - {"python"}
    assert named == SCRIPTS.keys()
    assert {re.split("[>=]", package)[0] for package in DEVELOPING} >= set(SCRIPTS.values())
    checks = re.search(r"^test:.*?\n\n", (ROOT / "Makefile").read_text(), re.MULTILINE | re.DOTALL)
    assert checks
    for name in SCRIPTS:
        assert name in checks[0]


def test_the_workflow_runs_what_any_machine_runs() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == [".ci/run"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o100
    (python,) = [step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert PROJECT["requires-python"] == f">={python}"


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.md")), ids=lambda path: path.stem)
def test_an_issue_template_has_a_name_and_a_purpose(path: Path) -> None:
    head = path.read_text(encoding="utf-8").split("---\n")[1]
    assert {"name", "about"} <= YAML(typ="safe", pure=True).load(head).keys()


@pytest.mark.parametrize("path", sorted((ROOT / ".dvc/plots").glob("*.json")), ids=lambda path: path.stem)
def test_a_chart_template_is_vega_lite(path: Path) -> None:
    assert "vega-lite" in json.loads(path.read_text(encoding="utf-8"))["$schema"]
