"""A second trainer is told who holds the output; stages and workers end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import ROOT

from gan.compute.guards import alone, unchanged
from gan.errors import StudyError
from gan.pipeline import is_alive, pipeline

HOLD = """
import sys, time
from pathlib import Path
from gan.compute.guards import alone
with alone("train-cewl", Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
# A trainer whose worker prints its process id and goes on for long.
POPULATION = """
import os, sys, time
from gan.compute.executors import ProcessExecutor
def work(shared, item, on_progress):
    print(os.getpid(), flush=True)
    time.sleep(600)
if __name__ == "__main__":
    list(ProcessExecutor(1).run(work, [1], None, print))
"""
STAGE = """
import os, time
from gan.pipeline import end_with_pipeline
end_with_pipeline()
print(os.getpid(), flush=True)
time.sleep(600)
"""
STARTER = "import subprocess, sys; subprocess.run([sys.executable, sys.argv[1]])"


@pytest.fixture
def start(tmp_path: Path):
    """Starts a Python file with arguments; returns the process and its first line. They all end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, code: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        path = tmp_path / name
        path.write_text(code)
        command, environment = [sys.executable, str(path), *arguments], {**os.environ, "PYTHONPATH": str(ROOT)}
        printed = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        started.append(subprocess.Popen(command, env=environment, **printed))
        return started[-1], started[-1].stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


def test_a_second_one_is_refused_and_told_by_whom(tmp_path: Path, start: Callable) -> None:
    holder, line = start("hold.py", HOLD, str(tmp_path))
    assert line == "held"
    began = time.monotonic()
    told = rf"^train-cewl is taken by process {holder.pid} on \S+ since 2\S+: wait"
    with pytest.raises(StudyError, match=told), alone("train-cewl", tmp_path):
        pass
    assert time.monotonic() - began < 5
    with alone("train-minimax", tmp_path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with alone("train-cewl", tmp_path):  # nothing is left to tidy up by hand
        pass


def test_a_lock_is_released_when_its_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), alone("x", tmp_path):
        _ = 1 / 0
    with alone("x", tmp_path):
        pass


def test_workers_end_with_their_trainer(start: Callable) -> None:
    trainer, worker = start("population.py", POPULATION)
    trainer.send_signal(signal.SIGKILL)
    assert gone(int(worker))


@pytest.mark.parametrize(("name", "ends"), [("dvc", True), ("make", False)])
def test_a_stage_ends_with_the_dvc_that_started_it(tmp_path: Path, start: Callable, name: str, ends: bool) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    pipeline, stage = start(name, STARTER, str(tmp_path / "stage.py"))
    pipeline.send_signal(signal.SIGKILL)
    try:
        assert gone(int(stage), 10 if ends else 2) == ends
    finally:
        if not ends:
            psutil.Process(int(stage)).kill()


def test_a_stage_is_watched_before_it_imports_what_takes_long() -> None:
    program = (
        "import sys; sys.argv[0] = '-m'; from gan import pipeline;"
        "pipeline.end_with_pipeline = lambda: print('torch' in sys.modules); import stages"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_ancestors_that_the_system_does_not_show_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(process: psutil.Process) -> None:
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil.Process, "parent", denied)
    assert pipeline() is None


def test_a_process_that_vanishes_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def vanished(process: psutil.Process) -> str:
        raise psutil.NoSuchProcess(1)

    assert is_alive(psutil.Process())
    monkeypatch.setattr(psutil.Process, "status", vanished)
    assert not is_alive(psutil.Process())


def test_rules_that_change_meanwhile_are_an_error() -> None:
    rules = ["lr 0.1"]
    with unchanged(lambda: tuple(rules)):
        pass
    with pytest.raises(StudyError, match="has changed meanwhile: run it again"), unchanged(lambda: tuple(rules)):
        rules[0] = "lr 0.2"
