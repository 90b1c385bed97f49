"""Whether a new variant may be compared with the published scores."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from gan.commands.dvc import DVC
from gan.errors import StudyError
from gan.files import read_json
from gan.study.schema import Study

ABSENT = ("deleted", "not in cache")  # a fresh clone lacks what git doesn't keep, and doesn't need it
# A new variant may bring a new data set: these files and parameters may have more entries than when it was published.
# If another variant's images or classifiers are not those of its scores, its stage `evaluate` shows it.
INDEXES = ("data/data.json", "models/classifiers.json")
VARIANTS = ("baseline.data", "variants")
RUNS = "runs/"  # the weights may be absent or others: the published scores stay
MADE_ANEW = ("audit", "compare", "specifications", "robustness", "claims", "tables", "report", "track")


def check_joining(study: Study, joining: str, root: Path) -> None:
    """StudyError unless the variant `joining` can be compared with the published scores of the others.

    Their runs must have been trained with the parameters that params.yaml has now and scored with its parameters and
    the present code, and their files must be as the pipeline in `root` made them. Training code may differ.
    """
    study.variant(joining)
    others = [name for name in study.variants if name != joining and not _as_published(study, name, root / "reports")]
    if others:
        raise StudyError(
            f"{joining} can't join the published scores: with params.yaml as it is now there are none of "
            f"{', '.join(others)}; `make study` trains what is missing"
        )
    anew = {*MADE_ANEW, f"train@{joining}", f"evaluate@{joining}", f"publish@{joining}"}
    status, lock = _status(root), root / "dvc.lock"
    stages = YAML(typ="safe").load(lock)["stages"] if lock.exists() else {}
    for name in study.variants:
        trained, scored = (_recorded(stages, f"{kind}@{name}", f"runs/{name}") for kind in ("train", "evaluate"))
        if name != joining and trained != scored:
            raise StudyError(
                f"{joining} can't join the published scores: {name} was trained after it was scored; run `make study`"
            )
    _check_others(status, anew, joining)


def check_joining_search(objective: str, root: Path) -> None:
    """StudyError unless the search under `objective` can be compared with the published ones."""
    _check_others(_status(root), {*MADE_ANEW, f"search@{objective}"}, objective)


def _check_others(status: dict[str, list[Any]], anew: set[str], joining: str) -> None:
    for stage, changes in status.items():
        if stage not in anew and (changed := next(_departures(stage, changes), None)):
            raise StudyError(
                f"{joining} can't join the published scores: of stage {stage}, {changed}; put it back as published "
                "(`git checkout`), or run `make study`"
            )


def _status(root: Path) -> dict[str, list[Any]]:
    """What has changed since it was published, for each stage, as DVC finds it."""
    command = [*DVC, "status", "--json"]
    status = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if status.returncode:
        raise StudyError(f"`dvc status` failed: {' '.join((status.stderr or status.stdout).split())}")
    return json.loads(status.stdout)


def _departures(stage: str, changes: list[Any]) -> Iterator[str]:
    """The changes after which a stage would make other outputs than the published ones."""
    kind = stage.partition("@")[0]
    for change in changes:
        if isinstance(change, str):  # the text of the command, which decides nothing
            continue
        decisive = dict(change.get("changed outs", {}))
        dependencies = change.get("changed deps", {})
        if kind == "evaluate":
            decisive |= dependencies
        elif kind == "floor":
            decisive |= {name: how for name, how in dependencies.items() if name not in INDEXES}
        elif kind in ("download", "classify"):
            decisive |= {name: how for name, how in dependencies.items() if name == "params.yaml"}
        for name, how in decisive.items():
            for key, state in how.items() if isinstance(how, dict) else [("", how)]:
                if state not in ABSENT and not name.startswith(RUNS) and key not in VARIANTS:
                    yield f"{name}{key and f', {key},'} is {state}"


def _recorded(stages: dict[str, Any], stage: str, path: str) -> str | None:
    """DVC's checksum of a path that a stage made or used when it last ran."""
    known = stages.get(stage, {})
    return {file["path"]: file["md5"] for file in [*known.get("deps", []), *known.get("outs", [])]}.get(path)


def _as_published(study: Study, name: str, reports: Path) -> bool:
    training, scores = reports / f"training/{name}.json", reports / f"metrics/{name}.csv"
    if not (training.exists() and scores.exists()):
        return False
    return read_json(training, "parameters") == study.variants[name].model_dump(mode="json")
