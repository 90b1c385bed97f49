"""From params.yaml to the verdict, for the whole study or a new variant; one line if it doesn't get there."""

import subprocess
from pathlib import Path

from gan import errors
from gan.commands.dvc import reproduce
from gan.commands.published import check_joining
from gan.errors import StudyError
from gan.study.schema import Study

RESULTS = ("dvc.lock", "models", "reports")


def run_study() -> None:
    """Run what is not up to date, the audit of the losses first."""
    _reproduce("make study", "audit")
    _reproduce("make study")


def join_variant(study: Study, name: str) -> None:
    """Train and score one new variant and compare it with the published scores of the others."""
    study.variant(name)
    command = f"make variant NAME={name}"
    _reproduce(command, "download")
    check_joining(study, name, Path())
    stages = ("audit", f"train@{name}", f"evaluate@{name}", "compare", "claims", "report", "track")
    _reproduce(command, "--single-item", *stages)


def _reproduce(command: str, *arguments: str) -> None:
    """Run `dvc repro`; after an interruption or a failure the error says how to go on and how to go back."""
    try:
        reproduce(*arguments)
    except errors.Interrupted:
        raise errors.Interrupted(f"interrupted: {_remedy(command)}") from None
    except StudyError as failure:
        raise StudyError(f"{failure}. {_remedy(command)}") from None


def _remedy(command: str) -> str:
    # DVC removes the results of a stage before it runs the stage.
    back = f"; `git checkout {' '.join(RESULTS)}` goes back to the published results" if _results_differ() else ""
    return f"`{command}` goes on from here{back}"


def _results_differ() -> bool:
    """Whether git is there and has other results than the folder."""
    try:
        return (
            subprocess.run(["git", "diff", "--quiet", "--", *RESULTS], capture_output=True, check=False).returncode == 1
        )
    except FileNotFoundError:
        return False
