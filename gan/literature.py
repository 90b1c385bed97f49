"""The published table that this study's order is set beside."""

from collections.abc import Mapping
from typing import Any

from scipy import stats

LUCIC = {
    "minimax": (9.8, 0.9),
    "non_saturating": (6.8, 0.5),
    "lsgan": (7.8, 0.6),
    "wgan": (6.7, 0.4),
    "wgan_gp": (20.3, 5.0),
    "dragan": (7.6, 0.4),
}
"""Inception FID on MNIST, mean and standard deviation of the best of a wide search (Lucic et al. 2018, table 2).

Severe collapses were left out of the published means.
"""


def beside_the_published(scores: Mapping[str, float]) -> dict[str, Any]:
    """Both orders of the variants that the table and `scores` (geometric mean FID) have, best first, and Kendall's τ.

    `tau` and its exact two-sided p are None for fewer than three variants.
    """
    shared = [name for name in LUCIC if name in scores]
    published, ours = [LUCIC[name][0] for name in shared], [scores[name] for name in shared]
    known = len(shared) > 2
    found = stats.kendalltau(published, ours, method="exact") if known else None
    return {
        "published": sorted(shared, key=lambda name: LUCIC[name][0]),
        "ours": sorted(shared, key=lambda name: scores[name]),
        "fids": {
            name: {"published": LUCIC[name][0], "spread": LUCIC[name][1], "ours": scores[name]} for name in shared
        },
        "tau": float(found.statistic) if found else None,
        "p": float(found.pvalue) if found else None,
    }
