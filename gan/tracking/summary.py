"""The study as one run in MLflow: the report, its figures, and the verdicts."""

import math
from pathlib import Path
from typing import TypeGuard

from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.tracking.recorded import SOURCE, RecordedRun

NAME = "study summary"  # no variant's name has a space
ANSWER = "**"  # the report's answer is its first paragraph in bold


def recorded_summary(reports: Path) -> list[RecordedRun]:
    """One run of what the study found, if it has compared its variants; with the report, if that is there.

    The metrics are, for each contrast, the ratio of the scores of all runs (`ratio/H1`) and the adjusted p (`p/H1`),
    and each ranked variant's geometric mean (`fid/cewl`), after as many epochs as the step says.
    """
    if not (path := reports / "comparison.json").exists():
        return []
    comparison = read(Comparison, path)
    metrics: list[tuple[str, float, int]] = []
    tags = {"variant": NAME, "preregistration": comparison.preregistration or "", SOURCE: "stages/compare.py"}
    for contrast in comparison.contrasts:
        if contrast.family == "exploratory":
            continue
        tags[f"verdict {contrast.id}"] = contrast.verdict
        values = (("ratio", contrast.scored_ratio.ratio), ("p", contrast.p_adjusted))
        metrics += [(f"{name}/{contrast.id}", value, contrast.epoch) for name, value in values if _known(value)]
    for standing in comparison.standings:
        means = [(name, standing.variants[name].scored_mean) for name in standing.ranking]
        data = standing.data
        metrics += [(f"fid {data}/{name}", mean, standing.epochs) for name, mean in means if _known(mean)]
    report = reports / "report.md"
    if report.exists():
        paragraphs = report.read_text(encoding="utf-8").split("\n\n")
        tags["mlflow.note.content"] = next((each for each in paragraphs if each.startswith(ANSWER)), "")
    pages = [(path, "") for path in (reports / "report.html", report) if path.exists()]
    figures = [(path, "figures") for path in sorted((reports / "figures").glob("*.svg"))]
    return [
        RecordedRun(
            name=NAME,
            variant=NAME,
            status="FINISHED",
            seconds=0.0,
            parameters={"metric": comparison.metric, "alpha": str(comparison.alpha), "margin": str(comparison.margin)},
            tags=tags,
            metrics=metrics,
            files=(*pages, *figures),
        )
    ]


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
