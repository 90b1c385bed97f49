"""Guards of a stage: only one trainer works on an output, and its parameters and code stay the same until it ends."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from gan.errors import StudyError
from gan.files import read_json, write_json

LOCK_SECONDS = 2.0  # how long to wait for a process that may just be ending


@contextmanager
def alone(name: str, folder: Path = Path(".work/locks")) -> Iterator[None]:
    """Hold the lock of that name in `folder`; StudyError within seconds, naming the holder, if another process has it.

    When a process ends, in whatever way, the system releases its lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / f"{name}.json"
    lock = FileLock(folder / f"{name}.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise StudyError(f"{name} is taken by {_describe(holder)}: wait until it is done, or stop it") from None
    try:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(holder, {"process": os.getpid(), "machine": socket.gethostname(), "since": now})
        yield
    finally:
        lock.release()


@contextmanager
def unchanged(rules: Callable[[], object]) -> Iterator[None]:
    """StudyError if `rules()` returns something else at the end than at the start.

    DVC records a stage's parameters and code when the stage ends, so it would take the result for that of the new ones.
    """
    before = rules()
    yield
    if rules() != before:
        raise StudyError("params.yaml or the code has changed meanwhile: run it again (finished runs are kept)")


def _describe(holder: Path) -> str:
    try:
        known = read_json(holder)
        return f"process {known['process']} on {known['machine']} since {known['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
