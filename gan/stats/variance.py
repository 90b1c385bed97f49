"""Where the spread of a variant's scores over seeds comes from: initial weights, data, or the latents of evaluation."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats


def sources_of_spread(
    metrics: pd.DataFrame, reference: str, pinned: Mapping[str, Iterable[str]], confidence: float
) -> list[dict[str, Any]]:
    """SD of log FID over seeds, of the reference and of variants that differ from it only by pinned random streams.

    `metrics` has a row per run and scored epoch; runs are taken after the last epoch that all these variants are
    scored at. `pinned` names each such variant's pinned streams. A row `evaluation latents` has the SD between two
    evaluations of one generator on other latents. Each SD has its chi-squared interval, right for normal logs.
    """
    metrics = metrics[metrics["status"] == "finished"]
    names = [reference, *pinned]
    scored = [set(metrics.loc[metrics["variant"] == name, "epoch"]) for name in names]
    common = set.intersection(*scored)
    if not common:
        return []
    own = metrics[metrics["epoch"] == max(common)]
    found = [
        {
            "source": source,
            "variant": name,
            "epoch": int(max(common)),
            **_spread(np.log(runs), len(runs) - 1, confidence),
        }
        for name in names
        for source in [f"all but {' and '.join(pinned[name])}" if name in pinned else "everything"]
        for runs in [own.loc[own["variant"] == name, "fid"].to_numpy(float)]
        if len(runs) > 2
    ]
    runs = own[own["variant"] == reference]
    differences = (np.log(runs["fid_last"]) - np.log(runs["fid_again"])).to_numpy(float)
    if len(differences) > 1:
        sd = float(np.sqrt((differences**2).mean() / 2))
        bounds = _bounds(sd, len(differences), confidence)
        entry = {"source": "evaluation latents", "variant": reference, "epoch": int(max(common))}
        found.append({**entry, "n": len(differences), "sd": sd, **bounds})
    return found


def _spread(logs: np.ndarray, freedom: int, confidence: float) -> dict[str, Any]:
    sd = float(logs.std(ddof=1))
    return {"n": len(logs), "sd": sd, **_bounds(sd, freedom, confidence)}


def _bounds(sd: float, freedom: int, confidence: float) -> dict[str, float]:
    tail = (1 - confidence) / 2
    low, high = sd * np.sqrt(freedom / stats.chi2.ppf([1 - tail, tail], freedom))
    return {"low": float(low), "high": float(high)}
