"""Show the runs that the files record in MLflow; without names, all of the study's, the trials included.

The files are the record: when MLflow fails or hangs, this warns and succeeds, unless it is asked to be strict.
"""

import os
import subprocess
import sys
import time
from typing import Annotated

import typer

from gan import errors
from gan.study.loading import load_study
from gan.tracking import SHOWN
from gan.tracking.time_budget import USUAL, TimeBudget


def main(
    variants: Annotated[list[str] | None, typer.Argument()] = None,
    strict: Annotated[bool, typer.Option(help="Wait as long as MLflow takes, and fail if it fails.")] = False,
) -> None:
    if strict:
        if failure := _update(variants, None):
            raise errors.StudyError(f"MLflow not updated: {failure}")
        return
    most = load_study().tracking.timeout_seconds
    budget = TimeBudget(most)
    # A variant's update may use half of what is left, so that there is time for the last update, which has all of them.
    seconds = budget.left / 2 if variants else budget.left
    if variants and seconds < min(USUAL, most / 2):
        failure = "it has delayed the study enough"
    else:
        started = time.monotonic()
        failure = _update(variants, seconds)
        budget.spend(time.monotonic() - started, failed=bool(failure))
    if failure:
        print(f"warning: MLflow not updated: {failure}; run `make sync` when it is back", file=sys.stderr)


def _update(variants: list[str] | None, seconds: float | None) -> str:
    """Why MLflow could not be brought up to date within so many seconds; empty if it was."""
    # In a process of its own, which can be ended in time when a server or a locked file hangs.
    command = [sys.executable, "-m", "gan.tracking", *(variants or [])]
    shown = os.dup(2)  # stderr, for what a user should see at once
    settings = os.environ | {SHOWN: str(shown)}
    try:
        child = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env=settings,
            pass_fds=[shown],
        )
    except subprocess.TimeoutExpired as hang:
        return f"not done within {hang.timeout:.0f} s"
    except OSError as error:
        return str(error)
    finally:
        os.close(shown)
    if child.returncode:
        return (child.stderr.strip() or "it was killed").splitlines()[-1]
    print(child.stdout.strip())
    return ""


if __name__ == "__main__":
    errors.run(main)
