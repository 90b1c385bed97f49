"""Training the runs of a designed experiment, which are kept with all others under their keys."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gan.compute.store import common, kept_record
from gan.compute.tables import read_table
from gan.compute.trainer import STORE, TrainingImages, code_checksum, run_key, train_runs
from gan.errors import StudyError
from gan.records.training import Machine, Provenance
from gan.study import preregistration
from gan.study.designs import Trial, search_trials
from gan.study.schema import Study
from gan.training.population import RunSpec


@dataclass(frozen=True)
class TrainedTrial:
    """A trial, its run's key and the folder where that is kept."""

    trial: Trial
    key: str
    folder: Path


def train_trials(title: str, trials: Sequence[Trial], study: Study) -> list[TrainedTrial]:
    """Train those trials whose runs are not kept yet; all of them, in their order."""
    sets = TrainingImages.load({trial.variant.data for trial in trials})
    quantiles = study.train.quantiles
    specs = [RunSpec(trial.variant, trial.seed) for trial in trials]
    trained = train_runs(title, specs, sets, quantiles, study.compute, STORE, preregistration.checksum(study))
    keys = [run_key(trial.variant, trial.seed, quantiles, sets[trial.variant.data].checksum) for trial in trials]
    return [TrainedTrial(trial, key, trained.kept[key]) for trial, key in zip(trials, keys, strict=True)]


def first_trials(study: Study) -> list[Trial]:
    """All trials that are known before any is scored: the ladder's, and each configuration of the search once."""
    searched = [search_trials(study.search, study.baseline, objective) for objective in study.search.objectives]
    return [*study.ladder.trials, *(trial for trials in searched for trial in trials)]


def tabled_keys(reports: Path) -> set[str]:
    """The keys of the runs that the tables of trials have; a table that can't be read has none."""
    keys: set[str] = set()
    for path in (reports / "ladder.csv", *(reports / "search").glob("*.csv")):
        with suppress(StudyError, FileNotFoundError):
            keys.update(read_table(path)["key"])
    return keys


def provenance(trained: Sequence[TrainedTrial]) -> Provenance:
    """How these trials were trained, as their kept runs say."""
    records = {each.key: kept_record(each.folder) for each in trained}
    return Provenance(
        code=code_checksum(),
        hardware=Machine(**common(record["hardware"] for record in records.values())),
        versions=common(record["versions"] for record in records.values()),
        preregistration=common({"checksum": record["preregistration"]} for record in records.values())["checksum"],
        seconds={key: record["seconds"] for key, record in records.items()},
    )
