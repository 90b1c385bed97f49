"""MLflow as a window on the study: it shows what the files record and can be rebuilt from them at any time.

`python -m gan.tracking.synchronise [VARIANT ...]` brings MLflow up to date with the study in the working directory. It
fails or hangs when MLflow does; a study calls it through `stages.track`, which bounds and forgives that.
"""

import hashlib
import json
import math
import os
import re
import sys
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from filelock import FileLock

from gan.compute.pipeline import end_with_pipeline
from gan.errors import StudyError
from gan.files import part, read_json
from gan.study.loading import load_study
from gan.study.schema import Study

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # has to be said before MLflow is imported
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, Param
from sqlalchemy import make_url

CONTENT = "content"  # tag set last: a run without its record's digest there is outdated or was cut short
METRICS_PER_REQUEST = 1_000  # MLflow's limit
RUNS_PER_SEARCH = 50_000  # MLflow's limit


@dataclass(frozen=True)
class RecordedRun:
    """One run as the files tell it, in MLflow's terms; `metrics` are name, finite value and step."""

    variant: str
    seed: int
    status: str
    seconds: float
    parameters: dict[str, str]
    tags: dict[str, str]
    metrics: list[tuple[str, float, int]]
    samples: Path | None

    @property
    def content(self) -> str:
        """SHA-256 of all that MLflow is to show of the run, the image included."""
        shown = json.dumps(asdict(self), sort_keys=True, default=lambda samples: samples.read_bytes().hex())
        return hashlib.sha256(shown.encode()).hexdigest()


class Changes(NamedTuple):
    """How many runs were logged, superseded, and up to date already."""

    logged: int
    superseded: int
    unchanged: int


def synchronise(study: Study, variants: Collection[str], root: Path) -> Changes:
    """Show each recorded run of `variants` in MLflow once, and no other run of theirs; no names mean all.

    The store is `MLFLOW_TRACKING_URI`, else `mlflow.db` in `root`, where `reports/` holds the records. A run
    that is not as recorded is superseded and logged afresh: MLflow keeps every point it ever got. When all
    are meant, so is a run whose variant left the study. A variant without files says nothing: its runs stay.

    StudyError for an unknown variant or a store from another folder, and MLflow's own errors.
    """
    if unknown := set(variants) - set(study.variants):
        raise StudyError(f"params.yaml has no variant {', '.join(sorted(unknown))}")
    reports = root / "reports"
    superseded = unchanged = 0
    uri, store = _store(root)
    # One at a time: side by side, two would log the same runs, and crash while creating a new store's tables.
    with FileLock(f"{store or root / 'mlflow.db'}.lock"):
        recorded = {
            name: recorded_runs(name, study.variants[name].seeds, reports)
            for name in variants or study.variants
            if (reports / "training" / f"{name}.json").exists()
        }
        missing = {run.content: run for runs in recorded.values() for run in runs}
        if store and not store.exists():
            _create(store)
        client, experiment = _open(study.tracking.experiment, uri, root)
        # Of a few variants alone: a search brings all that MLflow has of a run.
        searches = [f"tags.variant = '{name}'" for name in recorded] if variants else [""]
        found = [client.search_runs([experiment], search, max_results=RUNS_PER_SEARCH) for search in searches]
        for run in chain.from_iterable(found):
            variant = run.data.tags.get("variant")
            if missing.pop(run.data.tags.get(CONTENT, ""), None):
                unchanged += 1
            elif variant in recorded or (variant and not variants and variant not in study.variants):
                if run.info.status == "RUNNING":
                    client.set_terminated(run.info.run_id, "KILLED")
                # Deleted, it leaves every list of runs, and stays readable and restorable until `mlflow gc`.
                client.set_tag(run.info.run_id, "superseded", "true")
                client.delete_run(run.info.run_id)
                superseded += 1
        for record in missing.values():
            _log(record, client, experiment)
    return Changes(len(missing), superseded, unchanged)


def recorded_runs(variant: str, seeds: Collection[int], reports: Path) -> list[RecordedRun]:
    """What the files in `reports` say about those of a variant's runs that have a seed in `seeds`.

    Non-finite values stay out of the metrics; a tag `non_finite` names the metrics that had some.
    """
    training = read_json(reports / "training" / f"{variant}.json")
    points, evaluated = _points(variant, {run["seed"]: run["key"] for run in training["runs"]}, reports)
    grid = reports / "samples" / f"{variant}.png"
    runs = []
    for run in training["runs"]:
        seed, failure = run["seed"], run["failure"]
        if seed not in seeds:
            continue
        own = points[points["seed"] == seed]
        finite = np.isfinite(own["value"])
        tags = {"variant": variant, "seed": str(seed), "run_key": run["key"], **_provenance(training)}
        tags["preregistration"] = run["preregistration"]
        if failure:
            tags |= {"failure": failure["cause"], "failed_epoch": str(failure["epoch"])}
        if not finite.all():
            tags["non_finite"] = ", ".join(sorted(set(own["metric"][~finite])))
        runs.append(
            RecordedRun(
                variant=variant,
                seed=seed,
                status="FAILED" if failure else "FINISHED",
                seconds=run["seconds"],
                parameters=_parameters(training["parameters"]),
                tags=tags,
                metrics=[*own.loc[finite, ["metric", "value", "epoch"]].itertuples(index=False, name=None)],
                samples=grid if seed in evaluated and grid.exists() else None,
            )
        )
    return runs


def _points(variant: str, keys: dict[int, str], reports: Path) -> tuple[pd.DataFrame, set[int]]:
    """A variant's points as rows of seed, epoch, metric and value, and the seeds that were evaluated.

    An evaluation counts for the run whose key it names: after a new training the last one's files remain.
    """
    tables = [pd.read_csv(reports / "history" / f"{variant}.csv")]
    evaluated: set[int] = set()
    if (path := reports / "metrics" / f"{variant}.csv").exists():
        scores = pd.read_csv(path, dtype={"key": str})  # hex may look like a number
        scores = scores[scores["key"] == scores["seed"].map(keys)]
        evaluated = set(scores["seed"])
        labels = ["variant", "status", "failed_epoch", "failure", "key"]
        finished = scores[scores["status"] == "finished"].drop(columns=labels).set_index(["seed", "epoch"])
        # What a variant has no score for, such as a reconstruction, is no score that went wrong.
        tables.append(finished.dropna(axis=1, how="all").reset_index())
    if (path := reports / "snapshots" / f"{variant}.csv").exists():
        snapshots = pd.read_csv(path).drop(columns="variant").rename(columns={"fid": "snapshot_fid"})
        tables.append(snapshots[snapshots["seed"].isin(evaluated)])
    points = pd.concat([table.melt(["seed", "epoch"], var_name="metric") for table in tables])
    return points.astype({"epoch": int, "value": float}), evaluated


def _parameters(settings: dict[str, Any]) -> dict[str, str]:
    """Settings under dotted names, without the seeds: a new seed is no change to the other runs."""
    flat = pd.json_normalize(settings).drop(columns="seeds", errors="ignore").to_dict("records")[0]
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in flat.items()}


def _provenance(training: dict[str, Any]) -> dict[str, str]:
    hardware = training["hardware"]
    checksums = {f"{name}_checksum": value for name, value in training.get("checksums", {}).items()}
    return {"device": hardware["device"], "hardware": hardware["name"], **training["versions"], **checksums}


def _store(root: Path) -> tuple[str, Path | None]:
    """MLflow's address, and its file if it is SQLite's."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root.resolve() / 'mlflow.db').as_posix()}"
    path = make_url(uri).database if uri.startswith("sqlite:") else None
    return uri, Path(path) if path and not path.startswith("file:") else None


def _create(store: Path) -> None:
    """Make an empty store that is there whole or not at all: MLflow can't mend one that it was killed in making."""
    making = part(store)
    for leftover in store.parent.glob(f"{making.name}*"):  # its journal, too
        leftover.unlink()
    MlflowClient(f"sqlite:///{making.resolve().as_posix()}").search_experiments()
    making.replace(store)


def _open(experiment_name: str, uri: str, root: Path) -> tuple[MlflowClient, str]:
    """The store's client and the id of the experiment in it, which is made if it is not there."""
    client = MlflowClient(uri)
    artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else (root.resolve() / "mlartifacts").as_uri()
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return client, client.create_experiment(experiment_name, artifacts)
    if artifacts not in (None, experiment.artifact_location):
        raise StudyError("mlflow.db was made in another folder: delete mlflow.db and mlartifacts")
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        client.restore_experiment(experiment.experiment_id)
    return client, experiment.experiment_id


def _log(run: RecordedRun, client: MlflowClient, experiment: str) -> None:
    now = round(time.time() * 1000)
    started = now - round(run.seconds * 1000)  # the files keep durations, not times of day
    name = f"{run.variant}/seed-{run.seed}"
    run_id = client.create_run(experiment, started, run.tags, name).info.run_id
    client.log_batch(run_id, params=[Param(*parameter) for parameter in run.parameters.items()])
    metrics = [Metric(metric, value, now, step) for metric, value, step in run.metrics]
    for first in range(0, len(metrics), METRICS_PER_REQUEST):
        client.log_batch(run_id, metrics[first : first + METRICS_PER_REQUEST])
    if run.samples:
        client.log_artifact(run_id, str(run.samples), "samples")
    client.set_terminated(run_id, run.status, now)
    client.set_tag(run_id, CONTENT, run.content)


def main() -> None:
    """Synchronise the study in the working directory; a failure exits with one line that names its cause."""
    end_with_pipeline()
    try:
        study = load_study()
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(math.ceil(study.tracking.timeout_seconds))
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
        changes = synchronise(study, sys.argv[1:], Path())
    except Exception as error:
        told = " ".join(str(error).split()) or type(error).__name__
        sys.exit(re.sub("//[^/@]*@", "//", told))
    print("MLflow: {} runs logged, {} superseded, {} unchanged".format(*changes))


if __name__ == "__main__":
    main()
