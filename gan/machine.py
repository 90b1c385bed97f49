"""What this machine is, and how much of it is this process's: cores, by affinity and a container's quota, and memory.

It is imported before any library that ties a process to a core or looks at the processor. Linux limits groups of
processes (control groups) in two versions: https://docs.kernel.org/admin-guide/cgroup-v1/ and
https://docs.kernel.org/admin-guide/cgroup-v2.html.
"""

import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

AFFINITY = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
"""The cores that this process was started on; None where the system has no such thing."""

# oneDNN may not use instructions for bfloat16: gan.training.arithmetic then gets float32 products from it.
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE"

_PROC = Path("/proc/self")
_CPUINFO = Path("/proc/cpuinfo")


def cores(proc: Path = _PROC) -> int:
    """The cores that are this process's: those that it was started on, but no more than its container's share.

    A share of 1.5 cores counts as two: two processes then use all of it, each for three quarters of the time.
    """
    count = len(AFFINITY) if AFFINITY else os.cpu_count() or 1
    return min([count, *(max(1, math.ceil(share)) for share in _shares(proc))])


def processor(cpuinfo: Path = _CPUINFO) -> dict[str, str]:
    """What Linux says of the first processor: `vendor_id`, `cpu family`, `model name`, `flags` and more, if it does."""
    known: dict[str, str] = {}
    for line in _lines(cpuinfo):
        name, _, value = line.partition(":")
        known.setdefault(name.strip(), value.strip())
    return known


def restore_affinity(cores: frozenset[int] | None) -> None:
    """Let this process run on these cores again: OpenMP may have tied it to one when it was loaded."""
    if cores is not None:
        with suppress(OSError):  # some of them have been taken away since
            os.sched_setaffinity(0, cores)


def free_memory(proc: Path = _PROC) -> int:
    """Bytes that this process and its children may still take, by the machine and by the limits of its container."""
    import psutil  # the rest needs the standard library alone

    return max(0, min([psutil.virtual_memory().available, *_free_of_limits(proc)]))


def _shares(proc: Path) -> Iterator[float]:
    for folder in _groups(proc, "cpu"):
        with suppress(OSError, ValueError):  # without a limit the file is missing or says max
            quota, period = map(int, (folder / "cpu.max").read_text(encoding="utf-8").split())
            yield quota / period
        with suppress(OSError, ValueError):
            quota, period = (_number(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
            if quota > 0:  # -1 is no limit
                yield quota / period


def _free_of_limits(proc: Path) -> Iterator[int]:
    for folder in _groups(proc, "memory"):
        for limit, used in (("max", "current"), ("limit_in_bytes", "usage_in_bytes")):
            with suppress(OSError, ValueError):
                yield _number(folder / f"memory.{limit}") - _number(folder / f"memory.{used}") + _cache(folder)


def _cache(folder: Path) -> int:
    """Bytes of files that are kept in memory and given up when it is needed."""
    lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
    known = dict(line.split() for line in lines)
    return int(known.get("total_inactive_file", known.get("inactive_file", 0)))


def _number(path: Path) -> int:
    return int(path.read_text(encoding="utf-8"))


def _groups(proc: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's groups that may limit `controller`, each with all above it."""
    own: dict[str, Path] = {}
    for line in _lines(proc / "cgroup"):
        _, controllers, group = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), Path(group))  # version 2 names none
    for line in _lines(proc / "mountinfo"):
        before, _, after = line.partition(" - ")
        root, mount = (Path(re.sub(r"\\([0-7]{3})", _unescaped, field)) for field in before.split()[3:5])
        kind, _, options = after.split(" ", 2)
        names = {"cgroup": set(options.split(",")) & {controller}, "cgroup2": {""}}.get(kind, set())
        for path in (own[name] for name in names & own.keys()):
            # In a container the group's path may be that outside; then the mount itself is the group.
            inside = path.relative_to(root) if path.is_relative_to(root) else Path()
            for folder in (mount / inside, *(mount / inside).parents):
                if folder.is_relative_to(mount):
                    yield folder


def _lines(path: Path) -> list[str]:
    """The lines of a file of the system's; none where the system has no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []


def _unescaped(code: re.Match[str]) -> str:
    return chr(int(code[1], 8))
