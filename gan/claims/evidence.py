"""What the study measured, as the tests of claims see it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from gan.compute.tables import collapsed
from gan.records.claims import Identity
from gan.records.comparison import Comparison, Contrast
from gan.records.mechanism import Mechanism, Step


class UntestedError(Exception):
    """Something that a claim's test needs is not in this study."""


@dataclass(frozen=True)
class Evidence:
    """The identities by their keys, and what the files in `reports/` hold.

    `floor` has the scores of training images by data set. `metrics` has a row per run and scored epoch, `history` one
    per run and epoch; both name their `variant`, and `metrics` its `data` set.
    """

    identities: dict[str, Identity]
    mechanism: Mechanism
    comparison: Comparison
    floor: dict[str, dict[str, Any]]
    metrics: pd.DataFrame
    history: pd.DataFrame

    def holds(self, *keys: str) -> bool:
        """Whether all these identities hold."""
        return all(self.identities[key].holds for key in keys)

    def errors(self, *keys: str) -> dict[str, float]:
        """The errors of these identities as a finding's numbers."""
        return {f"{key}.error": self.identities[key].error for key in keys}

    def runs(self, variant: str, epoch: int | None = None) -> pd.DataFrame:
        """The variant's scored runs after so many epochs, by default its last, with columns `collapsed` and `failed`.

        UntestedError if there are none.
        """
        runs = self.metrics[self.metrics["variant"] == variant]
        runs = runs[runs["epoch"] == (runs["epoch"].max() if epoch is None else epoch)]
        if runs.empty:
            raise UntestedError(f"variant {variant}" + (f" after {epoch} epochs" if epoch else ""))
        runs = runs.assign(collapsed=collapsed(runs, self.comparison.collapse))
        return runs.assign(failed=runs["collapsed"] | (runs["status"] != "finished"))

    def rivals(self, variant: str, against: str) -> pd.DataFrame:
        """The runs of `against` after as many epochs as those of `variant`; UntestedError if they are on other data."""
        runs = self.runs(variant)
        rivals = self.runs(against, int(runs["epoch"].iloc[0]))
        if runs["data"].iloc[0] != rivals["data"].iloc[0]:
            raise UntestedError(f"{variant} and {against} on the same data")
        return rivals

    def floor_of(self, runs: pd.DataFrame) -> dict[str, Any]:
        """What training images score on the data set of one variant's runs."""
        return self.floor[runs["data"].iloc[0]]

    def epochs(self, variant: str) -> pd.DataFrame:
        """The variant's history, a row per run and epoch."""
        return self.history[self.history["variant"] == variant]

    def contrast(self, variant: str, against: str) -> Contrast:
        """The comparison's contrast of the two; UntestedError if there is none."""
        for contrast in self.comparison.contrasts:
            if (contrast.variant, contrast.against) == (variant, against):
                return contrast
        raise UntestedError(f"contrast of {variant} with {against}")

    def fresh_discriminators(self, loss: str, epoch: int | None = None) -> dict[tuple[int, int], list[Step]]:
        """The steps of new discriminators under `loss`, by the seed and the age in epochs of the frozen generator.

        With `epoch`, those against generators of that age alone. UntestedError if there are none.
        """
        discriminators: dict[tuple[int, int], list[Step]] = {}
        for row in self.mechanism.fresh_discriminator:
            if row.loss == loss and epoch in (None, row.epoch):
                discriminators.setdefault((row.seed, row.epoch), []).append(row)
        if not discriminators:
            raise UntestedError("fresh discriminators")
        return discriminators
