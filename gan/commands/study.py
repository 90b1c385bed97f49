"""From params.yaml to the verdict, for the whole study or a new variant; one line if it doesn't get there."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from gan import errors, pipeline
from gan.commands.dvc import reproduce
from gan.commands.published import check_joining, check_joining_search
from gan.errors import StudyError
from gan.files import DamagedError, read_json, write_json
from gan.formatting import unknown
from gan.study.loading import load_study
from gan.study.schema import Study

RESULTS = ("dvc.lock", "models", "reports")
TIMES = Path("reports/times.json")


def run_study() -> None:
    """Run what is not up to date, the audit of the losses first; reports/times.json says how long each stage took.

    All missing runs are trained together. The stages that follow find them.
    """
    with _timed_stages() as noted:
        _reproduce("make study", "audit", "download")
        started = time.perf_counter()
        try:
            if train_missing(load_study()):
                pipeline.note("train", time.perf_counter() - started, noted)
        except BaseException as end:
            pipeline.note("train", time.perf_counter() - started, noted)  # the last one noted is the one that failed
            if isinstance(end, errors.Interrupted):
                raise errors.Interrupted(f"interrupted: {_remedy('make study')}") from None
            raise
        _reproduce("make study")


def train_missing(study: Study) -> int:
    """Train every run that neither the store of kept runs nor runs/ has, in the best populations for this machine.

    So also those of the ladder and the search that their tables lack. Returns how many there were.
    """
    # They import torch, which takes seconds.
    from gan.compute import guards, store, trials
    from gan.compute.trainer import STORE, TrainingImages, run_key, train_runs
    from gan.study import preregistration
    from gan.tracking.live import LiveRun, shown_live
    from gan.training.population import RunSpec

    sets = TrainingImages.load(study.data_sets)
    quantiles = study.train.quantiles
    keyed = [
        LiveRun.of(run_key(variant, seed, quantiles, checksum), name, variant, seed, checksum)
        for name, variant in study.variants.items()
        for checksum in (sets[variant.data].checksum,)
        for seed in variant.seeds
    ]
    live = [run for run in keyed if not store.is_exported(Path("runs") / run.variant, run.seed, run.key)]
    missing = [RunSpec(study.variants[run.variant], run.seed) for run in live]
    tabled = trials.tabled_keys(Path("reports"))
    missing += [
        RunSpec(trial.variant, trial.seed)
        for trial in trials.first_trials(study)
        if run_key(trial.variant, trial.seed, quantiles, sets[trial.variant.data].checksum) not in tabled
    ]
    if not missing:
        return 0  # it needs no cluster and no GPU
    with guards.alone("train"):
        declared = preregistration.checksum(study)
        with shown_live(live, study.tracking):
            return train_runs("train", missing, sets, quantiles, study.compute, STORE, declared).new


def join_variant(study: Study, name: str) -> None:
    """Train and score one new variant and compare it with the published scores of the others."""
    study.variant(name)
    command = f"make variant NAME={name}"
    _reproduce(command, "download")
    check_joining(study, name, Path())
    run = (f"train@{name}", f"evaluate@{name}", f"publish@{name}")
    rest = ("compare", "specifications", "robustness", "claims", "tables", "report", "track")
    _reproduce(command, "--single-item", "classify", "floor", "audit", *run, *rest)


def join_search(study: Study, objective: str) -> None:
    """Search the space of recipes under one more objective and compare it with the published searches."""
    if objective not in study.search.objectives:
        known = unknown(objective, study.search.objectives)
        raise StudyError(f"params.yaml, search.objectives: {known}; add it there")
    command = f"make search NAME={objective}"
    _reproduce(command, "download")
    check_joining_search(objective, Path())
    stages = ("classify", "floor", "audit", f"search@{objective}", "robustness", "tables", "report", "track")
    _reproduce(command, "--single-item", *stages)


@contextmanager
def _timed_stages() -> Iterator[Path]:
    """Keep the times of the stages that run; not of the last one if it fails, which will run again.

    Yields the file where they note their times.
    """
    noted = Path(".work/stage-times").resolve()
    noted.parent.mkdir(exist_ok=True)
    noted.unlink(missing_ok=True)
    os.environ[pipeline.TIMES] = str(noted)
    finished = False
    try:
        yield noted
        finished = True
    finally:
        del os.environ[pipeline.TIMES]
        with suppress(OSError):  # the study's own end is what is to be reported
            _keep_times(pipeline.noted_times(noted), finished)
            noted.unlink(missing_ok=True)


def _keep_times(seconds: dict[str, float], finished: bool) -> None:
    """Bring reports/times.json up to date: every stage's last time, in the order in which stages run."""
    if seconds and not finished:
        seconds.popitem()
    if not seconds:
        return
    import torch  # it takes seconds, and so does what imports it

    from gan.compute.hardware import describe_hardware, kind

    try:
        times = read_json(TIMES) if TIMES.exists() else {}
    except DamagedError:
        times = {}
    hardware = describe_hardware("cuda" if torch.cuda.is_available() else "cpu")
    more = {"hardware": kind(hardware), "noted": datetime.now(UTC).isoformat(timespec="seconds")}
    times |= {stage: {"seconds": round(took, 1), **more} for stage, took in seconds.items()}
    order = pipeline.stages()
    known = [stage for stage in times if stage in order or "@" not in stage]  # a variant may have been removed
    known.sort(key=lambda stage: order.index(stage) if stage in order else -1)
    write_json(TIMES, {stage: times[stage] for stage in known})


def _reproduce(command: str, *arguments: str) -> None:
    """Run `dvc repro`; after an interruption or a failure the error says how to go on and how to go back."""
    try:
        reproduce(*arguments)
    except errors.Interrupted:
        raise errors.Interrupted(f"interrupted: {_remedy(command)}") from None
    except StudyError as failure:
        raise StudyError(f"{failure}. {_remedy(command)}") from None


def _remedy(command: str) -> str:
    # DVC removes the results of a stage before it runs the stage.
    back = f"; `git checkout {' '.join(RESULTS)}` goes back to the published results" if _results_differ() else ""
    return f"`{command}` goes on from here{back}"


def _results_differ() -> bool:
    """Whether git is there and has other results than the folder."""
    try:
        return (
            subprocess.run(["git", "diff", "--quiet", "--", *RESULTS], capture_output=True, check=False).returncode == 1
        )
    except FileNotFoundError:
        return False
