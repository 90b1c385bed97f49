"""The sections of params.yaml on what is measured or computed beside the study's own runs."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from gan.study.designs import Objectives
from gan.study.fields import (
    FROM_LIST,
    Epochs,
    Fraction,
    Name,
    Options,
    Positive,
    PositiveFloat,
    Seeds,
    rising,
)
from gan.study.recipe import Section


class Simulate(Section):
    studies: Positive
    standard_deviation: PositiveFloat
    effect: Annotated[float, Field(gt=1)]
    small_effect: Annotated[float, Field(gt=1)]
    freedom: Annotated[float, Field(gt=2)]
    failures: Fraction
    bound: Fraction


class Specifications(Section):
    """The choices under which the declared contrasts are decided again: every combination of these."""

    metrics: Options[Literal["fid", "kid", "precision", "recall", "density", "coverage", "digits"]]
    snapshots: Options[Literal["averaged", "last"]]
    failures: Options[Literal["worst", "as scored", "left out"]]
    epochs: Options[Positive]
    classifiers: Options[Annotated[int, Field(ge=0)]]
    margins: Options[Annotated[float, Field(gt=1)]]


class Mechanism(Section):
    variant: Name
    epochs: Epochs
    seeds: Seeds
    sure: Fraction
    steps: Positive
    sgd_lr: PositiveFloat


class Memory(Section):
    """What Adam's memory of past gradients does: the baseline under each objective, and one of them by other Adams."""

    objectives: Objectives
    swept: Name
    seeds: Seeds
    epochs: Positive
    beta2: Annotated[tuple[Fraction, ...], FROM_LIST, Field(min_length=1), AfterValidator(rising)]
    eps: Annotated[tuple[PositiveFloat, ...], FROM_LIST, Field(min_length=1), AfterValidator(rising)]
    switch: Positive
    frozen: Fraction
    awake: Fraction
    windows: Positive
    compared: Epochs

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.switch > self.epochs:
            raise ValueError(f"switch: {self.switch} is more than the {self.epochs} epochs of a run")
        if self.awake <= self.frozen:
            raise ValueError(f"awake must be above frozen, which is {self.frozen:g}")
        return self
