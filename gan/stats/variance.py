"""How much of the variation over seeds comes from initial weights, from data and from the latents of evaluation."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from gan.records.comparison import Source
from gan.stats.inference import Floats


def sources_of_variation(
    metrics: pd.DataFrame, reference: str, pinned: Mapping[str, Iterable[str]], confidence: float
) -> list[Source]:
    """Standard deviations of the reference and of variants that differ from it only by pinned random streams.

    `metrics` has a row per run and scored epoch; runs are taken after the last epoch that all these variants are
    scored at. `pinned` names each such variant's pinned streams. The source `evaluation latents` has the standard
    deviation between two evaluations of one generator on different latents. The intervals are chi-squared, right for
    normal logs.
    """
    finished = metrics[metrics["status"] == "finished"]
    names = [reference, *pinned]
    epochs = set.intersection(*(set(finished.loc[finished["variant"] == name, "epoch"]) for name in names))
    if not epochs:
        return []
    epoch = int(max(epochs))
    runs = {name: finished[(finished["epoch"] == epoch) & (finished["variant"] == name)] for name in names}
    sources, tail = [], (1 - confidence) / 2
    for name in names:
        logs = np.log(runs[name]["fid"].to_numpy(float))
        if len(logs) > 2:
            what = f"all but {' and '.join(pinned[name])}" if name in pinned else "everything"
            sd = float(logs.std(ddof=1))
            sources.append(Source(what, name, epoch, len(logs), sd, *interval_of_sd(sd, len(logs) - 1, tail)))
    differences = _evaluated_again(runs[reference])
    if len(differences) > 1:
        n, sd = len(differences), float(np.sqrt((differences**2).mean() / 2))
        sources.append(Source("evaluation latents", reference, epoch, n, sd, *interval_of_sd(sd, n, tail)))
    return sources


def _evaluated_again(runs: pd.DataFrame) -> Floats:
    """Log differences between two evaluations of each run's last generator, `[run]`."""
    return (np.log(runs["fid_last"]) - np.log(runs["fid_again"])).to_numpy(float)


def interval_of_sd(sd: float, freedom: int, tail: float) -> tuple[float, float]:
    """The chi-squared interval of a normal sample's standard deviation, with the probability `tail` beyond each end."""
    low, high = sd * np.sqrt(freedom / stats.chi2.ppf([1 - tail, tail], freedom))
    return float(low), float(high)
