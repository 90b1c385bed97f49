"""What a claim's test finds, and what tests of claims share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pandas as pd
from scipy import stats

from gan.records.claims import Numbers, Verdict


@dataclass(frozen=True)
class Finding:
    """What a claim's test found: the verdict by its rule, a sentence that says why, and the numbers behind it."""

    verdict: Verdict
    sentence: str
    numbers: Numbers


Rule: TypeAlias = Callable[..., Finding]
"""Evidence and thresholds to a finding; UntestedError if the study lacks something that the rule needs."""


def decide(supported: bool, refuted: bool) -> Verdict:
    return "supported" if supported else "refuted" if refuted else "undecided"


def stated(statement: str, true: bool) -> str:
    return statement if true else f"Not so: {statement}"


@dataclass(frozen=True)
class Signs:
    """Seeds for a statement and seeds against it, and the exact sign test's verdict at `alpha`."""

    seeds_for: int
    seeds_against: int
    p: float
    alpha: float

    @classmethod
    def of(cls, seeds_for: pd.Series, seeds_against: pd.Series, alpha: float) -> "Signs":
        """From bool `[seed]`; seeds that are neither, as ties, have no say."""
        agree, disagree = int(seeds_for.sum()), int(seeds_against.sum())
        p = float(stats.binomtest(agree, agree + disagree).pvalue) if agree + disagree else 1.0
        return cls(agree, disagree, p, alpha)

    @property
    def shown(self) -> bool:
        """Whether more seeds are for it than chance would have."""
        return self.p <= self.alpha and self.seeds_for > self.seeds_against

    @property
    def opposite_shown(self) -> bool:
        """Whether more seeds are against it than chance would have."""
        return self.p <= self.alpha and self.seeds_for < self.seeds_against
