"""What the files in reports/ record of each variant's runs, in MLflow's terms."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gan.compute.tables import read_table
from gan.records.reading import read
from gan.records.training import Machine, Training


@dataclass(frozen=True)
class RecordedRun:
    """One run as the files record it; `metrics` are name, finite value and step (epoch).

    `variant` is the group of runs that are brought up to date together: a variant, or an experiment's name.
    """

    name: str
    variant: str
    status: str
    seconds: float
    parameters: dict[str, str]
    tags: dict[str, str]
    metrics: list[tuple[str, float, int]]
    samples: Path | None

    @property
    def content(self) -> str:
        """SHA-256, in hex, of everything that MLflow shows of the run, including the image."""
        shown = json.dumps(asdict(self), sort_keys=True, default=lambda samples: samples.read_bytes().hex())
        return hashlib.sha256(shown.encode()).hexdigest()


def recorded_runs(variant: str, seeds: Collection[int], reports: Path) -> list[RecordedRun]:
    """The variant's runs in `reports` whose seed is in `seeds`.

    Values that are not finite are left out of the metrics; a tag `non_finite` names the metrics that had some.
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
        tags = {"variant": variant, "seed": str(seed), "run_key": run.key}
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
                parameters=_parameters(training.parameters),
                tags=tags,
                metrics=[*rows.loc[finite, ["metric", "value", "epoch"]].itertuples(index=False, name=None)],
                samples=grid if seed in evaluated and grid.exists() else None,
            )
        )
    return runs


def _points(variant: str, keys: dict[int, str], reports: Path) -> tuple[pd.DataFrame, set[int]]:
    """A variant's points as rows of seed, epoch, metric and value, and the seeds that were evaluated.

    An evaluation belongs to the run whose key it names: after a new training, the files of the last evaluation remain.
    """
    points = [_melted(read_table(reports / "history" / f"{variant}.csv"))]
    evaluated: set[int] = set()
    if (path := reports / "metrics" / f"{variant}.csv").exists():
        scores = read_table(path)
        scores = scores[scores["key"] == scores["seed"].map(keys)]
        evaluated = set(scores["seed"])
        labels = ["variant", "data", "averaged", "status", "failed_epoch", "failure", "key"]
        # A score that nobody asked for, such as a reconstruction error without an encoder, did not go wrong.
        points.append(_melted(scores[scores["status"] == "finished"].drop(columns=labels)).dropna())
    if (path := reports / "snapshots" / f"{variant}.csv").exists():
        snapshots = read_table(path).drop(columns="variant").rename(columns={"fid": "snapshot_fid"})
        points.append(_melted(snapshots[snapshots["seed"].isin(evaluated)]))
    return pd.concat(points), evaluated


def _melted(table: pd.DataFrame) -> pd.DataFrame:
    return table.melt(["seed", "epoch"], var_name="metric").astype({"epoch": int, "value": float})


def _parameters(settings: dict[str, Any]) -> dict[str, str]:
    """Settings under dotted names, without the seeds: a new seed does not change the other runs."""
    flat = pd.json_normalize(settings).drop(columns="seeds", errors="ignore").to_dict("records")[0]
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in flat.items()}


def origin(machine: Machine, versions: dict[str, str], code: str, preregistration: str) -> dict[str, str]:
    """The tags that say where a run comes from; `code` and `preregistration` are checksums."""
    tags = {"device": machine.device, "hardware": machine.name, **versions}
    return tags | {"code_checksum": code, "preregistration": preregistration}
