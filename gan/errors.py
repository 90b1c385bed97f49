"""What a user can mend, and how it is told: one line and a non-zero exit."""

import sys
from collections.abc import Callable

import typer


class StudyError(Exception):
    """Something that its reader can mend; the message is one line that names what is wrong and what to do."""


def run(command: Callable[..., None] | typer.Typer) -> None:
    """Run a function or an app as a command line; a StudyError becomes its message on stderr and exit status 1."""
    try:
        if isinstance(command, typer.Typer):
            command()
        else:
            typer.run(command)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
