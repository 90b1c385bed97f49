"""The `dvc` that started this process: without it a stage doesn't go on, for it would start another beside it."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil

GLANCE = 0.5  # seconds between looks at the pipeline


def pipeline() -> psutil.Process | None:
    """The `dvc` process among this one's ancestors, if there is one."""
    between = _up_to_dvc()
    return between[-1] if between else None


def end_with_pipeline() -> None:
    """End this process when the `dvc` that started it has ended, or what stands between them has.

    A process that `dvc` didn't start goes on. Linux hands orphans to another parent, so their ancestors are noted now.
    """
    if between := _up_to_dvc():
        # Ctrl-C is the main thread's affair, which keeps it from the workers that it starts.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        threading.Thread(target=_watch, args=(between,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _up_to_dvc() -> list[psutil.Process]:
    """This process's ancestors as far as the next `dvc`; none if there is no `dvc`, or none that may be seen."""
    between = []
    try:
        process = psutil.Process().parent()
        while process:
            between.append(process)
            if _is_dvc(process):
                return between
            process = process.parent()
    except psutil.Error:
        pass  # another user's, of whom this system shows nothing
    return []


def _is_dvc(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return any(Path(word).name == "dvc" for word in words[:2]) or words[1:3] == ["-m", "dvc"]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _watch(between: list[psutil.Process]) -> None:
    while all(map(_lives, between)):
        time.sleep(GLANCE)
    print("error: dvc, which started this, has ended: run it again to go on", file=sys.stderr, flush=True)
    os._exit(1)
