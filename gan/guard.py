"""One trainer at a time on one output, and none without the pipeline that started it."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from gan.errors import StudyError
from gan.files import read_json, write_json

PATIENCE = 2.0  # seconds for which the lock of a process that is just ending is waited for
GLANCE = 0.5  # seconds between looks at the pipeline


@contextmanager
def alone(name: str, folder: Path = Path(".work/locks")) -> Iterator[None]:
    """Hold the lock of that name in `folder`; StudyError within seconds, naming the holder, if another process does.

    The system takes the lock from a process that ends, however it does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / f"{name}.json"
    lock = FileLock(folder / f"{name}.lock", timeout=PATIENCE)
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


def _describe(holder: Path) -> str:
    try:
        known = read_json(holder)
        return f"process {known['process']} on {known['machine']} since {known['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def end_with_pipeline() -> None:
    """End this process when the `dvc` that started it has ended, which otherwise would start another beside it.

    A process that `dvc` didn't start goes on. Linux hands orphans to another parent, so their ancestors are noted now.
    """
    ancestors = psutil.Process().parents()
    places = [place for place, process in enumerate(ancestors) if _is_dvc(process)]
    if places:
        between = ancestors[: places[0] + 1]
        threading.Thread(target=_watch, args=(between,), daemon=True).start()


def _is_dvc(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()[:3]
    except psutil.Error:
        return False
    return any(Path(word).name == "dvc" for word in words)


def _watch(ancestors: list[psutil.Process]) -> None:
    while all(ancestor.is_running() and ancestor.status() != psutil.STATUS_ZOMBIE for ancestor in ancestors):
        threading.Event().wait(GLANCE)
    print("error: dvc, which started this stage, has ended: run it again to go on", file=sys.stderr, flush=True)
    os._exit(1)
