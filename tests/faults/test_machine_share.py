"""Threads that are tied to a core, file systems without locks, folders for temporary files that will not do."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from gan.compute.executors import ProcessExecutor, ProgressCallback
from gan.errors import StudyError
from gan.files import write

# Without gan/environment.py, which would drop these settings before anything reads them.
SHARE = """
import json, os
from gan import machine
from gan.compute.executors import ProcessExecutor
def work(shared, item, on_progress):
    import torch
    return sorted(os.sched_getaffinity(0)), torch.get_num_threads()
if __name__ == "__main__":
    used = list(ProcessExecutor(machine.cores()).run(work, range(2), None, print))
    print(json.dumps([machine.cores(), used]))
"""
TIED = (
    {"OMP_PROC_BIND": "true"},
    {"GOMP_CPU_AFFINITY": "0"},
    {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"},
    {"OMP_PROC_BIND": "true", "OMP_NUM_THREADS": "1"},
)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a system that ties processes to cores")
@pytest.mark.fault(
    "threads tied to one core, or a job to some",
    full=len(TIED) + 1,
    note="each worker runs on all cores of the job, with one thread",
)
def test_workers_use_the_cores_of_the_job(tmp_path: Path, injection: int) -> None:
    """In the last the whole job has one core, on purpose."""
    write(tmp_path / "share.py", SHARE)
    settings = (*TIED, {})[injection]
    cores = sorted(os.sched_getaffinity(0))[: 1 if injection == len(TIED) else None]
    printed = subprocess.run(
        [sys.executable, tmp_path / "share.py"],
        env=os.environ | settings | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        capture_output=True,
        check=True,
    )
    count, used = json.loads(printed.stdout)
    assert count <= len(cores)
    assert used == [[cores, 1]] * 2


HOLD = """
import sys, time
from pathlib import Path
from gan.compute.guards import alone, has_locks
assert not has_locks(Path(sys.argv[1]))
with alone("train-cewl", Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
NO_LOCKS = "#include <errno.h>\nint flock(int file, int operation) { errno = %s; return -1; }\n"
ERRORS = ("ENOSYS", "ENOLCK", "EOPNOTSUPP")
LEFT = ("nothing", "a lock file of another file system", "the lock of a killed process")


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@pytest.mark.fault(
    "a file system without locks, after " + ", ".join(LEFT),
    full=len(ERRORS) * len(LEFT),
    note="one trainer at a time, the second is told; nothing left over is in the way",
)
def test_without_locks_on_files(tmp_path: Path, injection: int) -> None:
    write(tmp_path / "flock.c", NO_LOCKS % ERRORS[injection % len(ERRORS)])
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "flock.so", "flock.c"], cwd=tmp_path, check=True)
    write(tmp_path / "hold.py", HOLD)
    folder = tmp_path / "locks"
    folder.mkdir()
    started = []

    def hold() -> tuple[subprocess.Popen[str], str]:
        started.append(
            subprocess.Popen(
                [sys.executable, tmp_path / "hold.py", folder],
                env=os.environ | {"LD_PRELOAD": str(tmp_path / "flock.so"), "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
            )
        )
        stdout = started[-1].stdout
        assert stdout
        return started[-1], stdout.readline()

    try:
        left = LEFT[injection // len(ERRORS)]
        if left == LEFT[1]:
            write(folder / "train-cewl.lock", "")
        if left == LEFT[2]:
            killed, line = hold()
            assert line == "held\n"
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        first, line = hold()
        assert line == "held\n"
        second, _ = hold()
        printed, _ = second.communicate()
        assert f"train-cewl is taken by process {first.pid} on" in printed
        assert "remove it if that has ended" in printed
    finally:
        for process in started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def one(shared: object, item: int, on_progress: ProgressCallback) -> int:
    return item


PLACES: dict[str, Callable[[Path], Path]] = {
    "too long for a socket": lambda folder: folder / ("x" * 60) / ("y" * 60),
    "missing": lambda folder: folder / "missing",
    "a file": lambda folder: folder / "file",
}


@pytest.mark.fault(
    f"a TMPDIR that is {', '.join(PLACES)}",
    full=len(PLACES),
    note="one line names it before the work begins, or the system's own folder is taken",
)
def test_a_folder_for_temporary_files_that_will_not_do(
    tmp_path: Path, injection: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "file", "")
    place = list(PLACES.values())[injection](tmp_path)
    if injection == 0:
        place.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    if injection:
        assert list(ProcessExecutor(1).run(one, [7], None, print)) == [7]
        return
    with pytest.raises(StudyError, match=rf"^TMPDIR is too long .*: {len(str(place))} bytes of at most 75; .*=/tmp$"):
        list(ProcessExecutor(1).run(one, [7], None, print))
