"""What the files in reports/ record of each variant's runs, in MLflow's terms."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gan.compute.store import generator_file, seed_folder
from gan.compute.tables import read_table
from gan.errors import StudyError
from gan.files import DamagedError, read_json, sha256
from gan.records.reading import read
from gan.records.training import Machine, Training

SOURCE = "mlflow.source.name"
# MLflow's page puts the metrics of one prefix together, so that these lead and the ten digits stay out of the way.
CHECKS = ("fid_again", "fid_half", "output_variance", "mean_distance", "median_distance")


@dataclass(frozen=True)
class UsedData:
    """The data set that a run was trained on, by its name and the SHA-256 of its images, in hex."""

    name: str
    checksum: str


@dataclass(frozen=True)
class Strip:
    """The images of a run as it learns: a grayscale picture with one row of squares for each of the `epochs`."""

    picture: Path
    epochs: tuple[int, ...]


@dataclass(frozen=True)
class SavedGenerator:
    """A generator's file, the epoch after which it was saved, and the recipe that says what its network is."""

    file: Path
    epoch: int
    recipe: dict[str, Any]


@dataclass(frozen=True)
class RecordedRun:
    """One run as the files record it; `metrics` are name, finite value and step (epoch).

    `variant` is the group of runs that are brought up to date together: a variant, or an experiment's name. `files`
    are shown as they are, each in a folder.
    """

    name: str
    variant: str
    status: str
    seconds: float
    parameters: dict[str, str]
    tags: dict[str, str]
    metrics: list[tuple[str, float, int]]
    files: tuple[tuple[Path, str], ...] = ()
    data: UsedData | None = None
    strip: Strip | None = None
    generator: SavedGenerator | None = None

    @property
    def content(self) -> str:
        """SHA-256, in hex, of everything that MLflow shows of the run, including its files."""
        shown = json.dumps(asdict(self), sort_keys=True, default=lambda path: [path.name, sha256(path)])
        return hashlib.sha256(shown.encode()).hexdigest()


def metric_name(column: str) -> str:
    """A score's name in MLflow: the ten digits, values of the last epoch alone and further checks have prefixes."""
    if column.startswith("digit_"):
        return f"digit/{column.removeprefix('digit_')}"
    if column.endswith("_last"):
        return f"last/{column.removesuffix('_last')}"
    return f"check/{column}" if column in CHECKS or column.startswith("fid_classifier_") else f"score/{column}"


def recorded_runs(variant: str, seeds: Collection[int], reports: Path) -> list[RecordedRun]:
    """The variant's runs in `reports` whose seed is in `seeds`.

    Values that are not finite are left out of the metrics; a tag `non_finite` names the metrics that had some. The
    first finished run has its generator, if that is in `runs/` beside `reports`.
    """
    training = read(Training, reports / "training" / f"{variant}.json")
    points, evaluated = _points(variant, {run.seed: run.key for run in training.runs}, reports)
    grid = reports / "samples" / f"{variant}.png"
    runs = []
    for run in training.runs:
        seed, failure = run.seed, run.failure
        if seed not in seeds:
            continue
        rows = points[points["seed"] == seed]
        finite = np.isfinite(rows["value"])
        tags = {"variant": variant, "seed": str(seed), "run_key": run.key, SOURCE: "stages/train.py"}
        tags |= origin(training.hardware, training.versions, training.checksums.code, run.preregistration)
        tags["data_checksum"] = training.checksums.data
        if failure:
            tags |= {"failure": failure.cause, "failed_epoch": str(failure.epoch)}
        if not finite.all():
            tags["non_finite"] = ", ".join(sorted(set(rows["metric"][~finite])))
        runs.append(
            RecordedRun(
                name=f"{variant}/seed-{seed}",
                variant=variant,
                status="FAILED" if failure else "FINISHED",
                seconds=run.seconds,
                parameters=flat(training.parameters),
                tags=tags,
                metrics=[*rows.loc[finite, ["metric", "value", "epoch"]].itertuples(index=False, name=None)],
                files=((grid, "samples"),) if seed in evaluated and grid.exists() else (),
                data=UsedData(training.parameters.get("data", "images"), training.checksums.data),
                strip=_strip(variant, seed, reports) if seed in evaluated else None,
            )
        )
    return _with_generator(runs, training, reports.parent / "runs" / variant)


def _with_generator(runs: list[RecordedRun], training: Training, folder: Path) -> list[RecordedRun]:
    """The runs, the first finished one with its last generator, if `folder` has that of the recorded training."""
    finished = {run.seed: run.key for run in training.runs if run.status == "finished"}
    for place, run in enumerate(runs):
        seed = int(run.tags["seed"])
        if seed in finished:
            epoch = training.parameters.get("epochs", 0)
            file = seed_folder(folder, seed) / generator_file(epoch)
            try:
                kept = read_json(file.with_name("run.json"), "key") == finished[seed] and file.exists()
            except (OSError, DamagedError):
                kept = False
            if kept:
                recipe = {name: value for name, value in training.parameters.items() if name != "seeds"}
                runs[place] = replace(run, generator=SavedGenerator(file, epoch, recipe))
            break
    return runs


def _strip(variant: str, seed: int, reports: Path) -> Strip | None:
    """The variant's images epoch by epoch, if its run kept a generator and they are this seed's."""
    picture = reports / "strips" / f"{variant}.png"
    try:
        known = read_json(picture.with_suffix(".json"))
        epochs = tuple(int(epoch) for epoch in known["epochs"])
        return Strip(picture, epochs) if epochs and known["seed"] == seed and picture.exists() else None
    except (OSError, StudyError, LookupError, TypeError, ValueError):
        return None


def _points(variant: str, keys: dict[int, str], reports: Path) -> tuple[pd.DataFrame, set[int]]:
    """A variant's points as rows of seed, epoch, metric and value, and the seeds that were evaluated.

    An evaluation belongs to the run whose key it names: after a new training, the files of the last evaluation remain.
    """
    history = _melted(read_table(reports / "history" / f"{variant}.csv"))
    points = [history.assign(metric="train/" + history["metric"])]
    evaluated: set[int] = set()
    if (path := reports / "metrics" / f"{variant}.csv").exists():
        scores = read_table(path)
        scores = scores[scores["key"] == scores["seed"].map(keys)]
        evaluated = set(scores["seed"])
        labels = ["variant", "data", "averaged", "status", "failed_epoch", "failure", "key"]
        # A score that nobody asked for, such as a reconstruction error without an encoder, did not go wrong.
        values = _melted(scores[scores["status"] == "finished"].drop(columns=labels)).dropna()
        points.append(values.assign(metric=values["metric"].map(metric_name)))
    if (path := reports / "snapshots" / f"{variant}.csv").exists():
        snapshots = read_table(path).drop(columns="variant").rename(columns={"fid": "snapshot/fid"})
        points.append(_melted(snapshots[snapshots["seed"].isin(evaluated)]))
    return pd.concat(points), evaluated


def _melted(table: pd.DataFrame) -> pd.DataFrame:
    return table.melt(["seed", "epoch"], var_name="metric").astype({"epoch": int, "value": float, "metric": object})


def flat(settings: dict[str, Any]) -> dict[str, str]:
    """Settings under dotted names, without the seeds: a new seed does not change the other runs."""
    table = pd.json_normalize(settings).drop(columns="seeds", errors="ignore").to_dict("records")[0]
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in table.items()}


def origin(machine: Machine, versions: dict[str, str], code: str, preregistration: str) -> dict[str, str]:
    """The tags that say where a run comes from; `code` and `preregistration` are checksums."""
    tags = {"device": machine.device, "hardware": machine.name, **versions}
    return tags | {"code_checksum": code, "preregistration": preregistration, "mlflow.source.type": "LOCAL"}
