"""The whole pipeline, small and real: from images to a report, and what users do afterwards."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import DESIGNED, ROOT, TESTS, Pipeline
from ruamel.yaml import YAML

from gan.commands.app import verdict
from gan.commands.dvc import DVC
from gan.commands.presets import prepare
from gan.environment import own
from gan.pictures.published import load_generator
from gan.reporting.terminal import show

pytestmark = pytest.mark.slow

TINY = (
    DESIGNED
    + """
only: [minimax, non_saturating, cewl]
classify: {seeds: [0, 1], epochs: 2}
baseline: {data: digits, seeds: [0, 1], epochs: 3, snapshots: [1]}
simulate: {studies: 10}
toys: {dirac: {objectives: [minimax], turns: 1}, ring: {seeds: [0], hidden: [8], steps: [3], samples: 50}}
specifications: {epochs: [3]}
mechanism: {epochs: [1, 3], seeds: [1], steps: 2}
evaluate: {images: 200, grid_seeds: 2, grid_columns: 4}
compute: {device: cpu, workers: 1}
tracking: {experiment: tiny}
"""
)

ON_SCORES = ("compare", "specifications", "robustness", "claims", "tables", "report", "track")  # what new scores run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny study."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(ROOT)
        prepare(folder / "tiny.yaml", folder / "project", TESTS / "params.yaml")
        Pipeline(folder / "project").reproduce()
    return folder / "project"


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The finished study, to be changed; without the MLflow store, which belongs to its folder."""
    return shutil.copytree(project, tmp_path / "project", ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))


def edit(project: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    yaml = YAML(pure=True)
    params = yaml.load(project / "params.yaml")
    change(params)
    yaml.dump(params, project / "params.yaml")


def dvc(project: Path, *arguments: str) -> list[str]:
    """Run a dvc command; return the names of the stages that ran."""
    command = [*DVC, *arguments]
    result = subprocess.run(command, cwd=project, env=own(os.environ), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.split("'")[1] for line in result.stdout.splitlines() if line.startswith("Running stage")]


def refusal(project: Path, variant: str) -> str:
    """What `gan check --joining` prints on stderr: why a new variant can't join the published ones, if it can't."""
    command = [sys.executable, "-m", "gan", "check", "--joining", variant]
    return subprocess.run(command, cwd=project, env=own(os.environ), capture_output=True, text=True, check=False).stderr


def metrics(project: Path, variant: str) -> pd.DataFrame:
    return pd.read_csv(project / f"reports/metrics/{variant}.csv")


def comparison(project: Path) -> dict[str, Any]:
    return json.loads((project / "reports/comparison.json").read_text())


def test_all_that_is_promised_is_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("minimax", "non_saturating", "cewl"):
        table = metrics(project, name)
        assert {"variant", "seed", "status", "fid", "kid", "precision", "recall", "digits"} <= set(table)
        assert table["seed"].tolist() == [0, 1]
        assert (table["status"] == "finished").all()
        assert (project / f"runs/{name}/seed-1/generator-0003.safetensors").exists()
        assert (project / f"reports/samples/{name}.png").exists()
        assert load_generator(project / f"reports/generators/{name}.safetensors").origin.epoch == 3
        assert json.loads((project / f"reports/strips/{name}.json").read_text())["epochs"][-1] == 3
    compared = comparison(project)
    assert [contrast["verdict"] for contrast in compared["contrasts"]] == ["insufficient data"] * 3
    claims = json.loads((project / "reports/claims.json").read_text())
    assert len(claims) == 26
    assert claims["V1"]["verdict"] == "supported"
    assert claims["Q4"]["reason"] == "Not tested: this study has no variant vae."
    simulation = json.loads((project / "reports/simulation.json").read_text())
    assert simulation["studies"] == 10
    (curve,) = json.loads((project / "reports/specifications.json").read_text())["contrasts"][:1]
    assert curve["total"] > 0
    assert (
        json.loads((project / "reports/metrics.json").read_text())["scores"].keys()
        == compared["standings"][0]["variants"].keys()
    )
    assert (project / ".dvc/plots/curves.json").exists()  # what draws the tables
    page = (project / "reports/report.html").read_text()
    assert "<svg" in page or "data:image/svg" in page
    assert "minimax" in (project / "reports/report.md").read_text()
    show(project / "reports")
    assert "insufficient data" in capsys.readouterr().out
    assert "REHEARSAL" in page
    verdict(project / "reports")
    printed = capsys.readouterr().out
    assert "REHEARSAL" in printed
    assert "not decided here" in printed


def test_mlflow_has_every_run_once(project: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    every = client.search_runs([experiment.experiment_id])
    found = [run for run in every if "seed" in run.data.tags and "design" not in run.data.tags]
    assert sorted((run.data.tags["variant"], run.data.tags["seed"]) for run in found) == [
        (variant, seed) for variant in ("cewl", "minimax", "non_saturating") for seed in ("0", "1")
    ]
    for run in found:
        assert run.info.status == "FINISHED"
        assert len(client.get_metric_history(run.info.run_id, "train/generator_loss")) == 3
        table = metrics(project, run.data.tags["variant"]).set_index("seed")
        assert run.data.metrics["score/fid"] == table.loc[int(run.data.tags["seed"]), "fid"]
    tables = [project / "reports/ladder.csv", *(project / "reports").glob("search/*.csv")]
    tables += (project / "reports").glob("finals/*.csv")
    keys = [key for path in tables for key in pd.read_csv(path, dtype={"key": str})["key"]]
    assert sorted(run.data.tags["run_key"] for run in every if "design" in run.data.tags) == sorted(keys)


def test_a_second_time_there_is_nothing_to_do(copy: Path) -> None:
    assert dvc(copy, "repro") == []


def test_editing_one_variant_runs_that_variant_only(copy: Path) -> None:
    before = metrics(copy, "minimax")
    edit(copy, lambda params: params["variants"]["cewl"].update(real_label=0.9))
    # The images are looked at, because a variant may name another data set; nothing is fetched.
    changed = {"download", "audit", "simulate", "train@cewl", "evaluate@cewl", "publish@cewl", *ON_SCORES}
    assert set(dvc(copy, "repro")) == changed
    assert metrics(copy, "minimax").equals(before)


def test_adding_a_seed_trains_that_seed_only(copy: Path) -> None:
    def trained() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in copy.glob(".work/runs/*/*/run.json")}

    before, scores = trained(), metrics(copy, "cewl")
    edit(copy, lambda params: params["baseline"].update(seeds=[0, 1, 2]))
    stages = {f"{kind}@cewl" for kind in ("train", "evaluate")}
    assert set(dvc(copy, "repro", *stages)) == stages
    assert len(trained()) == len(before) + 1
    assert before.items() <= trained().items()
    after = metrics(copy, "cewl")
    assert after["seed"].tolist() == [0, 1, 2]
    assert after.iloc[:2].equals(scores)


def test_removing_a_variant_removes_it_from_the_report(copy: Path) -> None:
    def without_cewl(params: dict[str, Any]) -> None:
        del params["variants"]["cewl"]
        for family in ("hypotheses", "controls"):
            declared = params["compare"][family]
            params["compare"][family] = [each for each in declared if "cewl" not in (each["variant"], each["against"])]

    edit(copy, without_cewl)
    looked_at = {"download", "classify"}
    assert set(dvc(copy, "repro")) == {*looked_at, "audit", "simulate", *ON_SCORES}
    compared = comparison(copy)
    assert set(compared["standings"][0]["variants"]) == {"minimax", "non_saturating"}
    assert [contrast["id"] for contrast in compared["contrasts"]] == ["H1"]
    assert "Grid of generated images: cewl" not in (copy / "reports/report.html").read_text()


def test_in_a_fresh_clone_a_new_variant_joins_the_published_runs(copy: Path) -> None:
    """As `make variant` does it. What git doesn't keep is gone, and training code has changed: nothing is retrained."""
    published = {name: metrics(copy, name) for name in ("minimax", "non_saturating", "cewl")}
    for gone in ("runs", "data", ".work", ".dvc/cache"):
        shutil.rmtree(copy / gone)
    with (copy / "gan/training/losses.py").open("a") as file:
        file.write("\n# a new objective\n")
    edit(copy, lambda params: params["variants"].update(softer={"objective": "cewl", "real_label": 0.9}))
    history = copy / "reports/history/cewl.csv"
    made = history.read_text()
    history.write_text(made.replace("1", "2"))
    assert "of stage train@cewl, reports/history/cewl.csv is modified" in refusal(copy, "softer")
    history.write_text(made)
    edit(copy, lambda params: params["evaluate"].update(images=199))
    assert "params.yaml, evaluate.images, is modified" in refusal(copy, "softer")
    edit(copy, lambda params: params["evaluate"].update(images=200))
    assert "error" not in refusal(copy, "softer")
    assert dvc(copy, "repro", "download") == ["download"]
    stages = ["classify", "floor", "audit", "train@softer", "evaluate@softer", "publish@softer", *ON_SCORES]
    ran = [stage for stage in stages if stage != "floor"]  # there is no new data set
    assert dvc(copy, "repro", "--single-item", *stages) == ran
    assert comparison(copy)["contrasts"][-1]["id"] == "E: softer vs non_saturating"
    for name, table in published.items():
        assert metrics(copy, name).equals(table)
    assert "softer" in (copy / "reports/report.md").read_text()


def test_training_again_from_nothing_gives_the_same_bits(copy: Path) -> None:
    def locked() -> dict[str, Any]:
        stages = YAML(typ="safe", pure=True).load(copy / "dvc.lock")["stages"]
        outs = {out["path"]: out["md5"] for stage in ("train@cewl", "evaluate@cewl") for out in stages[stage]["outs"]}
        del outs["reports/training/cewl.json"]  # it has durations
        return outs

    before = locked()
    shutil.rmtree(copy / ".work")
    stages = ["train@cewl", "evaluate@cewl"]
    assert dvc(copy, "repro", "--force", "--single-item", *stages) == stages
    assert locked() == before
    assert "runs/cewl" in before
