"""MLflow as a window on the study: it shows what the files record and can be rebuilt from them at any time."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from gan.compute.guards import LOCK_SECONDS, TakenError, lock
from gan.errors import StudyError
from gan.files import part
from gan.study.schema import Study
from gan.tracking import SHOWN
from gan.tracking.live import LIVE, is_live
from gan.tracking.page import SHARED_VIEW, experiment_tags
from gan.tracking.recorded import RecordedRun, recorded_runs
from gan.tracking.summary import NAME as SUMMARY
from gan.tracking.summary import recorded_summary
from gan.tracking.trials import experiments, recorded_trials

os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # MLflow reads it when it is imported
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, Param
from sqlalchemy import URL, make_url

from gan.tracking.attachments import attach, commit, forget_models

CONTENT = "content"  # tag with the record's digest, set last: a run without it is outdated or was cut short
ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"  # the variable with the folder of a new store's first experiment
PER_REQUEST = 1_000  # MLflow's limit of metrics and parameters
RUNS_PER_SEARCH = 50_000  # MLflow's limit
MOST_LOCK_SECONDS = 600.0  # for another process that logs a whole study


class Changes(NamedTuple):
    """How many runs were logged, superseded, and up to date already."""

    logged: int
    superseded: int
    unchanged: int


def synchronise(study: Study, variants: Collection[str], root: Path) -> Changes:
    """Show each recorded run of `variants` in MLflow once, and no other run of theirs.

    No names mean all variants, all trials of the designed experiments, which are runs as well (an experiment under one
    objective is treated like a variant), and the summary of the study.

    The store is `MLFLOW_TRACKING_URI`, else `mlflow.db` in `root`, where `reports/` has the records. A run that is not
    as recorded is superseded and logged again, because MLflow never forgets a point. When all are shown, the runs of
    variants that have left the study are superseded, too. The runs of a variant without files stay as they are.

    StudyError for an unknown variant or a store from another folder, and MLflow's own errors.
    """
    for name in variants:
        study.variant(name)
    reports = root / "reports"
    designed = experiments(study, reports)
    known = {*study.variants, *(each.name for each in designed), SUMMARY}
    unchanged = 0
    with opened(study.tracking.experiment, root) as (client, experiment):
        recorded = {
            name: recorded_runs(name, study.variants[name].seeds, reports)
            for name in variants or study.variants
            if (reports / "training" / f"{name}.json").exists()
        }
        if not variants:
            checksums = {run.data.name: run.data.checksum for runs in recorded.values() for run in runs if run.data}
            recorded |= {each.name: recorded_trials(each, checksums) for each in designed if each.is_recorded}
            if summary := recorded_summary(reports):
                recorded[SUMMARY] = summary
        missing = {run.content: run for runs in recorded.values() for run in runs}
        # A search returns everything that MLflow has of a run, so it is limited to the variants that are asked for.
        searches = [f"tags.variant = '{name}'" for name in recorded] if variants else [""]
        shown = [client.search_runs([experiment], search, max_results=RUNS_PER_SEARCH) for search in searches]
        is_training = is_live(root)
        outdated: set[str] = set()
        for run in chain.from_iterable(shown):
            variant = run.data.tags.get("variant")
            if missing.pop(run.data.tags.get(CONTENT, ""), None):
                unchanged += 1
            elif is_training and LIVE in run.data.tags:
                continue  # the next update replaces it, when its training is recorded
            elif variant in recorded or (variant and not variants and variant not in known):
                if run.info.status == "RUNNING":
                    client.set_terminated(run.info.run_id, "KILLED")
                # A deleted run is in no list of runs, but stays readable and restorable until `mlflow gc`.
                client.set_tag(run.info.run_id, "superseded", "true")
                client.delete_run(run.info.run_id)
                outdated.add(run.info.run_id)
        forget_models(client, experiment, outdated)
        for record in missing.values():
            _log(record, client, experiment)
    return Changes(len(missing), len(outdated), unchanged)


@contextmanager
def opened(experiment: str, root: Path) -> Iterator[tuple[MlflowClient, str]]:
    """The store's client and the id of the experiment of this name, both made if they are missing.

    One at a time: two processes would log the same runs, and crash if both created the tables of a new store.
    """
    uri, store = _store(root)
    with _alone(Path(f"{store or root / 'mlflow.db'}.lock")):
        if store and not store.exists():
            _create(store)
        yield _open(experiment, uri, root)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock; after some seconds a line says what this waits for, and after long there is an error."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(path, LOCK_SECONDS))
        except TakenError as taken:
            with open(int(os.environ.get(SHOWN, 2)), "w", encoding="utf-8", closefd=False) as shown:
                print(f"MLflow's update waits: {taken}", file=shown)
            stack.enter_context(lock(path, MOST_LOCK_SECONDS))
        yield


def _store(root: Path) -> tuple[str, Path | None]:
    """MLflow's address, and the path of its file if it is an SQLite store."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or _address(root / "mlflow.db")
    path = make_url(uri).database if uri.startswith("sqlite:") else None
    return uri, Path(path) if path and not path.startswith("file:") else None


def _create(store: Path) -> None:
    """Make an empty store and then put it in place: MLflow can't repair one that it was killed while making."""
    unfinished = part(store)
    for leftover in store.parent.glob(f"{unfinished.name}*"):  # including its journal
        leftover.unlink()
    # MLflow pastes this folder into SQL, where a URL's percent signs can't be mistaken for anything.
    os.environ[ARTIFACT_ROOT] = (store.parent.resolve() / "mlartifacts").as_uri()
    try:
        MlflowClient(_address(unfinished)).search_experiments()
    finally:
        del os.environ[ARTIFACT_ROOT]
    unfinished.replace(store)


def _address(path: Path) -> str:
    """The address of an SQLite file, seen from here: the names of the folders above need not be legal in one."""
    return URL.create("sqlite", database=os.path.relpath(path)).render_as_string()


def _open(experiment_name: str, uri: str, root: Path) -> tuple[MlflowClient, str]:
    """The store's client and the id of the experiment in it, which is created if it is missing."""
    client = MlflowClient(uri)
    artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else (root.resolve() / "mlartifacts").as_uri()
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        tags = experiment_tags(experiment_name)
        return client, client.create_experiment(experiment_name, artifacts, tags)
    if artifacts not in (None, experiment.artifact_location):
        raise StudyError("mlflow.db was made in another folder: delete mlflow.db and mlartifacts")
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        client.restore_experiment(experiment.experiment_id)
    for name, value in experiment_tags(experiment_name).items():
        if experiment.tags.get(name) != value and (name not in experiment.tags or name.startswith(SHARED_VIEW)):
            client.set_experiment_tag(experiment.experiment_id, name, value)  # a user's own description stays
    return client, experiment.experiment_id


def _log(run: RecordedRun, client: MlflowClient, experiment: str) -> None:
    now = round(time.time() * 1000)
    started = now - round(run.seconds * 1000)  # the files record durations, not times of day
    head = commit(run.tags["code_checksum"]) if "code_checksum" in run.tags else None
    tags = run.tags | ({"mlflow.source.git.commit": head} if head else {})
    run_id = client.create_run(experiment, started, tags, run.name).info.run_id
    parameters = [Param(*parameter) for parameter in run.parameters.items()]
    metrics = [Metric(metric, value, now, step) for metric, value, step in run.metrics]
    first = PER_REQUEST - len(parameters)
    client.log_batch(run_id, metrics[:first], parameters)
    for place in range(first, len(metrics), PER_REQUEST):
        client.log_batch(run_id, metrics[place : place + PER_REQUEST])
    attach(run, client, experiment, run_id)
    client.set_terminated(run_id, run.status, now)
    client.set_tag(run_id, CONTENT, run.content)
