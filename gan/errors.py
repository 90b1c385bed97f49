"""What a user can mend, and how it is told: one line and a non-zero exit."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer


class StudyError(ValueError):
    """Something that its reader can mend; the message is one line that names what is wrong and what to do."""


def run(command: "Callable[..., None] | typer.Typer") -> None:
    """Run a function or an app as a command line; what a user can mend becomes one line and exit status 1."""
    import typer
    from safetensors import SafetensorError

    try:
        if isinstance(command, typer.Typer):
            command()
        else:
            typer.run(command)
    except StudyError as error:
        _exit(str(error))
    except FileNotFoundError as error:
        _exit(f"{error.filename} is missing: `make study` makes what the pipeline makes")
    except SafetensorError as error:
        _exit(f"a file of weights or images is no safetensors, and nothing else is read: make it anew ({error})")
    except OSError as error:
        _exit(f"{error.filename or 'the system'}: {error.strerror or error}")


def _exit(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
