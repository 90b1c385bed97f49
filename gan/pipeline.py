"""The `dvc` that started this process: without it a stage doesn't go on, for it would start another beside it."""

import os
import sys
import threading
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
        threading.Thread(target=_watch, args=(between,), daemon=True).start()


def _up_to_dvc() -> list[psutil.Process]:
    ancestors = psutil.Process().parents()
    places = [place for place, process in enumerate(ancestors) if _is_dvc(process)]
    return ancestors[: places[0] + 1] if places else []


def _is_dvc(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return any(Path(word).name == "dvc" for word in words[:2]) or words[1:3] == ["-m", "dvc"]


def _watch(between: list[psutil.Process]) -> None:
    while all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in between):
        threading.Event().wait(GLANCE)
    print("error: dvc, which started this, has ended: run it again to go on", file=sys.stderr, flush=True)
    os._exit(1)
