"""`dvc plots show` puts the variants into a few charts, and every chart finds what it is to draw."""

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest
from conftest import ROOT, SMALL, TESTS
from dvc.render.match import match_defs_renderers
from dvc.repo import Repo
from reporting.planted import scope, search
from ruamel.yaml import YAML

from gan.commands.presets import apply
from gan.files import write, write_json
from gan.study.loading import read_yaml, validate
from gan.study.schema import Study
from stages import tables

PLOTS = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["plots"]
CHARTS = {name: chart for entry in PLOTS if isinstance(entry, dict) for name, chart in entry.items()}


VARIANTS = ["minimax", "non_saturating", "cewl"]


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The charts of a small study in which the last run of each variant diverged."""
    folder = tmp_path_factory.mktemp("charts")
    params = apply({**SMALL, "variants": {}, "only": VARIANTS}, read_yaml(TESTS / "params.yaml"), TESTS / "params.yaml")
    study = validate(params, TESTS / "params.yaml", folder)
    plant(study, folder / "reports")
    with chdir(folder):
        with mock.patch.object(tables, "load_study", return_value=study):
            tables.main()
        Repo.init(no_scm=True).close()
        write_json(folder / "dvc.yaml", {"plots": [{name: chart} for name, chart in CHARTS.items()]})
        shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
        with Repo() as repo:
            matched = match_defs_renderers(repo.plots.show(), templates_dir=repo.plots.templates_dir)
    assert [(each.source_errors, each.definition_errors) for each in matched] == [({}, {})] * len(matched)
    return {each.renderer.name: each.renderer.get_filled_template() for each in matched}


def plant(study: Study, reports: Path) -> None:
    for name, variant in study.variants.items():
        rows = [
            {"variant": name, "seed": seed, "epoch": epoch, "fid": math.nan if seed == variant.seeds[-1] else 100.0}
            for seed in variant.seeds
            for epoch in (1, 2)
        ]
        table = pd.DataFrame(rows)
        more = {"data": variant.data, "averaged": "2", "status": "finished", "coverage": 0.1, "digits": 10}
        more |= {"failed_epoch": "", "failure": "", "key": "a"}
        write(reports / f"metrics/{name}.csv", table.assign(**more).to_csv(index=False))
        write(reports / f"snapshots/{name}.csv", table.to_csv(index=False))
        history = table.drop(columns=["variant", "fid"]).assign(generator_gradient_norm=0.0)
        write(reports / f"history/{name}.csv", history.to_csv(index=False))
    write_json(reports / "search.json", search())
    write_json(reports / "scope.json", scope("better", "worse", "undecided"))
    rungs = [{"rung": "printed", "objective": name, "seed": 1, "epoch": 3, "fid": 9.0} for name in ("minimax", "cewl")]
    write(reports / "ladder.csv", pd.DataFrame(rungs).to_csv(index=False))


def test_every_chart_is_drawn_from_fields_that_its_file_has(charts: dict[str, dict[str, Any]]) -> None:
    assert charts.keys() == CHARTS.keys()
    for name, chart in charts.items():
        assert "<DVC_METRIC" not in json.dumps(chart), name
        made = {step["as"] for step in chart.get("transform", []) if "as" in step}
        for field in fields(chart):
            assert field in chart["data"]["values"][0].keys() | made, (name, field)


def test_all_variants_are_in_one_chart(charts: dict[str, dict[str, Any]]) -> None:
    for name in ("scores", "learning", "gradients"):
        rows = charts[name]["data"]["values"]
        assert {row["variant"] for row in rows} == set(VARIANTS)


def test_the_project_has_no_template_that_no_chart_uses() -> None:
    assert {path.stem for path in (ROOT / ".dvc/plots").glob("*.json")} == {
        chart["template"] for chart in CHARTS.values()
    }


def fields(value: Any) -> Iterator[str]:
    """All names of columns in a Vega-Lite specification; not those in its data."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key == "field" and isinstance(below, str):
                yield below
            elif key != "values":
                yield from fields(below)
    elif isinstance(value, list):
        for below in value:
            yield from fields(below)
