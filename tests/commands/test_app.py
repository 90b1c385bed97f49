"""The command line: quick to answer, one line for what is wrong, verdicts as in the files."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from gan.commands.published import check_joining
from gan.errors import StudyError
from gan.files import write_json
from gan.study.loading import load_study
from gan.study.schema import Study


def gan(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gan", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy() -> None:
    program = "import sys, gan.cli; print([m for m in ('torch', 'pandas', 'mlflow', 'pydantic') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_training_imports_neither_mlflow_nor_dvc() -> None:
    program = "import sys, stages.train; print([m for m in ('mlflow', 'dvc', 'seaborn') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [("-m", "gan", "check"), ("-m", "stages.download"), ("-m", "stages.train", "x")])
def test_bad_params_are_one_line_on_stderr(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "params.yaml").write_text("baseline: {epochs: 1, epochs: 2}\n")
    command = [sys.executable, *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert (
        result.stderr
        == 'error: params.yaml, line 1: found duplicate key "epochs" with value "2" (original value: "1")\n'
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "params.yaml"]


@pytest.mark.parametrize("work", ["torch.empty(10**13)", "numpy.empty(10**14)"])
def test_full_memory_is_one_line(work: str) -> None:
    program = f"import numpy, sys, torch; from gan import errors; del sys.argv[1:]; errors.run(lambda: {work} and None)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: memory is full: set compute.workers or compute.population lower")
    assert result.stderr.count("\n") == 1


def test_the_projects_params_pass() -> None:
    result = gan("check", cwd=ROOT)
    assert result.returncode == 0
    assert "params.yaml is valid" in result.stdout


@pytest.fixture
def published(tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Scores of every variant in `tmp_path`; what `dvc status` is to say of them."""
    for folder in ("training", "metrics"):
        (tmp_path / "reports" / folder).mkdir(parents=True)
    for name, variant in study.variants.items():
        write_json(tmp_path / f"reports/training/{name}.json", {"parameters": variant.model_dump(mode="json")})
        (tmp_path / f"reports/metrics/{name}.csv").write_text(f"variant,seed\n{name},0\n")
    status: dict[str, Any] = {}
    monkeypatch.setattr("gan.commands.published._status", lambda root: status)
    return status


def test_a_new_variant_joins_only_scores_of_the_same_study(tmp_path: Path, study: Study, published: Any) -> None:
    check_joining(study, "cewl", tmp_path)
    with pytest.raises(StudyError, match=r"began is not a variant"):
        check_joining(study, "began", tmp_path)
    write_json(tmp_path / "reports/training/cewl.json", {"parameters": {}})
    check_joining(study, "cewl", tmp_path)
    with pytest.raises(StudyError, match="minimax can't join the published scores: cewl have none"):
        check_joining(study, "minimax", tmp_path)
    write_json(tmp_path / "reports/training/cewl.json", {})
    with pytest.raises(StudyError, match=r"training/cewl\.json is damaged"):
        check_joining(study, "minimax", tmp_path)
    write_json(tmp_path / "reports/training/cewl.json", {"parameters": study.variants["cewl"].model_dump(mode="json")})
    lock = {"train@cewl": {"outs": [{"path": "runs/cewl", "md5": "new"}]}}
    lock["evaluate@cewl"] = {"deps": [{"path": "runs/cewl", "md5": "old"}]}
    write_json(tmp_path / "dvc.lock", {"stages": lock})
    with pytest.raises(StudyError, match="cewl was trained since it was scored"):
        check_joining(study, "minimax", tmp_path)
    check_joining(study, "cewl", tmp_path)
    (tmp_path / "reports/metrics/non_saturating.csv").unlink()
    with pytest.raises(StudyError, match="non_saturating have none"):
        check_joining(study, "cewl", tmp_path)


@pytest.mark.parametrize(
    ("stage", "change", "told"),
    [
        ("evaluate@minimax", {"changed outs": {"reports/metrics/minimax.csv": "modified"}}, "minimax.csv is modified"),
        ("classify", {"changed deps": {"params.yaml": {"classify.lr": "modified"}}}, "params.yaml, classify.lr, is"),
        (
            "evaluate@minimax",
            {"changed deps": {"gan/evaluation/metrics.py": "modified"}},
            "gan/evaluation/metrics.py is modified",
        ),
        (
            "evaluate@minimax",
            {"changed deps": {"params.yaml": {"evaluate.images": "modified"}}},
            "params.yaml, evaluate.images, is modified",
        ),
        ("download", {"changed deps": {"params.yaml": {"data.name": "modified"}}}, "params.yaml, data.name, is"),
        ("train@minimax", {"changed outs": {"reports/history/minimax.csv": "modified"}}, "history/minimax.csv is"),
        ("floor", {"changed outs": {"reports/floor.json": "modified"}}, "reports/floor.json is modified"),
        # As in a clone that has other runs, or none, and a new objective.
        ("evaluate@minimax", {"changed deps": {"runs/minimax": "modified"}}, ""),
        ("evaluate@minimax", {"changed deps": {"runs/minimax": "deleted", "data": "deleted"}}, ""),
        ("train@minimax", {"changed deps": {"gan/training/losses.py": "modified"}}, ""),
        ("train@minimax", {"changed outs": {"runs/minimax": "not in cache"}}, ""),
        ("evaluate@cewl", {"changed outs": {"reports/metrics/cewl.csv": "modified"}}, ""),
        ("compare", {"changed outs": {"reports/comparison.json": "modified"}}, ""),
    ],
)
def test_published_scores_are_as_they_were_made(
    tmp_path: Path, study: Study, published: Any, stage: str, change: dict[str, Any], told: str
) -> None:
    published[stage] = ["changed command", change]
    if not told:
        check_joining(study, "cewl", tmp_path)
        return
    with pytest.raises(
        StudyError, match=f"^cewl can't join the published scores: of stage {stage}, .*{told}.*; put it"
    ):
        check_joining(study, "cewl", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("run_preset", "presets/nope.yaml", "x"),
            "error: there is no presets/nope.yaml; there are presets/load.yaml, ",
        ),
        (("power", "nowhere"), "error: nowhere/metrics has no scores: run `make pilot` first"),
        (("verdict", "nowhere"), "error: nowhere/comparison.json is missing"),
    ],
)
def test_what_is_missing_is_named_in_one_line(arguments: tuple[str, ...], told: str) -> None:
    result = gan(*arguments, cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1


def test_names_without_a_variant_are_pointed_out(
    raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path]
) -> None:
    del raw_params["variants"]["cewl"]
    path = write_params(raw_params)
    result = subprocess.run(
        [sys.executable, "-m", "gan", "check"],
        cwd=path.parent,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0
    assert result.stderr == "warning: compare names cewl, which is not among the variants\n"


@pytest.mark.parametrize(
    ("arguments", "host", "warns"),
    [((), "127.0.0.1", False), (("HOST=localhost",), "localhost", False), (("HOST=0.0.0.0",), "0.0.0.0", True)],
)
def test_the_runs_are_served_to_this_machine_alone_unless_told_otherwise(
    tmp_path: Path, arguments: tuple[str, ...], host: str, warns: bool
) -> None:
    for name in ("python", "mlflow"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$@"\n')
        (tmp_path / name).chmod(0o755)
    command = ["make", "--silent", "--assume-old=.venv/ready", "ui", f"BIN={tmp_path}", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HOST": "this-machine"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert f"ui --host {host} --port 5000" in ended.stdout
    assert ("can change the runs" in ended.stderr) == warns


def test_a_pilot_may_not_use_the_studys_seeds(tmp_path: Path) -> None:
    seed = load_study(ROOT / "params.yaml").variants["cewl"].seeds[0]
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/cewl.csv").write_text(f"variant,seed,epoch,status,fid\ncewl,{seed},20,finished,400\n")
    result = gan("power", str(tmp_path), cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr == f"error: seed {seed} is the study's own: a pilot's seeds must be others\n"
