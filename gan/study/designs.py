"""Designed experiments: the ladder of single changes, the paired search, and the runs that they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from gan.study.fields import FROM_LIST, Fraction, Label, Name, Positive, PositiveFloat, Seed, Seeds, no_duplicates
from gan.study.recipe import Adam, Section, Variant

Objectives = Annotated[tuple[Name, ...], FROM_LIST, Field(min_length=1), AfterValidator(no_duplicates)]
Value = int | float | str

PRINTED = 0  # the configuration that is the printed recipe


@dataclass(frozen=True)
class Trial:
    """One run of a designed experiment: its place in it by labels, its recipe and its seed."""

    labels: dict[str, Value]
    variant: Variant
    seed: int


class Ladder(Section):
    """One change of the baseline at a time, under each objective on the same seeds.

    A rung that names no seeds or epochs has the ladder's.
    """

    objectives: Objectives
    seeds: Seeds
    epochs: Positive
    rungs: Annotated[dict[Label, Variant], Field(min_length=1)]

    @property
    def trials(self) -> list[Trial]:
        """All runs, rung by rung."""
        return [
            Trial(
                {"rung": rung, "objective": objective},
                for_trial(variant, objective=objective),
                seed,
            )
            for rung, variant in self.rungs.items()
            for objective in self.objectives
            for seed in variant.seeds
        ]


class Logarithmic(Section):
    """Values between two bounds, uniform in their logarithm."""

    log: Annotated[tuple[PositiveFloat, PositiveFloat], FROM_LIST]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.log[0] >= self.log[1]:
            raise ValueError("the first bound must be below the second")
        return self

    def at(self, place: float) -> float:
        """The value at a place in [0, 1)."""
        low, high = np.log(self.log)
        return float(f"{np.exp(low + place * (high - low)):.4g}")


class Choice(Section):
    """Some values, equally often."""

    choice: Annotated[tuple[int | float, ...], FROM_LIST, Field(min_length=1), AfterValidator(no_duplicates)]

    def at(self, place: float) -> int | float:
        """The value at a place in [0, 1)."""
        return self.choice[int(place * len(self.choice))]


class Space(Section):
    """What the search varies: Adam's constants of both players and the label of real images."""

    generator_lr: Logarithmic | Choice
    rate_ratio: Logarithmic | Choice  # the discriminator's learning rate over the generator's
    beta1: Logarithmic | Choice
    beta2: Logarithmic | Choice
    real_label: Logarithmic | Choice

    def at(self, point: NDArray[np.float64]) -> dict[str, int | float]:
        """The settings at a point of the unit cube, a coordinate for each dimension."""
        return {name: getattr(self, name).at(place) for name, place in zip(SPACE, point.tolist(), strict=True)}


SPACE = tuple(Space.model_fields)


class Search(Section):
    """The same configurations under each objective, and the best ones of each again on fresh seeds.

    Configuration 0 is the baseline; the others are points of a scrambled Sobol sequence. Configuration k has the seed
    `first_seed` + k whatever the objective. The `chosen` best configurations of an objective are trained again on the
    `chosen_seeds`, and the one that is best there on the `final_seeds`, each for `final_epochs`.
    """

    objectives: Objectives
    against: Name  # the declared contrast is that of compare's reference objective with this one
    points: Positive
    scramble: Seed
    first_seed: Seed
    epochs: Positive
    space: Space
    chosen: Positive
    chosen_seeds: Seeds
    final_seeds: Seeds
    final_epochs: Positive
    meaningful: Fraction  # a probability of improvement from which a difference matters in practice
    resamples: Positive  # of the configurations, for bands

    @model_validator(mode="after")
    def _seeds_are_fresh(self) -> Self:
        used = set(range(self.first_seed, self.first_seed + self.points + 1))
        for name, seeds in (("chosen_seeds", self.chosen_seeds), ("final_seeds", self.final_seeds)):
            if again := sorted(used.intersection(seeds)):
                raise ValueError(f"{name}: {again[0]} is the seed of another trial of the search")
            used.update(seeds)
        if self.chosen > self.points:
            raise ValueError(f"chosen: {self.chosen} of {self.points} points is no choice")
        return self

    @cached_property
    def configurations(self) -> list[dict[str, int | float]]:
        """The settings of each point, from configuration 1 on."""
        from scipy.stats import qmc  # its import takes a second, for which every process of every stage would wait

        cube = qmc.Sobol(len(SPACE), scramble=True, rng=self.scramble)
        powers = cube.random_base2((self.points - 1).bit_length())  # whole powers of two: fewer are no Sobol sequence
        return [self.space.at(point) for point in powers[: self.points]]


def settings_of(variant: Variant) -> dict[str, int | float]:
    """A recipe's place in the search space; it must be trained by Adam."""
    generator, discriminator = variant.generator_optimizer, variant.discriminator_optimizer
    assert isinstance(generator, Adam), "the study checks it when it is read"
    assert isinstance(discriminator, Adam), "the study checks it when it is read"
    ratio = discriminator.lr / generator.lr
    values = (generator.lr, ratio, *generator.betas, variant.real_label)
    return dict(zip(SPACE, values, strict=True))


def configured(baseline: Variant, settings: Mapping[str, int | float]) -> Variant:
    """The baseline with these settings of the search space."""
    rate = float(settings["generator_lr"])
    betas = (float(settings["beta1"]), float(settings["beta2"]))
    rates = {"generator_optimizer": rate, "discriminator_optimizer": rate * settings["rate_ratio"]}
    optimizers = {
        name: getattr(baseline, name).model_copy(update={"lr": lr, "betas": betas}) for name, lr in rates.items()
    }
    return baseline.model_copy(update={**optimizers, "real_label": float(settings["real_label"])})


def for_trial(variant: Variant, **changes: Any) -> Variant:
    """A recipe for a run whose last generator alone is kept, with these changes; a seed of its own comes beside it."""
    return variant.model_copy(update={"snapshots": (), "seeds": (0,), **changes})


def search_trial(
    search: Search, baseline: Variant, objective: str, configuration: int, seed: int, epochs: int
) -> Trial:
    """One run of a configuration under an objective."""
    settings = settings_of(baseline) if configuration == PRINTED else search.configurations[configuration - 1]
    recipe = baseline if configuration == PRINTED else configured(baseline, settings)
    labels: dict[str, Value] = {"configuration": configuration, **settings}
    return Trial(labels, for_trial(recipe, objective=objective, epochs=epochs), seed)


def search_trials(search: Search, baseline: Variant, objective: str) -> list[Trial]:
    """The search's first runs under an objective: every configuration once."""
    return [
        search_trial(search, baseline, objective, configuration, search.first_seed + configuration, search.epochs)
        for configuration in range(search.points + 1)
    ]
