"""Settings of the caller's, folders with odd names, and git's settings: the study comes out bitwise the same."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import ROOT, Pipeline

from gan.files import write

# What each of these leaves in the environment of the programs that it starts.
CALLERS = {
    "a notebook": {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "FORCE_COLOR": "1",
        "CLICOLOR_FORCE": "1",
    },
    "a service account": {"SHELL": "/usr/sbin/nologin", "HOME": "/nonexistent", "USER": "nobody"},
    "a login shell": {"SHELL": "{folder}/loginshell", "BASH_ENV": "{folder}/profile", "ENV": "{folder}/profile"},
    "bash": {"SHELL": "/bin/bash", "BASH_ENV": "{folder}/profile", "BASH_FUNC_python%%": "() { exit 7\n}"},
    "another Python": {"PYTHONHOME": "/usr", "PYTHONPATH": "{folder}/shadow", "PYTHONSAFEPATH": "1"},
    "a developer": {"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "PYTHONDEVMODE": "1", "PYTHONINSPECT": "1"},
    "another locale": {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    "a cluster": {"OMP_PROC_BIND": "true", "OMP_NUM_THREADS": "64", "GOMP_CPU_AFFINITY": "0", "MKL_CBWR": "COMPATIBLE"},
    "a git hook": {"GIT_DIR": "{folder}/none.git", "GIT_WORK_TREE": "{folder}", "GIT_INDEX_FILE": "index"},
    "another make": {"MAKEFLAGS": "n", "MAKELEVEL": "3", "NAME": "WORKSTATION", "DATA": "/data", "HOST": "workstation"},
    "a designer": {"MATPLOTLIBRC": "{folder}/matplotlibrc", "COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
}
LAUNCHER = (sys.executable, "-E", "gan/environment.py")
NAMES = (
    "what?now",
    "a #1 b",
    "50%20off",
    "$HOME & co; (x)",
    "[a]*",
    "it's",
    'the "best": %s',
    "Größe ñ 数",
    "-n",
    "a=b,c",
    "{key}",
)
GIT = (
    {"core.autocrlf": "true"},
    {"core.autocrlf": "input", "core.eol": "crlf"},
    {"core.attributesFile": "{folder}/attributes", "filter.upper.smudge": "tr a-z A-Z"},
)
# These act on Python and DVC only as far as the study's own stages can mend it.
OWN_DVC = ("a notebook", "another locale", "a cluster", "a designer")


def make_anew(study: Pipeline, *stages: str, hostile: dict[str, str], launcher: Sequence[str] = LAUNCHER) -> None:
    """Run stages as make does, in another environment."""
    process = study.start(*launcher, "dvc", "repro", "--force", "--single-item", *stages, env=os.environ | hostile)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed


@pytest.mark.slow
@pytest.mark.fault(
    f"settings inherited from {', '.join(CALLERS)}",
    full=1 + len(CALLERS) + len(OWN_DVC),
    note="none reaches the study",
)
def test_the_callers_settings(
    reported: Pipeline, tmp_path: Path, injection: int, record_property: Callable[[str, object], None]
) -> None:
    """First all of them at once, later ones over earlier ones; the last are met without make, by the user's own dvc."""
    write(tmp_path / "loginshell", '#!/bin/sh\nPATH=/usr/bin:/bin\nexport PATH\nexec /bin/sh "$@"\n')
    (tmp_path / "loginshell").chmod(0o755)
    write(tmp_path / "profile", "export PATH=/usr/bin:/bin\n")
    write(tmp_path / "shadow/numpy.py", "raise ImportError('an older numpy')")
    write(tmp_path / "matplotlibrc", "font.size: 40\nbackend: svg\n")
    callers = [list(CALLERS), *([name] for name in (*CALLERS, *OWN_DVC))][injection]
    launcher = LAUNCHER if injection <= len(CALLERS) else (sys.executable, "-m")
    settings = [setting for caller in callers for setting in CALLERS[caller].items()]
    hostile = {name: value.replace("{folder}", str(tmp_path)) for name, value in settings}
    study = reported.copy(tmp_path / "project")
    make_anew(study, "evaluate@minimax", "report", hostile=hostile, launcher=launcher)
    record_property("identical", study.pages() == reported.pages())
    assert study.pages() == reported.pages()


@pytest.mark.slow
@pytest.mark.fault(
    "a folder whose name means something elsewhere",
    full=len(NAMES),
    note="results, page and MLflow's store as ever, all in that folder",
)
def test_a_folder_with_an_odd_name(
    reported: Pipeline, tmp_path: Path, injection: int, record_property: Callable[[str, object], None]
) -> None:
    study = reported.copy(tmp_path / "above" / NAMES[injection])
    params = study.folder / "params.yaml"
    params.write_text(params.read_text().replace("timeout_seconds: 0.1", "timeout_seconds: 60"))  # MLflow takes part
    make_anew(study, "classify", "report", "track", hostile={})
    record_property("identical", study.pages() == reported.pages())
    assert study.pages() == reported.pages()
    assert (study.folder / "mlflow.db").stat().st_size
    assert list((study.folder / "mlartifacts").rglob("*.png"))
    assert [path.name for path in (tmp_path / "above").iterdir()] == [NAMES[injection]]


@pytest.mark.fault("git's settings rewrite text", full=len(GIT), short=len(GIT), note="a clone has the same bytes")
@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_clone(tmp_path: Path, injection: int, record_property: Callable[[str, object], None]) -> None:
    project, clone = tmp_path / "project", tmp_path / "clone"
    write(project / ".gitattributes", (ROOT / ".gitattributes").read_bytes())
    write(project / "table.csv", "seed,fid\n1,2.5\n$Id$\n")
    write(project / "mixed.md", "one\r\ntwo\n")
    write(tmp_path / "attributes", "* text=auto eol=crlf ident filter=upper\n")
    me = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], [*me, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    settings = [("-c", f"{name}={value}".replace("{folder}", str(tmp_path))) for name, value in GIT[injection].items()]
    subprocess.run(["git", "clone", "-q", *(word for pair in settings for word in pair), project, clone], check=True)
    same = all((project / name).read_bytes() == (clone / name).read_bytes() for name in ("table.csv", "mixed.md"))
    record_property("identical", same)
    assert same
