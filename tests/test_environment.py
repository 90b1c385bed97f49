"""What the caller's environment has set does not reach the study, and make takes no variable from it by accident."""

import json
import os
import re
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from conftest import ROOT

from gan.environment import adopt, own
from gan.files import write

MAKE = ["make", "--old-file", ".venv/ready"]
LAUNCHER = [sys.executable, "-E", str(ROOT / "gan/environment.py")]


def make(*arguments: str, **hostile: str) -> subprocess.CompletedProcess[str]:
    command = [*MAKE, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=own(os.environ) | hostile, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize(
    "name",
    [
        *("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONSTARTUP"),
        *("BASH_ENV", "ENV", "BASH_FUNC_python%%", "FORCE_COLOR", "CLICOLOR_FORCE", "MATPLOTLIBRC"),
        *("OMP_PROC_BIND", "OMP_NUM_THREADS", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "MKL_CBWR", "ATEN_CPU_CAPABILITY"),
        *("GIT_DIR", "GIT_INDEX_FILE", "MAKEFLAGS", "PYTEST_ADDOPTS", "PIP_USER", "PIP_TARGET", "PIP_NO_DEPS"),
    ],
)
def test_what_would_change_the_study_is_dropped(name: str) -> None:
    assert name not in own({name: "1"})


@pytest.mark.parametrize(
    "name",
    [
        *("HOME", "LANG", "TMPDIR", "CUDA_VISIBLE_DEVICES", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", "HTTPS_PROXY"),
        *("PIP_INDEX_URL", "PIP_CERT", "PIP_CONFIG_FILE", "PYTHONUNBUFFERED", "GIT_SSH", "DVC_STAGE", "VIRTUAL_ENV"),
    ],
)
def test_what_users_set_on_purpose_is_kept(name: str) -> None:
    assert own({name: "1"})[name] == "1"


def test_a_second_time_changes_nothing() -> None:
    once = own(os.environ | {"SHELL": "/usr/sbin/nologin", "MPLBACKEND": "module://x"})
    assert own(once) == once
    assert once["SHELL"] == "/bin/sh"
    assert once["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_a_terminal_that_lacks_a_character_shows_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="ascii"))
    adopt()
    print("389 – 412")
    sys.stdout.flush()
    assert written.getvalue() == b"389 ? 412\n"


def test_a_module_runs_whatever_python_was_told(tmp_path: Path) -> None:
    write(tmp_path / "shadow/json.py", "raise ImportError('an older json')")
    write(tmp_path / "probe.py", "import json, os, sys; print(json.dumps([sys.argv[1:], sys.flags.utf8_mode]))")
    hostile = {"PYTHONHOME": "/nowhere", "PYTHONPATH": str(tmp_path / "shadow"), "PYTHONSAFEPATH": "1"}
    printed = subprocess.run(
        [*LAUNCHER, "probe", "a word"], cwd=tmp_path, env=os.environ | hostile, capture_output=True, check=True
    )
    assert json.loads(printed.stdout) == [["a word"], 1]


def test_make_takes_its_variables_from_its_own_command_line() -> None:
    hostile = {
        "DATA": "/data",
        "HOST": "workstation",
        "PORT": "http",
        "PYTHON": "python2",
        "ALLOWED": "x",
        "BIN": "/bin",
    }
    assert "presets/quick-digits.yaml .scratch/quick-digits" in make("-n", "quick", **hostile).stdout
    assert '--host "127.0.0.1" --port "5000" --allowed ""' in make("-n", "ui", **hostile).stdout
    assert "presets/quick-mnist.yaml" in make("-n", "quick", "DATA=mnist").stdout
    refused = make("variant", NAME="WORKSTATION")
    assert refused.returncode != 0
    assert "error: name a variant" in refused.stderr


def test_make_runs_no_script_whose_first_line_names_the_folder_that_it_was_made_in() -> None:
    """So that a project may be moved with its environment."""
    targets = re.findall(r"^([a-z-]+): \.venv/ready", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(targets) > 8
    printed = make("-n", *targets, NAME="x").stdout
    programs = set(re.findall(r"(?<!-E )\.venv/bin/\S+", printed))
    assert programs == {".venv/bin/python"}


BACKEND = """
import zipfile
from pathlib import Path
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "gan-0.1-py3-none-any.whl"
    info = {
        "METADATA": "Metadata-Version: 2.1\\nName: gan\\nVersion: 0.1\\n",
        "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr("gan.pth", str(Path.cwd()))
        for file, text in info.items():
            wheel.writestr(f"gan-0.1.dist-info/{file}", text)
    return name
"""


@pytest.mark.slow
@pytest.mark.parametrize("settings", ["environment", "file"])
def test_the_environment_is_made_in_its_folder_whatever_pip_was_told(settings: str, tmp_path: Path) -> None:
    """A project with this Makefile and no dependencies."""
    project, home = tmp_path / "project", tmp_path / "home"
    home.mkdir()
    write(project / "Makefile", (ROOT / "Makefile").read_bytes())
    write(project / "gan/environment.py", (ROOT / "gan/environment.py").read_bytes())
    write(project / "requirements.lock", "")
    write(project / "backend.py", BACKEND)
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    write(project / "pyproject.toml", f'{system}[project]\nname = "gan"\nversion = "0.1"\n')
    elsewhere = {"user": "1", "target": str(home / "target"), "prefix": str(home / "prefix"), "no-index": "1"}
    if settings == "environment":
        hostile = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in elsewhere.items()}
    else:
        write(home / "pip.conf", "\n".join(["[global]", *(f"{name} = {value}" for name, value in elsewhere.items())]))
        hostile = {"PIP_CONFIG_FILE": str(home / "pip.conf")}
    hostile |= {"HOME": str(home), "PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"}
    python = f"PYTHON={sys.base_prefix}/bin/python3"
    made = subprocess.run(
        ["make", ".venv/ready", python], cwd=project, env=os.environ | hostile, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr.decode(errors="replace")
    assert list(project.glob(".venv/lib/python3*/site-packages/gan.pth"))
    assert not {"target", "prefix", ".local"} & {path.name for path in home.iterdir()}
