"""What the study measured, as the tests of claims see it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from gan.compute.tables import FAILURES, states
from gan.records.claims import Identity
from gan.records.comparison import Comparison, Contrast
from gan.records.mechanism import FreshSummary, Mechanism, Step

LEAST_FOR_ORDER = 3
"""With two points a rank correlation is 1 or −1 whatever they are."""


class UntestedError(Exception):
    """Something that a claim's test needs is not in this study."""


@dataclass(frozen=True)
class Evidence:
    """The identities by their keys, and what the files in `reports/` hold.

    `floor` has the scores of training images by data set. `metrics` has a row per run and scored epoch, `history` one
    per run and epoch, `snapshots` one per run and kept generator; all name their `variant`, and `metrics` its `data`
    set.
    """

    identities: dict[str, Identity]
    mechanism: Mechanism
    comparison: Comparison
    floor: dict[str, dict[str, Any]]
    metrics: pd.DataFrame
    history: pd.DataFrame
    snapshots: pd.DataFrame

    def holds(self, *keys: str) -> bool:
        """Whether all these identities hold."""
        return all(self.identities[key].holds for key in keys)

    def errors(self, *keys: str) -> dict[str, float]:
        """The errors of these identities as a finding's numbers."""
        return {f"{key}.error": self.identities[key].error for key in keys}

    def runs(self, variant: str, epoch: int | None = None) -> pd.DataFrame:
        """The variant's scored runs after so many epochs, by default its last, with columns `state` and `failed`.

        UntestedError if there are none.
        """
        runs = self.metrics[self.metrics["variant"] == variant]
        runs = runs[runs["epoch"] == (runs["epoch"].max() if epoch is None else epoch)]
        if runs.empty:
            raise UntestedError(f"variant {variant}" + (f" after {epoch} epochs" if epoch else ""))
        runs = runs.assign(state=states(runs, self.comparison.learnt))
        return runs.assign(failed=runs["state"].isin(FAILURES))

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

    def fid_without_learning(self, runs: pd.DataFrame) -> float:
        """The best FID of the controls that draw nothing, as the mean image and static noise, on these runs' data."""
        controls = self.floor_of(runs).get("controls")
        if not controls:
            raise UntestedError("scores of the mean image and of noise")
        return min(float(control["fid"]) for control in controls.values())

    def epochs(self, variant: str) -> pd.DataFrame:
        """The variant's history, a row per run and epoch, by epoch."""
        return self.history[self.history["variant"] == variant].sort_values("epoch")

    def trends(self, variant: str, quantity: str, first: int) -> pd.Series:
        """Does `quantity` rise as FID falls? By seed, from −1 (always falls) to 1 (always rises).

        It is minus Spearman's correlation of the epoch's mean with the FID of the epoch's last generator, over the kept
        generators from epoch `first` on; NaN where either is constant. UntestedError if they are too few for an order.
        """
        snapshots = self.snapshots[self.snapshots["variant"] == variant]
        both = self.epochs(variant).merge(snapshots[["seed", "epoch", "fid"]], on=["seed", "epoch"])
        trends = {
            seed: -float(run[[quantity, "fid"]].corr(method="spearman").to_numpy()[0, 1])
            for seed, run in both[both["epoch"] >= first].groupby("seed")
            if len(run) >= LEAST_FOR_ORDER
        }
        if not trends:
            raise UntestedError(f"{LEAST_FOR_ORDER} generators of {variant} kept from epoch {first} on")
        return pd.Series(trends)

    def contrast(self, variant: str, against: str) -> Contrast:
        """The comparison's contrast of the two; UntestedError if there is none."""
        found = self.any_contrast(variant, against)
        if found is None:
            raise UntestedError(f"contrast of {variant} with {against}")
        return found

    def any_contrast(self, variant: str, against: str) -> Contrast | None:
        """The comparison's contrast of the two, if there is one."""
        pairs = {(contrast.variant, contrast.against): contrast for contrast in reversed(self.comparison.contrasts)}
        return pairs.get((variant, against))

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

    def fresh_epochs(self, loss: str) -> list[FreshSummary]:
        """The means of new discriminators' epochs under `loss`, the youngest generators first; empty without any."""
        rows = [row for row in self.mechanism.fresh_summaries if row.loss == loss]
        return sorted(rows, key=lambda row: (row.epoch, row.seed))
