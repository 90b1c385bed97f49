"""A recipe: all that is trained, and how, but for the seed."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from gan.study import own_files
from gan.study.fields import Betas, DataSet, Epochs, Part, Positive, PositiveFloat, Seed, Seeds, Stream, Widths
from gan.study.own_files import OwnFile


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

    `gan.audit.recipes` knows the objectives, terms and networks, and checks their names. A variant that takes some from
    files of the user's own carries these files.
    """

    data: DataSet
    objective: Part
    adversarial: Annotated[float, Field(ge=0)]
    terms: dict[Part, PositiveFloat]
    clip: PositiveFloat | None
    freeze_discriminator: bool
    seeds: Seeds
    epochs: Positive
    snapshots: Epochs
    batch_size: Positive
    discriminator_steps: Positive
    networks: Part
    latent_dim: Positive
    generator_hidden: Widths
    discriminator_hidden: Widths
    encoder_hidden: Widths | None
    leaky_slope: Annotated[float, Field(ge=0, le=1)]
    real_label: Annotated[float, Field(gt=0, le=1)]
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    pinned: dict[Stream, Seed]
    _files: dict[str, OwnFile] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _with_its_files(self, info: ValidationInfo) -> Self:
        root = Path((info.context or {}).get("folder", ""))
        self._files = {name: own_files.read_file(name, root) for name in self._named}
        return self

    @field_validator("terms")
    @classmethod
    def _in_one_order(cls, terms: dict[str, float]) -> dict[str, float]:
        """Terms draw from one stream in turn, so their order would decide a run's bits."""
        return dict(sorted(terms.items()))

    @property
    def _named(self) -> tuple[str, ...]:
        references = map(own_files.parts, (self.objective, self.networks, *self.terms))
        return tuple(sorted({reference[0] for reference in references if reference}))

    @property
    def files(self) -> dict[str, OwnFile]:
        """The files of the user's own that the recipe names, by their names; most recipes name none."""
        return {name: self._files[name] for name in self._named}

    @property
    def file_checksums(self) -> dict[str, str]:
        """SHA-256, in hex, of each of these files."""
        return {name: file.checksum for name, file in self.files.items()}

    def identity(self, exclude: set[str] | None = None) -> dict[str, Any]:
        """All that decides what is trained, fit for JSON: the values and, if there are any, the files' checksums."""
        own = {"files": self.file_checksums} if self.files else {}
        return {**self.model_dump(mode="json", exclude=exclude), **own}

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
