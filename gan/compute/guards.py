"""Guards of a stage: only one trainer works on an output, and its parameters and code stay the same until it ends."""

import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import psutil
from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from gan.errors import StudyError
from gan.files import read_json, write_json

LOCK_SECONDS = 2.0  # how long to wait for a process that may just be ending
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class TakenError(StudyError):
    """Another process holds a lock."""


def has_locks(folder: Path) -> bool:
    """Whether the file system of `folder`, which is made if it is missing, can lock files."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _NO_LOCKS
    return True


@contextmanager
def lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock `path`; TakenError, which names its file, if another process has it for so long.

    When a process ends, in whatever way, the system releases its lock. Where the file system has no locks, as some of
    clusters and networks, a file beside it is the lock; it has the holder's process and machine, so that one whose
    process has ended on this machine is not in the way.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    held: BaseFileLock = FileLock(path, timeout=seconds, fallback_to_soft=False)
    soft = path.with_name(f"{path.name}.held")
    try:
        try:
            held.acquire()
        except (NotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
                raise
            held = SoftFileLock(soft, timeout=seconds)
            held.acquire()
    except Timeout:
        remedy = "; remove it if that has ended" if isinstance(held, SoftFileLock) else ""
        raise TakenError(f"{held.lock_file} is held by another process{remedy}") from None
    try:
        yield
    finally:
        held.release()


@contextmanager
def alone(name: str, folder: Path = Path(".work/locks")) -> Iterator[None]:
    """Hold the lock of that name in `folder`; StudyError within seconds, naming the holder, if another has it."""
    holder = folder / f"{name}.json"
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(folder / f"{name}.lock", LOCK_SECONDS))
        except TakenError as taken:
            raise StudyError(
                f"{name} is taken by {_describe(holder)}: wait until it is done, or stop it ({taken})"
            ) from None
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(holder, {"process": os.getpid(), "machine": socket.gethostname(), "since": now})
        yield


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
        if known["machine"] == socket.gethostname() and not psutil.pid_exists(known["process"]):
            return "another process"  # these are the words of an earlier one
        return f"process {known['process']} on {known['machine']} since {known['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
