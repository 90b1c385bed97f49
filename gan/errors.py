"""What a user can mend, and how it is told: one line and a non-zero exit."""

import errno
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# In torch's RuntimeErrors: a processor's memory, a GPU's.
_FULL_MEMORY = ("can't allocate memory", "out of memory")


class StudyError(ValueError):
    """Something that its reader can mend; the message is one line that names what is wrong and what to do."""


class Interrupted(BaseException):
    """Ctrl-C; typer would tell of a KeyboardInterrupt in its own way."""


def run(command: "Callable[..., None] | typer.Typer") -> None:
    """Run a function or an app as a command line.

    What a user can mend becomes one line and exit status 1, Ctrl-C one line and status 130.
    """
    import typer
    from safetensors import SafetensorError

    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in the background of a script
        signal.signal(signal.SIGINT, _interrupt)
    try:
        if isinstance(command, typer.Typer):
            command()
        else:
            typer.run(command)
    except Interrupted:
        _exit("interrupted: the same command goes on from here", 130)
    except StudyError as error:
        _exit(str(error))
    except FileNotFoundError as error:
        _exit(f"{error.filename} is missing: `make study` makes what the pipeline makes")
    except SafetensorError as error:
        _exit(f"a file of weights or images is no safetensors, and nothing else is read: make it anew ({error})")
    except (MemoryError, RuntimeError) as error:
        told = str(error).partition("\n")[0]
        if not (isinstance(error, MemoryError) or any(words in told for words in _FULL_MEMORY)):
            raise
        _exit(f"memory is full: set compute.workers or compute.population lower, or make networks smaller ({told})")
    except OSError as error:
        remedy = ": free some space, then run it again" if error.errno in _FULL_DISK else ""
        _exit(f"{error.filename or 'the system'}: {error.strerror or error}{remedy}")


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted


def _exit(message: str, status: int = 1) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
