"""Whether a new variant may be set beside the published scores."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from gan.errors import StudyError
from gan.files import read_json

if TYPE_CHECKING:
    from gan.study import Study


def check_joining(study: "Study", joining: str, reports: Path) -> None:
    """Raise a StudyError unless every variant but `joining` has scores, of runs trained as params.yaml says now.

    The scores have to be those that the pipeline made, by their checksums in the dvc.lock beside `reports`.
    """
    study.variant(joining)
    others = [name for name in study.variants if name != joining and not _as_published(study, name, reports)]
    if others:
        raise StudyError(
            f"{joining} can't join the published scores: {', '.join(others)} have none, or were trained with other "
            "parameters than params.yaml has now; `make study` trains them"
        )
    lock = reports.parent / "dvc.lock"
    stages = YAML(typ="safe").load(lock)["stages"] if lock.exists() else {}
    for name in study.variants:
        scores = reports / f"metrics/{name}.csv"
        if name != joining and _md5(scores) != _recorded(stages, name):
            raise StudyError(f"{scores} is not as the pipeline made it: `git checkout {scores}`, or run `make study`")


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _recorded(stages: dict[str, Any], name: str) -> str | None:
    """DVC's checksum of a variant's scores."""
    outs = {out["path"]: out["md5"] for out in stages.get(f"evaluate@{name}", {"outs": []})["outs"]}
    return outs.get(f"reports/metrics/{name}.csv")


def _as_published(study: "Study", name: str, reports: Path) -> bool:
    training, scores = reports / f"training/{name}.json", reports / f"metrics/{name}.csv"
    if not (training.exists() and scores.exists()):
        return False
    return read_json(training)["parameters"] == study.variants[name].model_dump(mode="json")
