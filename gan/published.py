"""Whether a new variant may be set beside the published scores."""

from pathlib import Path
from typing import TYPE_CHECKING

from gan.errors import StudyError
from gan.files import read_json

if TYPE_CHECKING:
    from gan.study import Study


def check_joining(study: "Study", joining: str, reports: Path) -> None:
    """Raise a StudyError unless every variant but `joining` has scores, of runs trained as params.yaml says now."""
    study.variant(joining)
    others = [name for name in study.variants if name != joining and not _as_published(study, name, reports)]
    if others:
        raise StudyError(
            f"{joining} can't join the published scores: {', '.join(others)} have none, or were trained with other "
            "parameters than params.yaml has now; `make study` trains them"
        )


def _as_published(study: "Study", name: str, reports: Path) -> bool:
    training, scores = reports / f"training/{name}.json", reports / f"metrics/{name}.csv"
    if not (training.exists() and scores.exists()):
        return False
    return read_json(training)["parameters"] == study.variants[name].model_dump(mode="json")
