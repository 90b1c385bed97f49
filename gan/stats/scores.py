"""A run's score, and when it has failed.

A score is positive and lower is better; of differences the logarithm counts, so that an effect is a ratio. A run has
failed if it diverged (the metric is not finite) or collapsed (it draws too few digits): either counts as +infinity,
the worst.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gan.errors import StudyError
from gan.stats.inference import Floats

AVERAGED = ("kid", "precision", "recall", "density", "coverage", "digits")


@dataclass(frozen=True)
class Runs:
    """One variant's runs at one scored epoch, `[run]` each, by rising seed.

    `metric` is NaN where the run diverged; `others` are its other scores.
    """

    seeds: NDArray[np.int64]
    metric: Floats
    collapsed: NDArray[np.bool_]
    others: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        return np.isnan(self.metric)

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        return self.diverged | self.collapsed

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
        """The same runs, the collapsed ones taken for survivors."""
        return replace(self, collapsed=np.zeros_like(self.collapsed))

    def at(self, places: NDArray[np.int64]) -> "Runs":
        """Those runs alone, without their other scores."""
        return Runs(self.seeds[places], self.metric[places], self.collapsed[places])


Scores: TypeAlias = Mapping[str, Mapping[int, Runs]]
"""Each variant's runs by epoch."""


def read_scores(metrics: pd.DataFrame, metric: str, collapse: int) -> Scores:
    """Each variant's runs by epoch; StudyError on a run that can't be scored.

    A finished run whose `digits` are at most `collapse` has collapsed; at 0, or without that column, none has.
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
    drawn = measured["digits"] if "digits" in measured else pd.Series(np.nan, measured.index)
    collapsed = (drawn <= collapse) & (collapse > 0)
    scores: dict[str, dict[int, Runs]] = {}
    for variant, epoch in metrics[["variant", "epoch"]].drop_duplicates().itertuples(index=False):
        rows = measured.loc[(variant, epoch)]
        scores.setdefault(str(variant), {})[int(epoch)] = Runs(
            seeds=rows.index.to_numpy(),
            metric=rows[metric].to_numpy(),
            collapsed=collapsed.loc[(variant, epoch)].to_numpy(),
            others={str(name): rows[name].to_numpy() for name in rows if name != metric},
        )
    return scores
