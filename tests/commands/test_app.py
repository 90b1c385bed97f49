"""The command line: it answers quickly, reports an error in one line, and prints the verdicts of the files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from typer.testing import CliRunner, Result

from gan.commands.app import app
from gan.errors import StudyError
from gan.reproduction.record import Machine, ReproducedVariant, ReproducedVerdict, Reproduction
from gan.study.loading import load_study


def gan(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command, environment = [sys.executable, "-m", "gan", *arguments], {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def refusal(folder: Path, *arguments: str) -> str:
    """What a command prints on stderr when it refuses to run."""
    ended = gan(*arguments, cwd=folder)
    assert ended.returncode == 1
    return ended.stderr


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "pandas", "mlflow", "pydantic")
    program = f"import sys, gan.commands.app; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
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
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: memory is full: set compute.workers or compute.population lower")
    assert result.stderr.count("\n") == 1


def test_the_projects_params_pass() -> None:
    result = gan("check", cwd=ROOT)
    assert result.returncode == 0
    assert "params.yaml is valid" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("run-preset", "presets/nope.yaml", "x"),
            "error: there is no presets/nope.yaml; there are presets/",
        ),
        (("power", "nowhere"), "error: nowhere/metrics has no scores: run `make pilot` first"),
        (("verdict", "nowhere"), "error: nowhere/comparison.json is missing"),
    ],
)
def test_what_is_missing_is_named_in_one_line(arguments: tuple[str, ...], told: str) -> None:
    printed = refusal(ROOT, *arguments)
    assert printed.startswith(told)
    assert printed.count("\n") == 1


def test_an_unknown_name_ends_a_command_before_anything_runs(
    raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path]
) -> None:
    raw_params["compare"]["hypotheses"][0]["variant"] = "cewll"
    folder = write_params(raw_params).parent
    for command in ("check", "study"):
        assert refusal(folder, command) == (
            "error: params.yaml: compare.hypotheses, H1, variant: cewll is unknown: did you mean cewl?\n"
        )
    del raw_params["compare"]["hypotheses"][0]
    raw_params["baseline"]["objective"] = "minmax"
    write_params(raw_params)
    assert refusal(folder, "check") == (
        "error: params.yaml: baseline.objective: minmax is unknown: did you mean minimax?\n"
    )
    raw_params["baseline"]["objective"] = "minimax"
    write_params(raw_params)
    for arguments in (("check", "--joining", "cewll"), ("variant", "cewll")):
        assert refusal(folder, *arguments) == "error: params.yaml, variants: cewll is unknown: did you mean cewl?\n"
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]


def make_ui(folder: Path, tracking: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make ui` with a python that runs `tracking` in the shell for stages.track, and prints its other arguments."""
    python = f'#!/bin/sh\ncase "$*" in *stages.track*) {tracking};; *) echo "$@";; esac\n'
    (folder / "python").write_text(python, encoding="utf-8")
    (folder / "python").chmod(0o755)
    command = ["make", "--silent", "--assume-old=.venv/ready", "ui", f"BIN={folder}", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HOST": "this-machine"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)


def test_without_mlflow_no_page_is_served(tmp_path: Path) -> None:
    ended = make_ui(tmp_path, "echo error: no server answers >&2; exit 1")
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: no server answers\nmake: ")


@pytest.mark.parametrize(("arguments", "host"), [((), "127.0.0.1"), (("HOST=0.0.0.0",), "0.0.0.0")])
def test_the_runs_are_served_to_this_machine_alone_unless_told_otherwise(
    tmp_path: Path, arguments: tuple[str, ...], host: str
) -> None:
    """tests/tracking/test_page.py has what is served."""
    ended = make_ui(tmp_path, ":", *arguments)
    assert ended.returncode == 0
    assert f"gan ui --host {host} --port 5000 --allowed" in ended.stdout


def test_a_pilot_may_not_use_the_studys_seeds(tmp_path: Path) -> None:
    seed = load_study(ROOT / "params.yaml").baseline.seeds[0]
    (tmp_path / "metrics").mkdir()
    columns = "variant,data,seed,epoch,averaged,status,fid,coverage,digits,failed_epoch,failure,key"
    (tmp_path / "metrics/any.csv").write_text(f"{columns}\nany,mnist,{seed},20,20,finished,400,0.1,9,,,1e5\n")
    assert refusal(ROOT, "power", str(tmp_path)) == (
        f"error: seed {seed} is the study's own: a pilot's seeds must be others\n"
    )


def answer(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("report", "nowhere"), "nowhere/report.html is missing: run `make study` first"),
        (("reproduced", "nowhere", "--reports", "there"), "there has no comparison.json: run `make study` first"),
        (("power",), "name the folder of a pilot's reports, or --effect or --margin with --sd"),
        (("power", "--effect", "0.9"), "--effect and --margin need --sd"),
        (("compare", "cewl", "minimax", "--reports", "nowhere"), "nowhere has no scores of cewl"),
    ],
)
def test_what_a_command_lacks_is_an_error_of_the_users(
    arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`errors.run` makes one line of it."""
    monkeypatch.chdir(ROOT)
    ended = answer(*arguments).exception
    assert isinstance(ended, StudyError)
    assert str(ended).startswith(told)
    assert "\n" not in str(ended)


def test_a_misspelt_command_is_told_the_nearest_one() -> None:
    refused = answer("compar", "a", "b")
    assert refused.exit_code == 2
    assert "Did you mean 'compare'?" in refused.output


def test_every_command_stands_in_a_panel_and_says_what_it_does() -> None:
    printed = answer("--help").output
    for panel in ("Run", "Look at results", "Prepare and check"):
        assert f"─ {panel} ─" in printed
    assert "─ Commands ─" not in printed
    assert "--install-completion" in printed
    assert answer("--version").output.startswith("gan ")


def test_power_for_an_effect_and_a_margin_is_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    printed = answer("power", "--effect", "0.9", "--margin", "1.1", "--sd", "0.1").output.splitlines()
    assert [line.partition(":")[0] for line in printed] == ["a true ratio of 0.9", "equality within 1.1"]
    assert all(" seeds (power 0.8, alpha 0.05, sd 0.1)" in line for line in printed)


@pytest.mark.parametrize(("again", "equal", "status"), [(True, True, 0), (True, False, 1), (False, True, 1)])
def test_the_exit_status_says_whether_it_was_reproduced(
    monkeypatch: pytest.MonkeyPatch, again: bool, equal: bool, status: int
) -> None:
    outcome = "not run again" if not again else "bitwise equal" if equal else "different"
    machine = Machine("A processor, 2 cores", "float32", "2.15")
    variant = ReproducedVariant("a", outcome, 3, 1.0, 1.0, 1.0, None, 0, 0, "why")
    verdicts = [ReproducedVerdict("H1", "supported", "supported", again)]
    record = Reproduction("HEAD (abc)", machine, machine, True, 1.1, [variant], [], verdicts, status == 0)
    monkeypatch.setattr("gan.commands.reproduced.reproduced", lambda *_: record)
    told = answer("reproduced")
    assert told.exit_code == status
    assert ("nothing was run again here" in told.output) != again
    assert json.loads(answer("reproduced", "--json").output)["variants"][0]["outcome"] == outcome


def test_without_a_desktop_the_reports_place_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "report.html").touch()
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert answer("report", str(tmp_path)).output == f"{tmp_path / 'report.html'}\n"
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    answer("report", str(tmp_path))
    assert opened == [(tmp_path / "report.html").as_uri()]


def test_a_new_variants_answer_comes_first(
    raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_params(raw_params).parent)
    told: list[str] = []
    monkeypatch.setattr("gan.commands.study.join_variant", lambda study, name: told.append(f"run {name}"))
    monkeypatch.setattr("gan.reporting.terminal.show_variant", lambda *it: told.append(f"answer {it[1]} {it[2]}"))
    monkeypatch.setattr("gan.reporting.terminal.show", lambda reports, rehearsal: told.append("verdict"))
    assert answer("variant", "cewl").exit_code == 0
    assert told == ["run cewl", f"answer cewl {raw_params['compare']['reference']}", "verdict"]
