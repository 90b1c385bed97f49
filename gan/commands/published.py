"""Whether a new variant may be set beside the published scores."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from gan.commands.presets import DVC
from gan.errors import StudyError
from gan.files import read_json

if TYPE_CHECKING:
    from gan.study.schema import Study

ABSENT = ("deleted", "not in cache")  # what git doesn't keep is not there in a fresh clone, and need not be
RUNS = "runs/"  # nor, if they are there, as published: their scores are
MADE_ANEW = ("audit", "compare", "claims", "report", "track")


def check_joining(study: "Study", joining: str, root: Path) -> None:
    """Raise a StudyError unless `joining` can be compared with the other variants' published scores.

    They have to be of runs that were trained as params.yaml says now, scored as it says now with the code that is here,
    and to be as the pipeline in `root` made them. Training code may differ: whoever adds an objective changes it.
    """
    study.variant(joining)
    others = [name for name in study.variants if name != joining and not _as_published(study, name, root / "reports")]
    if others:
        raise StudyError(
            f"{joining} can't join the published scores: {', '.join(others)} have none, or were trained with other "
            "parameters than params.yaml has now; `make study` trains them"
        )
    anew = {*MADE_ANEW, f"train@{joining}", f"evaluate@{joining}"}
    status, lock = _status(root), root / "dvc.lock"
    stages = YAML(typ="safe").load(lock)["stages"] if lock.exists() else {}
    for name in study.variants:
        trained, scored = (_recorded(stages, f"{kind}@{name}", f"runs/{name}") for kind in ("train", "evaluate"))
        if name != joining and trained != scored:
            raise StudyError(
                f"{joining} can't join the published scores: {name} was trained since it was scored: run `make study`"
            )
    for stage, changes in status.items():
        if stage not in anew and (changed := next(_departures(stage, changes), None)):
            raise StudyError(
                f"{joining} can't join the published scores: of stage {stage}, {changed}; put it back as published "
                "(`git checkout`), or run `make study`"
            )


def _status(root: Path) -> dict[str, list[Any]]:
    """By stage, what DVC finds changed since it was published."""
    command = [*DVC, "status", "--json"]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if found.returncode:
        raise StudyError(f"`dvc status` failed: {' '.join((found.stderr or found.stdout).split())}")
    return json.loads(found.stdout)


def _departures(stage: str, changes: list[Any]) -> Iterator[str]:
    """What makes a stage's published outputs others than it would make now; absent files and training code do not."""
    kind = stage.partition("@")[0]
    for change in changes:
        if isinstance(change, str):  # the command's wording, which decides nothing
            continue
        decisive = dict(change.get("changed outs", {}))
        dependencies = change.get("changed deps", {})
        if kind in ("evaluate", "floor"):
            decisive |= dependencies
        elif kind in ("download", "classify"):
            decisive |= {name: how for name, how in dependencies.items() if name == "params.yaml"}
        for name, how in decisive.items():
            for key, change_of in how.items() if isinstance(how, dict) else [("", how)]:
                if change_of not in ABSENT and not name.startswith(RUNS):
                    yield f"{name}{key and f', {key},'} is {change_of}"


def _recorded(stages: dict[str, Any], stage: str, path: str) -> str | None:
    """DVC's checksum of what a stage made or used when it last ran."""
    known = stages.get(stage, {})
    return {of["path"]: of["md5"] for of in [*known.get("deps", []), *known.get("outs", [])]}.get(path)


def _as_published(study: "Study", name: str, reports: Path) -> bool:
    training, scores = reports / f"training/{name}.json", reports / f"metrics/{name}.csv"
    if not (training.exists() and scores.exists()):
        return False
    return read_json(training, "parameters") == study.variants[name].model_dump(mode="json")
