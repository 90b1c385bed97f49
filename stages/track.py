"""Show the runs that the files record in MLflow; without names, the whole study's.

The files are the record: when MLflow fails or hangs, this says so and succeeds, unless it is to be strict.
"""

import subprocess
import sys
from typing import Annotated

import typer

from gan import errors
from gan.study import load_study


def main(
    variants: Annotated[list[str] | None, typer.Argument()] = None,
    strict: Annotated[bool, typer.Option(help="Take the time it takes, and fail if MLflow does.")] = False,
) -> None:
    # A process of its own: nothing else is sure to end in time when a server or a locked file hangs.
    command = [sys.executable, "-m", "gan.tracking", *(variants or [])]
    try:
        seconds = None if strict else load_study().tracking.timeout_seconds
        child = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        failure = (child.stderr or "it was killed").splitlines()[-1] if child.returncode else ""
    except subprocess.TimeoutExpired as hang:
        failure = f"not done within {hang.timeout:g} s"
    except Exception as error:
        failure = str(error)
    if not failure:
        print(child.stdout.strip())
    elif strict:
        raise errors.StudyError(f"MLflow not updated: {failure}")
    else:
        print(f"warning: MLflow not updated: {failure}; run `make sync` when it is back", file=sys.stderr)


if __name__ == "__main__":
    errors.run(main)
