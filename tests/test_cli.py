"""The command line: quick to answer, one line for what is wrong, verdicts as in the files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from gan import verdict
from gan.errors import StudyError


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
    contrast = {"id": "H1", "declared": True, "verdict": "refuted", "text": "A is better.", "reason": "It is [not]."}
    summary = {"n": 9, "failed": 2, "mean": 12.345, "low": 10.0, "high": None}
    comparison = {
        "metric": "fid",
        "ranking": ["mine"],
        "variants": {"mine": summary},
        "contrasts": [contrast],
        "untested": [{"id": "H2", "missing": ["gone"]}],
    }
    (tmp_path / "comparison.json").write_text(json.dumps(comparison))
    verdict.show(tmp_path)
    printed = capsys.readouterr().out
    for part in ("mine", "12.3", "10 – –", "refuted", "It is [not].", "H2 not tested: no data for gone", "report.html"):
        assert part in printed


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="run `make study` first"):
        verdict.show(tmp_path)
