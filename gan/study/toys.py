"""The small games whose truth is known: Dirac-GAN, and a ring of Gaussians."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gan.study.designs import Objectives
from gan.study.fields import FROM_LIST, Fraction, Positive, PositiveFloat, Seeds, Widths, no_duplicates, rising
from gan.study.recipe import Section

Beta1 = Annotated[float, Field(ge=0, lt=1)]
Finite = Annotated[float, Field(ge=-30, le=30)]  # beyond, a logit's probability is 0 or 1 in float32


class Dirac(Section):
    """Dirac-GAN: both players are one number."""

    objectives: Objectives
    lr: PositiveFloat
    start: PositiveFloat  # distance from the equilibrium
    turns: Positive  # about the equilibrium
    logits: Annotated[tuple[Finite, ...], FROM_LIST, AfterValidator(rising)]  # of the generated point


class Ring(Section):
    """Gaussians on a circle, learnt with the baseline's batch size, optimizers and slopes."""

    objectives: Objectives
    beta1: Annotated[tuple[Beta1, ...], FROM_LIST, Field(min_length=1), AfterValidator(no_duplicates)]
    seeds: Seeds
    modes: Positive
    radius: PositiveFloat
    deviation: PositiveFloat  # of each Gaussian, in both coordinates
    latent_dim: Positive
    hidden: Widths  # of both players
    steps: Annotated[tuple[Positive, ...], FROM_LIST, Field(min_length=1), AfterValidator(rising)]
    samples: Annotated[int, Field(ge=2, le=20_000)]  # all pairs of them are measured
    within: PositiveFloat  # standard deviations from a mode, where a sample is of high quality
    mode_share: Fraction  # a mode is covered by this share of the samples


class Toys(Section):
    dirac: Dirac
    ring: Ring
