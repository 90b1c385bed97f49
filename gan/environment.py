"""The study's own environment, in one place: what a shell, a notebook or a service has set must not reach the study.

`python gan/environment.py MODULE [ARGUMENT ...]` runs a module in it. Only the standard library is needed, so that this
works before anything is installed. The Makefile starts everything in this way; a stage that somebody else's `dvc`
starts calls `adopt` before it imports anything that reads the environment.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

# pip's settings that say where packages come from; its others say where they go, or which are taken.
_PIP_SOURCES = (
    "CACHE_DIR|CERT|CLIENT_CERT|CONFIG_FILE|DEFAULT_TIMEOUT|EXTRA_INDEX_URL|FIND_LINKS|INDEX_URL|KEYRING_PROVIDER|"
    "NO_CACHE_DIR|NO_INDEX|PROXY|RETRIES|TIMEOUT|TRUSTED_HOST"
)

# Patterns of whole names.
_UNWANTED = re.compile(
    "|".join(
        [
            # Which code Python runs and how: another standard library, modules that hide ours, warnings as errors.
            "PYTHON(?!UNBUFFERED$|DONTWRITEBYTECODE$|PYCACHEPREFIX$).*",
            # What a shell reads when it starts, and functions that hide programs.
            "ENV|BASH_ENV|BASHOPTS|SHELLOPTS|CDPATH|IFS|BASH_FUNC_.*",
            # Colours where nobody sees them.
            "FORCE_COLOR|CLICOLOR_FORCE|PY_COLORS|TTY_COMPATIBLE|TTY_INTERACTIVE",
            # Styles of figures.
            "MATPLOTLIBRC|MPLBACKEND",
            # Threads, the cores that they are tied to, and kernels with other bits. Each worker has one thread.
            "(OMP|GOMP|KMP|MKL|BLIS|OPENBLAS|NUMEXPR|VECLIB|DNNL|ONEDNN|ATEN)_.*|NUMBA_(?!CACHE_DIR$).*",
            "NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
            # Another repository, as in a git hook; another make, another pytest.
            "GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|NAMESPACE|PREFIX)",
            "MAKE(FLAGS|LEVEL|FILES|OVERRIDES)|MFLAGS|GNUMAKEFLAGS|(PYTEST|RUFF)_.*|MYPYPATH",
            f"PIP_(?!({_PIP_SOURCES})$).*",
        ]
    )
)

_OWN = {
    "SHELL": "/bin/sh",  # DVC runs stages with it; a login shell may refuse, or put another Python first
    "MPLBACKEND": "agg",
    "PYTHONUTF8": "1",  # files are UTF-8 whatever the locale
    "PYTHONNOUSERSITE": "1",
    "DVC_NO_ANALYTICS": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def own(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of the study's processes, made from the inherited one; `python` is this very Python."""
    kept = {name: value for name, value in inherited.items() if not _UNWANTED.fullmatch(name)}
    here = str(Path(sys.executable).parent)
    places = [place for place in kept.get("PATH", os.defpath).split(os.pathsep) if place != here]
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return (
        kept
        | _OWN
        | {
            "PATH": os.pathsep.join([here, *places]),
            "PYTHONIOENCODING": f"{encoding}:replace",  # a terminal shows ? for what it lacks, instead of an error
        }
    )


def adopt() -> None:
    """Make the study's environment that of this process, which must not have imported what reads it."""
    settled = own(os.environ)
    for name in os.environ.keys() - settled.keys():
        del os.environ[name]
    os.environ.update(settled)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    os.execve(sys.executable, [sys.executable, "-m", *sys.argv[1:]], own(os.environ))
