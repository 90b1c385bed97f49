"""A process's share of its machine: cores and memory, as control groups of both versions and their parents limit it."""

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from gan import machine
from gan.files import write

GIB = 2**30
FREE = 40 * GIB


@pytest.fixture(autouse=True)
def _a_large_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "AFFINITY", frozenset(range(64)))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=FREE))


def system(folder: Path, cgroup: str, mounts: list[tuple[str, str, str, str]], files: dict[str, str]) -> Path:
    """A /proc/self whose `mounts` (root, place, kind, options) are in `folder`, where `files` lie."""
    for name, content in files.items():
        write(folder / name, content)
    places = [str(folder / place).replace(" ", r"\040") for _, place, _, _ in mounts]
    lines = [
        f"30 24 0:26 {root} {place} rw,nosuid shared:9 - {kind} none {options}"
        for (root, _, kind, options), place in zip(mounts, places, strict=True)
    ]
    write(folder / "proc/cgroup", cgroup)
    others = [
        "24 1 8:1 / / rw - ext4 /dev/sda rw",
        "25 1 8:1 / /no source rw - tmpfs  rw",
        "26 1 8:1 / /caf\udce9 rw - vfat x rw",
    ]
    content = "\n".join([*others, *lines]) + "\n"
    write(folder / "proc/mountinfo", content.encode(errors="surrogateescape"))
    return folder / "proc"


V2 = [("/", "cgroup", "cgroup2", "rw")]
V1 = [("/", "cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"), ("/", "cgroup/memory", "cgroup", "rw,memory")]
V1_GROUP = "5:memory:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/x\n"


@pytest.mark.parametrize(
    ("cgroup", "mounts", "files", "cores"),
    [
        ("0::/\n", V2, {"cgroup/cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", V2, {"cgroup/cpu.max": "max 100000\n"}, 64),
        ("0::/\n", V2, {"cgroup/cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", V2, {"cgroup/cpu.max": "10000 100000\n"}, 1),
        ("0::/a/b\n", V2, {"cgroup/a/b/cpu.max": "max 100000", "cgroup/a/cpu.max": "300000 100000"}, 3),
        ("0::/a/b\n", V2, {"cgroup/a/b/cpu.max": "500000 100000", "cgroup/a/cpu.max": "300000 100000"}, 3),
        # In a container the group is the mount's root, and its path may be that outside.
        ("0::/docker/x\n", [("/docker/x", "cgroup", "cgroup2", "rw")], {"cgroup/cpu.max": "400000 100000"}, 4),
        ("0::/../other\n", V2, {"cgroup/cpu.max": "400000 100000"}, 4),
        ("0::/elsewhere\n", [("/docker/x", "cgroup", "cgroup2", "rw")], {"cgroup/cpu.max": "400000 100000"}, 4),
        (
            V1_GROUP,
            V1,
            {"cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "100000", "cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "50000"},
            2,
        ),
        (
            V1_GROUP,
            V1,
            {"cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "-1", "cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "50000"},
            64,
        ),
        # Both versions, of which the second has no processors to share out.
        (
            V1_GROUP + "0::/job\n",
            [*V1, ("/", "cgroup/unified", "cgroup2", "rw")],
            {"cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000", "cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000"},
            3,
        ),
        ("0::/\n", [("/", "a place/cgroup", "cgroup2", "rw")], {"a place/cgroup/cpu.max": "200000 100000"}, 2),
        ("0::/\n", V2, {"cgroup/cpu.max": "many"}, 64),
        ("0::/\n", [("/", "disk", "ext4", ""), *V2], {"cgroup/cpu.max": "200000 100000"}, 2),
    ],
)
def test_a_quota_bounds_the_cores(
    tmp_path: Path, cgroup: str, mounts: list[tuple[str, str, str, str]], files: dict[str, str], cores: int
) -> None:
    assert machine.cores(system(tmp_path, cgroup, mounts, files)) == cores


@pytest.mark.parametrize(
    ("cgroup", "mounts", "files", "free"),
    [
        ("0::/\n", V2, {"memory.max": f"{4 * GIB}", "memory.current": f"{3 * GIB}"}, 1),
        ("0::/\n", V2, {"memory.max": f"{4 * GIB}", "memory.current": f"{3 * GIB}", "cache": f"{2 * GIB}"}, 3),
        ("0::/\n", V2, {"memory.max": "max", "memory.current": f"{3 * GIB}"}, 40),
        ("0::/\n", V2, {"memory.max": f"{4 * GIB}", "memory.current": f"{5 * GIB}"}, 0),
        (V1_GROUP, V1, {"memory.limit_in_bytes": f"{8 * GIB}", "memory.usage_in_bytes": f"{GIB}"}, 7),
        (V1_GROUP, V1, {"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": f"{GIB}"}, 40),
    ],
)
def test_a_limit_bounds_the_memory(
    tmp_path: Path, cgroup: str, mounts: list[tuple[str, str, str, str]], files: dict[str, str], free: int
) -> None:
    cache = files.pop("cache", "0") if "cache" in files else "0"
    group = "cgroup" if mounts is V2 else "cgroup/memory/job"
    named = {f"{group}/{name}": content for name, content in files.items()}
    name = "inactive_file" if mounts is V2 else "total_inactive_file"
    proc = system(tmp_path, cgroup, mounts, named | {f"{group}/memory.stat": f"anon 7\n{name} {cache}\n"})
    assert machine.free_memory(proc) == free * GIB


def test_another_system_has_all_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "AFFINITY", None)
    assert machine.cores(tmp_path / "none") == os.cpu_count()
    assert machine.free_memory(tmp_path / "none") == FREE
    machine.restore_affinity(None)
