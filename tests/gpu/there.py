"""Bring the tests for a GPU, and the benchmark, to a machine that has one.

    python tests/gpu/there.py pack 3.12   here: what such a machine's Python may lack, into .scratch/gpu-packages
    python tests/gpu/there.py run OUT     there: tests/gpu, then the benchmark; its entry goes to OUT/benchmark.json

That machine needs Python 3.11 or newer with torch, torchvision, pandas and scipy. It needs neither DVC nor MLflow nor a
network if the images are in data/ or in a mirror that is a folder. It gets this folder, .scratch/gpu-packages
included; where the project's own environment is whole, nothing has to be packed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKED = ROOT / ".scratch/gpu-packages"
# What training, scoring, the benchmark and the tests import, besides torch, torchvision, pandas and scipy.
PACKAGES = [
    "annotated-doc",
    "annotated-types",
    "certifi",
    "charset-normalizer",
    "filelock",
    "hypothesis",
    "idna",
    "iniconfig",
    "markdown-it-py",
    "mdurl",
    "packaging",
    "pluggy",
    "psutil",
    "pydantic",
    "pydantic-core",
    "pygments",
    "pytest",
    "requests",
    "rich",
    "ruamel-yaml",
    "safetensors",
    "shellingham",
    "sortedcontainers",
    "typer",
    "typing-extensions",
    "typing-inspection",
    "urllib3",
]
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def pack(version: str) -> None:
    """Unpack the locked packages for another machine's Python into a folder."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    locked = [line for line in lines if line.partition("==")[0].strip() in PACKAGES]
    PACKED.parent.mkdir(exist_ok=True)
    wanted = PACKED.with_suffix(".txt")
    wanted.write_text("\n".join(locked), encoding="utf-8")
    platforms = [f"--platform={name}" for name in PLATFORMS]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    shutil.rmtree(PACKED, ignore_errors=True)
    subprocess.run([*pip, *platforms, f"--python-version={version}", f"--target={PACKED}", "-r", wanted], check=True)


def run(out: Path) -> int:
    """Run the tests and the benchmark; the first exit status that is not 0, or 0."""
    paths = [str(ROOT), *([str(PACKED)] if PACKED.exists() else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}

    def python(*arguments: str) -> int:
        return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment).returncode

    # Other versions of libraries may warn of what these know nothing of.
    tested = python("-m", "pytest", "-W", "default", "tests/gpu", "-m", "not slow")
    measured = 0 if (ROOT / "data").exists() else python("-m", "stages.download")
    measured = measured or python("-m", "gan", "bench")
    if not measured:
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "reports/benchmark.json", out)
    return tested or measured


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pack", version]:
            pack(version)
        case ["run", folder]:
            sys.exit(run(Path(folder)))
        case _:
            sys.exit(__doc__)
