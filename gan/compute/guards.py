"""One trainer at a time on one output, and on one set of rules from its start to its end."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from gan.errors import StudyError
from gan.files import read_json, write_json

LOCK_SECONDS = 2.0  # seconds for which the lock of a process that is just ending is waited for


@contextmanager
def alone(name: str, folder: Path = Path(".work/locks")) -> Iterator[None]:
    """Hold the lock of that name in `folder`; StudyError within seconds, naming the holder, if another process does.

    The system takes the lock from a process that ends, however it does.
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
    """StudyError if `rules()` are others at the end: DVC would take what was made for the later ones' work.

    DVC notes what a stage depends on when the stage is done.
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
