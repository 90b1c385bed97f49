"""A run's score, when it has failed, and the pairs that two variants make on their shared seeds.

A score is positive and lower is better. Of differences the logarithm counts, so an effect is a ratio. A run has failed
if it diverged (it has no score), fell into mode collapse or never learnt (`gan.compute.tables.states`). Each of these
counts as +infinity, the worst. A run that has not learnt yet counts by its score.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gan.compute.tables import FAILURES, Learnt, states
from gan.errors import StudyError
from gan.stats.inference import Floats, signed_ranks

AVERAGED = ("kid", "precision", "recall", "density", "coverage", "digits")


@dataclass(frozen=True)
class Runs:
    """One variant's runs at one scored epoch, `[run]` each, by rising seed.

    `metric` is NaN where the run diverged; `states` are those of `gan.compute.tables`, `others` its other scores.
    """

    seeds: NDArray[np.int64]
    metric: Floats
    states: NDArray[np.object_]
    others: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        return np.isin(self.states, FAILURES)

    def count(self, state: str) -> int:
        """How many runs are in that state."""
        return int((self.states == state).sum())

    @cached_property
    def ranked(self) -> Floats:
        """The metric, +inf where the run failed."""
        return np.where(self.failed, np.inf, self.metric)

    @cached_property
    def survivors(self) -> Floats:
        """The metric of the runs that didn't fail."""
        return self.metric[~self.failed]

    @property
    def scored(self) -> "Runs":
        """The same runs, as if all those that have a score had learnt."""
        return replace(self, states=np.where(self.states == "diverged", self.states, "learnt"))

    def at(self, places: NDArray[np.int64]) -> "Runs":
        """The runs at these places, without their other scores."""
        return Runs(self.seeds[places], self.metric[places], self.states[places])


Scores: TypeAlias = Mapping[str, Mapping[int, Runs]]
"""Each variant's runs by epoch."""


def read_scores(metrics: pd.DataFrame, metric: str, learnt: Learnt) -> Scores:
    """Each variant's runs by epoch.

    `metrics` has a row per run and scored epoch, with what `gan.compute.tables.states` asks for.

    Raises:
        StudyError: an epoch of a run appears twice, has an unknown status or is finished without a positive metric.
    """
    runs = metrics.set_index(["variant", "epoch", "seed"]).sort_index()
    finished = (runs["status"] == "finished").to_numpy()
    measured = runs[[metric, *(name for name in AVERAGED if name in runs and name != metric)]].astype(float)
    complete = np.isfinite(measured.to_numpy()).all(axis=1)
    faults: dict[str, NDArray[np.bool_]] = {
        "has more than one row of metrics": np.asarray(runs.index.duplicated()),
        "is neither finished nor failed": ~runs["status"].isin(["finished", "failed"]).to_numpy(),
        "finished, but a metric is missing or infinite": finished & ~complete,
        f"finished, but its {metric} is not positive": finished & (measured[metric] <= 0).to_numpy(),
    }
    for fault, faulty in faults.items():
        if faulty.any():
            variant, epoch, seed = runs.index[faulty][0]
            raise StudyError(f"{variant}, seed {seed}, epoch {epoch}: the run {fault}; evaluate {variant} again")
    measured.loc[~finished] = np.nan
    kinds = states(runs.reset_index(), learnt).set_axis(runs.index)
    scores: dict[str, dict[int, Runs]] = {}
    for variant, epoch in metrics[["variant", "epoch"]].drop_duplicates().itertuples(index=False):
        rows = measured.loc[(variant, epoch)]
        scores.setdefault(str(variant), {})[int(epoch)] = Runs(
            seeds=rows.index.to_numpy(),
            metric=rows[metric].to_numpy(),
            states=kinds.loc[(variant, epoch)].to_numpy(),
            others={str(name): rows[name].to_numpy() for name in rows if name != metric},
        )
    return scores


def on_shared_seeds(variant: Runs, against: Runs) -> tuple[Runs, Runs]:
    """The runs on the seeds that both variants have: the runs at one place are a pair."""
    _, first, second = np.intersect1d(variant.seeds, against.seeds, assume_unique=True, return_indices=True)
    return variant.at(first), against.at(second)


def log_differences(variant: Runs, against: Runs) -> Floats:
    """Of paired runs, `[pair]`: below 0 where `variant` is better; ±inf where one run failed, 0 where both did."""
    known = ~(variant.failed & against.failed)
    return np.subtract(np.log(variant.ranked), np.log(against.ranked), out=np.zeros(len(known)), where=known)


def survivors_log_differences(variant: Runs, against: Runs) -> Floats:
    """Of the pairs in which both runs survived, `[pair]`."""
    return log_differences(variant, against)[~(variant.failed | against.failed)]


def ordered_differences(variant: Runs, against: Runs) -> Floats:
    """What sign flips are tested on, `[pair]`: log differences, their signed ranks if a failure makes one infinite."""
    differences = log_differences(variant, against)
    return signed_ranks(differences) if np.isinf(differences).any() else differences


def failed_alone(variant: Runs, against: Runs) -> tuple[int, int]:
    """Pairs in which `variant` failed and `against` did not, and the reverse."""
    return int((variant.failed & ~against.failed).sum()), int((against.failed & ~variant.failed).sum())
