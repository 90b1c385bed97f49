"""Starting Python with a CUDA runtime that has no GPU behind it, and what such a process can ask of it.

`runtime.cpp` says what the runtime does. It shows mixed devices, values read by the host inside a capture, random
numbers drawn there, streams that are not joined, leaks, what a recorded step consists of. It can't show values (kernels
do nothing, memory is zeroed), the equality of bits, or speed.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import torch

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
COMPILERS = ("g++", "gcc")
# With what each needs in the environment; neighbours that need the same share a process.
CHECKS: dict[str, dict[str, str]] = {
    "check_training.py": {},
    "check_plants.py": {},
    "check_stages.py": {},
    "check_scores.py": {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
    "check_gpus.py": {"FAKE_CUDA_DEVICES": "2"},
}


def headers() -> list[Path]:
    """Folders with CUDA's headers: those that came with torch, then those of an installed toolkit."""
    site = Path(sysconfig.get_paths()["purelib"])
    folders = [*site.glob("nvidia/*/include"), *Path("/usr/local").glob("cuda*/include")]
    found = any((folder / "cuda_runtime_api.h").exists() for folder in folders)
    return folders if found else []


def missing() -> str:
    """What this machine lacks to build the runtime; empty if nothing."""
    if compilers := [name for name in COMPILERS if not shutil.which(name)]:
        return f"{' and '.join(compilers)} to build it"
    return "" if headers() and torch.version.cuda else "a torch with CUDA and its headers"


def build(folder: Path) -> None:
    """Compile the runtime and the driver into `folder`, if they are not there or older than their source."""
    folder.mkdir(parents=True, exist_ok=True)
    includes = [f"-I{path}" for path in headers()]
    for source, library, command in (
        ("runtime.cpp", "libfakecuda.so", ["g++", "-O1", "-std=c++17", *includes]),
        ("driver.c", "libcuda.so.1", ["gcc", "-Wl,-soname,libcuda.so.1"]),
    ):
        made = folder / library
        if not made.exists() or made.stat().st_mtime < (HERE / source).stat().st_mtime:
            command += ["-shared", "-fPIC", "-w", HERE / source, "-o", made]
            subprocess.run(command, check=True)


def check(options: Sequence[str], checks: Sequence[str] = tuple(CHECKS)) -> int:
    """Build the runtime and let pytest run these checks on it; the first exit status that is not 0, or 0."""
    folder = ROOT / ".scratch/fake-cuda" / torch.__version__
    build(folder)
    preloaded = {"LD_LIBRARY_PATH": str(folder), "LD_PRELOAD": str(folder / "libfakecuda.so")}
    pytest = [sys.executable, "-m", "pytest", "-p", "gpu.fake.plugin", *options]
    statuses = []
    for settings, names in groupby(checks, CHECKS.__getitem__):
        files = [str(HERE / name) for name in names]
        environment = {**os.environ, **preloaded, **settings}
        statuses.append(subprocess.run([*pytest, *files], cwd=ROOT, env=environment).returncode)
    return next((status for status in statuses if status), 0)


def count(name: str) -> int:
    """What the runtime under this process has counted: faults, captures, replays, launches, product_streams."""
    library = ctypes.CDLL(None)
    library.fake_cuda_count.restype = ctypes.c_long
    return int(library.fake_cuda_count(name.encode()))


def forgive() -> int:
    """How many faults have been made, and forget them and any capture that they have left unfinished."""
    library = ctypes.CDLL(None)
    library.fake_cuda_forgive.restype = ctypes.c_long
    return int(library.fake_cuda_forgive())


def last_graph() -> dict[str, int]:
    """How many nodes of each kind the last recorded graph has."""
    text = ctypes.create_string_buffer(1 << 20)
    ctypes.CDLL(None).fake_cuda_last_graph(text, ctypes.c_long(len(text)))
    lines = (line.split("\t", 1) for line in text.value.decode().splitlines())
    return {kind: int(number) for number, kind in lines}
