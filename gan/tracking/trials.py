"""What the files in reports/ record of each trial of the designed experiments, in MLflow's terms."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.compute.tables import read_table
from gan.records.reading import read
from gan.records.training import Provenance
from gan.study.schema import Study
from gan.tracking.recorded import SOURCE, RecordedRun, UsedData, metric_name, origin

SCORES = ("fid", "kid", "coverage", "digits")
RESULTS = ("seed", "epoch", "status", *SCORES, "failed_epoch", "failure", "key")  # other columns say what was trained


@dataclass(frozen=True)
class Experiment:
    """A designed experiment under one objective: its tables, by what they are of, and the file of its provenance.

    `name` has a space, which no variant's name has.
    """

    name: str
    objective: str
    tables: dict[str, Path]
    provenance: Path

    @property
    def is_recorded(self) -> bool:
        """Whether all its files are there; a stage that is running has none."""
        return all(path.exists() for path in (*self.tables.values(), self.provenance))


def experiments(study: Study, reports: Path) -> list[Experiment]:
    """The study's ladder and search, each under each of its objectives, with their places in `reports`."""
    ladders = [
        Experiment(f"ladder {name}", name, {"ladder": reports / "ladder.csv"}, reports / "trials/ladder.json")
        for name in study.ladder.objectives
    ]
    searches = [
        Experiment(
            f"search {name}",
            name,
            {design: reports / design / f"{name}.csv" for design in ("search", "finals")},
            reports / f"trials/search-{name}.json",
        )
        for name in study.search.objectives
    ]
    return [*ladders, *searches]


def recorded_trials(experiment: Experiment, checksums: Mapping[str, str]) -> list[RecordedRun]:
    """The trials of a recorded experiment; `checksums` are those of the data sets that are known, by their names.

    A row belongs to the training that its provenance describes: one with another key is not shown.
    """
    provenance = read(Provenance, experiment.provenance)
    return [
        _recorded(row, design, experiment, provenance, checksums)
        for design, path in experiment.tables.items()
        for row in read_table(path).to_dict("records")
        if row["key"] in provenance.seconds and row.get("objective", experiment.objective) == experiment.objective
    ]


def _recorded(
    row: dict[Any, Any], design: str, experiment: Experiment, provenance: Provenance, checksums: Mapping[str, str]
) -> RecordedRun:
    failed = row["status"] != "finished"
    scores = {} if failed else {metric_name(name): row[name] for name in SCORES if name in row}
    finite = {name: value for name, value in scores.items() if math.isfinite(value)}
    tags = {"variant": experiment.name, "design": design, "seed": str(row["seed"]), "run_key": row["key"]}
    tags[SOURCE] = "stages/ladder.py" if design == "ladder" else "stages/search.py"
    data = row["data"]
    tags |= origin(provenance.hardware, provenance.versions, provenance.code, provenance.preregistration)
    if failed:
        tags |= {"failure": row["failure"], "failed_epoch": f"{row['failed_epoch']:.0f}"}
    if missing := sorted(scores.keys() - finite.keys()):
        tags["non_finite"] = ", ".join(missing)
    trained = {name: value for name, value in row.items() if name not in RESULTS}
    parameters = {"objective": experiment.objective, **trained, "epochs": row["epoch"]}
    place = row["rung"] if "rung" in row else f"configuration-{row['configuration']}"
    return RecordedRun(
        name=f"{experiment.name}/{place}/seed-{row['seed']}",
        variant=experiment.name,
        status="FAILED" if failed else "FINISHED",
        seconds=provenance.seconds[row["key"]],
        parameters={name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()},
        tags=tags,
        metrics=[(name, float(value), row["epoch"]) for name, value in finite.items()],
        data=UsedData(data, checksums[data]) if data in checksums else None,
    )
