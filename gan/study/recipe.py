"""A recipe: all that is trained, and how, but for the seed."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gan.study.fields import Betas, DataSet, Epochs, Name, Positive, PositiveFloat, Seed, Seeds, Stream, Widths


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Adam(Section):
    name: Literal["adam"]
    lr: PositiveFloat
    betas: Betas
    eps: Annotated[float, Field(ge=0)]


class Sgd(Section):
    name: Literal["sgd"]
    lr: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]


Optimizer = Annotated[Adam | Sgd, Field(discriminator="name")]
OPTIMIZERS = ("adam", "sgd")


class Variant(Section):
    """One named configuration, complete: the baseline's values where the variant has none of its own.

    `gan.audit.recipes` knows the objectives, terms and networks, and checks their names.
    """

    data: DataSet
    objective: Name
    adversarial: Annotated[float, Field(ge=0)]
    terms: dict[Name, PositiveFloat]
    clip: PositiveFloat | None
    freeze_discriminator: bool
    seeds: Seeds
    epochs: Positive
    snapshots: Epochs
    batch_size: Positive
    discriminator_steps: Positive
    networks: Name
    latent_dim: Positive
    generator_hidden: Widths
    discriminator_hidden: Widths
    encoder_hidden: Widths | None
    leaky_slope: Annotated[float, Field(ge=0, le=1)]
    real_label: Annotated[float, Field(gt=0, le=1)]
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    pinned: dict[Stream, Seed]

    @field_validator("terms")
    @classmethod
    def _in_one_order(cls, terms: dict[str, float]) -> dict[str, float]:
        """Terms draw from one stream in turn, so their order would decide a run's bits."""
        return dict(sorted(terms.items()))

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """The epochs whose generators are kept, including the last one."""
        return (*sorted(epoch for epoch in self.snapshots if epoch < self.epochs), self.epochs)


def complete(baseline: dict, variant: dict) -> dict:
    """`variant` over `baseline`; a mapping inside is completed too, unless it has another `name` (of an optimizer)."""
    completed = {**baseline, **variant}
    for key, value in variant.items():
        base = baseline.get(key)
        if (
            isinstance(value, dict)
            and isinstance(base, dict)
            and value.get("name", base.get("name")) == base.get("name")
        ):
            completed[key] = {**base, **value}
    return completed
