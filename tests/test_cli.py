"""The command line: quick to answer, one line for what is wrong, verdicts as in the files."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from gan import verdict
from gan.errors import StudyError
from gan.published import check_joining
from gan.study import Study, load_study


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


def test_the_projects_params_pass() -> None:
    result = gan("check", cwd=ROOT)
    assert result.returncode == 0
    assert "params.yaml is valid" in result.stdout


def test_the_verdict_is_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contrast = {"id": "H1", "family": "declared", "verdict": "refuted", "text": "A wins.", "reason": "It is [not]."}
    control = contrast | {"id": "A1", "family": "control", "verdict": "equivalent"}
    explored = contrast | {"id": "E: x", "family": "exploratory", "text": "Seen by chance."}
    summary = {"n": 9, "failed": 2, "mean": 12.345, "low": 10.0, "high": 1097.2, "scored_mean": 13.0}
    lost = {"n": 7, "failed": 7, "mean": None, "low": None, "high": None, "scored_mean": 2345.6}
    elsewhere = {"epochs": 10, "ranking": ["other"], "variants": {"other": summary}}
    comparison = {
        "metric": "fid",
        "standings": [
            {"epochs": 20, "ranking": ["mine", "lost"], "variants": {"mine": summary, "lost": lost}},
            elsewhere,
        ],
        "contrasts": [contrast, control, explored],
        "untested": [{"id": "H2", "family": "declared", "missing": ["gone"], "reason": "no data for gone"}],
    }
    (tmp_path / "comparison.json").write_text(json.dumps(comparison))
    verdict.show(tmp_path)
    assert "claims" not in capsys.readouterr().out
    claim = {"text": "The [b]claim[/b] is " + "very " * 20 + "long.", "verdict": "undecided", "reason": "Who knows."}
    (tmp_path / "claims.json").write_text(json.dumps({"V1": claim}))
    verdict.show(tmp_path)
    printed = capsys.readouterr().out
    assert "other" not in printed
    assert "Seen by chance" not in printed
    assert "long." not in printed
    for part in (
        "mine",
        "12.3",
        "10 – 1097",
        "20 epochs",
        "(2346 with",
        "refuted",
        "equivalent",
        "undecided │ The [b]claim[/b] is",
        "It is [not].",
        "H2 not tested: no data for gone",
        "report.html",
    ):
        assert part in printed


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="run `make study` first"):
        verdict.show(tmp_path)


def test_a_new_variant_joins_only_scores_of_the_same_study(tmp_path: Path, study: Study) -> None:
    reports, stages = tmp_path / "reports", {}
    (reports / "training").mkdir(parents=True)
    (reports / "metrics").mkdir()
    for name, variant in study.variants.items():
        (reports / f"training/{name}.json").write_text(json.dumps({"parameters": variant.model_dump(mode="json")}))
        scores = reports / f"metrics/{name}.csv"
        scores.write_text(f"variant,seed\n{name},0\n")
        made = {"path": f"reports/metrics/{name}.csv", "md5": hashlib.md5(scores.read_bytes()).hexdigest()}
        stages[f"evaluate@{name}"] = {"outs": [made]}
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": stages}))
    check_joining(study, "cewl", reports)
    with pytest.raises(StudyError, match=r"began is not a variant"):
        check_joining(study, "began", reports)
    (reports / "training/cewl.json").write_text(json.dumps({"parameters": {}}))
    check_joining(study, "cewl", reports)
    with pytest.raises(StudyError, match="minimax can't join the published scores: cewl have none"):
        check_joining(study, "minimax", reports)
    scores = reports / "metrics/non_saturating.csv"
    scores.write_text("variant,seed\nnon_saturating,1\n")
    with pytest.raises(StudyError, match=r"metrics/non_saturating\.csv is not as the pipeline made it: `git checkout"):
        check_joining(study, "cewl", reports)
    scores.unlink()
    with pytest.raises(StudyError, match="non_saturating have none"):
        check_joining(study, "cewl", reports)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rehearse", "presets/nope.yaml", "x"), "error: there is no presets/nope.yaml; there are presets/load.yaml, "),
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
