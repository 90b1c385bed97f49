"""The published table that this study's order of variants is compared with."""

from collections.abc import Sequence

from scipy import stats

from gan.records.comparison import BothFids, Literature, Standing

DATA = "mnist"
LUCIC = {
    "minimax": (9.8, 0.9),
    "non_saturating": (6.8, 0.5),
    "lsgan": (7.8, 0.6),
    "wgan": (6.7, 0.4),
    "wgan_gp": (20.3, 5.0),
    "dragan": (7.6, 0.4),
    "vae": (23.8, 0.6),
}
"""Inception FID on MNIST, mean and standard deviation of the best of a wide search (Lucic et al. 2018, table 2).

Severe collapses were left out of the published means.
"""


def compare_with_published(standings: Sequence[Standing]) -> Literature | None:
    """The published order beside this study's ranking, in which failures come last; p is exact and two-sided.

    It is that of the standing on the published data set with the most of the table's variants, of those the last; None
    without one.
    """
    on_same_data = [standing for standing in standings if standing.data == DATA]
    if not on_same_data:
        return None
    standing = max(on_same_data[::-1], key=lambda standing: len(LUCIC.keys() & standing.variants))
    measured = [name for name in standing.ranking if name in LUCIC]
    published = sorted(measured, key=lambda name: LUCIC[name][0])
    places = [[order.index(name) for name in measured] for order in (measured, published)]
    kendall = stats.kendalltau(*places, method="exact") if len(measured) > 2 else None
    return Literature(
        data=DATA,
        epochs=standing.epochs,
        published=published,
        ours=measured,
        fids={name: BothFids(*LUCIC[name], standing.variants[name].scored_mean) for name in published},
        tau=float(kendall.statistic) if kendall else None,
        p=float(kendall.pvalue) if kendall else None,
    )
