"""DVC as a subprocess, run by this very Python."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from gan import environment, errors
from gan.compute.guards import has_locks
from gan.errors import StudyError
from gan.pipeline import is_alive

DVC = (sys.executable, "-m", "dvc")
MOST_SECONDS = 30.0  # that a stage may take to end after Ctrl-C; without dvc it ends by itself


def reproduce(*arguments: str, folder: Path = Path()) -> None:
    """Run `dvc repro` in `folder`; StudyError if it fails, errors.Interrupted after Ctrl-C.

    Ctrl-C reaches DVC and its stage, too, but only the caller reports it.
    """
    _suit(folder)
    command, settings = [*DVC, "repro", *arguments], {**environment.own(os.environ), errors.QUIET: "yes"}
    dvc = subprocess.Popen(command, cwd=folder, env=settings)
    before = signal.signal(signal.SIGTERM, lambda number, frame: dvc.terminate())
    try:
        status = dvc.wait()
    except errors.Interrupted:
        _end(dvc)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if status:
        raise StudyError(f"the pipeline failed{'' if folder == Path() else f' in {folder}'}; the reason is above")


def _suit(folder: Path) -> None:
    """Tell DVC once what this folder lacks: a git repository, as an unpacked archive does, or locks on files."""
    place, local = folder.resolve(), folder / ".dvc/config.local"
    known = local.read_text(encoding="utf-8") if local.exists() else ""
    if "no_scm" not in known and not any((above / ".git").exists() for above in (place, *place.parents)):
        _configure(folder, "core.no_scm", "This is no git repository: DVC works without one")
    if "hardlink_lock" not in known and not has_locks(folder / ".dvc/tmp"):
        _configure(folder, "core.hardlink_lock", "This file system has no locks: DVC does with hard links")
        for name in ("lock", "rwlock.lock"):  # left by another kind of lock, they would be taken for held
            (folder / ".dvc/tmp" / name).unlink(missing_ok=True)


def _configure(folder: Path, setting: str, told: str) -> None:
    command = [*DVC, "config", "--local", setting, "true"]
    settings = environment.own(os.environ)
    done = subprocess.run(
        command, cwd=folder, env=settings, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        raise StudyError(f"DVC can't set {setting} in {folder / '.dvc'}: {' '.join(done.stderr.split())}")
    print(f"{told} ({setting} in .dvc/config.local)", file=sys.stderr)


def _end(dvc: subprocess.Popen[bytes]) -> None:
    """Wait until the stage has ended, then end DVC, which would report the stage's interruption as a failure.

    While a stage runs, DVC only waits for it. Between stages it ends by itself and in its own way.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C changes nothing
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(dvc.pid)
        process.suspend()
        stages = process.children(recursive=True)
        end = time.monotonic() + MOST_SECONDS
        while any(map(is_alive, stages)) and time.monotonic() < end:
            time.sleep(0.05)
        if stages:
            process.kill()
        process.resume()
    dvc.wait()
