"""Errors that a user can mend, and how they are reported: one line and a non-zero exit status."""

import errno
import os
import signal
import sys
from collections.abc import Callable

import typer
from safetensors import SafetensorError

QUIET = "GAN_REPORTS_CTRL_C"  # set for stages by a command that reports Ctrl-C itself
# What a user can do about an error of the system.
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space, then run it again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make it writable, or work in a copy of your own"),
}
# Torch says so in a RuntimeError: on a CPU, on a GPU, and where cuBLAS has no room to start.
_FULL_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


class StudyError(ValueError):
    """Something that the user can mend; the message is one line that names what is wrong and what to do."""


class Interrupted(BaseException):
    """Ctrl-C; it is no KeyboardInterrupt, which typer would report in its own way."""


def run(command: Callable[..., None] | typer.Typer) -> None:
    """Run a function or an app as a command line.

    An error that a user can mend becomes one line and exit status 1, Ctrl-C one line and status 130.
    """
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # a script's background job ignores it
        signal.signal(signal.SIGINT, _interrupt)
    try:
        if isinstance(command, typer.Typer):
            command()
        else:
            typer.run(command)
    except Interrupted as interruption:
        if QUIET in os.environ:
            sys.exit(130)
        _exit(str(interruption) or "interrupted: the same command goes on from here", 130)
    except StudyError as error:
        _exit(str(error))
    except FileNotFoundError as error:
        _exit(f"{error.filename} is missing: `make study` makes what the pipeline makes")
    except SafetensorError as error:
        _exit(f"a file of weights or images is no safetensors, and nothing else is read: make it anew ({error})")
    except (MemoryError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        if not (isinstance(error, MemoryError) or any(words in reason for words in _FULL_MEMORY)):
            raise
        _exit(f"memory is full: set compute.workers or compute.population lower, or make networks smaller ({reason})")
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        _exit(f"{error.filename or 'the system'}: {error.strerror or error}{f': {remedy}' if remedy else ''}")


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted


def _exit(message: str, status: int = 1) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
