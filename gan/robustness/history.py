"""What the studies of this project found, and their pooled estimate."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from gan.records.robustness import History, PastContrast, PastStudy, Pooled
from gan.stats.inference import mean_estimate, sign_flip_test

AGAIN = "-again"  # a study's name ends so if it trained the same seeds as another one


def past(
    studies: Mapping[str, pd.DataFrame], contrasts: Sequence[tuple[str, str]], metric: str, confidence: float
) -> History:
    """Each study's contrasts `(variant, against)`, and their ratios pooled.

    A table has a row per run of one study, after its last epoch: `variant`, `seed` and the metric.
    """
    told = [_study(name, table, contrasts, metric, confidence) for name, table in studies.items()]
    pooled = [_pooled([study for study in told if study.pooled], *pair, confidence) for pair in contrasts]
    return History(metric, told, [each for each in pooled if each])


def _study(
    name: str, table: pd.DataFrame, contrasts: Sequence[tuple[str, str]], metric: str, confidence: float
) -> PastStudy:
    logs = table.assign(log=np.log(table[metric])).pivot_table("log", "seed", "variant")
    found = []
    for variant, against in contrasts:
        if {variant, against} <= set(logs):
            differences = np.asarray((logs[variant] - logs[against]).dropna())
            if len(differences) > 1:
                ratio = mean_estimate(differences, confidence).exp()
                p = sign_flip_test(differences)
                found.append(PastContrast(variant, against, len(differences), ratio.value, ratio.low, ratio.high, p))
    runs = {str(variant): int(count) for variant, count in table["variant"].value_counts(sort=False).items()}
    return PastStudy(name, not name.endswith(AGAIN), runs, found)


def _pooled(studies: Sequence[PastStudy], variant: str, against: str, confidence: float) -> Pooled | None:
    """None for fewer than two studies."""
    found = [
        each for study in studies for each in study.contrasts if (each.variant, each.against) == (variant, against)
    ]
    if len(found) < 2:
        return None
    logs = np.log([each.ratio for each in found])
    # Back from the interval to the standard error of each study's mean.
    quantiles = [stats.t.ppf((1 + confidence) / 2, each.n - 1) for each in found]
    errors = [np.log(each.high / each.low) / 2 / quantile for each, quantile in zip(found, quantiles, strict=True)]
    result = combine_effects(logs, np.square(errors), method_re="iterated", use_t=False)
    table = result.summary_frame(alpha=1 - confidence)
    effect, low, high = np.exp(table.loc["random effect", ["eff", "ci_low", "ci_upp"]].astype(float))
    return Pooled(variant, against, len(found), float(effect), float(low), float(high), max(0.0, float(result.i2)))
