"""The sections of params.yaml, their types, bounds and rules."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from gan.data.datasets import COUNTS
from gan.errors import StudyError
from gan.formatting import unknown
from gan.study.fields import (
    DIGITS,
    FROM_LIST,
    MOST,
    MOST_SECONDS,
    AutoOrCount,
    Betas,
    DataSet,
    Epochs,
    Fraction,
    Mirror,
    Name,
    Positive,
    PositiveFloat,
    Seconds,
    Seed,
    Seeds,
    Stream,
    Text,
    Widths,
    distinct_files,
    no_duplicates,
    rising,
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(_Section):
    timeout_seconds: Seconds
    mirrors: dict[Literal["mnist", "fashion_mnist"], Annotated[tuple[Mirror, ...], FROM_LIST, Field(min_length=1)]]


class Classify(_Section):
    seeds: Seeds
    epochs: Positive
    batch_size: Positive
    lr: PositiveFloat
    shift: Annotated[int, Field(ge=0, le=8)]
    least_accuracy: dict[DataSet, Fraction]


class Train(_Section):
    quantiles: Annotated[tuple[Fraction, ...], FROM_LIST, AfterValidator(rising)]


class Adam(_Section):
    name: Literal["adam"]
    lr: PositiveFloat
    betas: Betas
    eps: Annotated[float, Field(ge=0)]


class Sgd(_Section):
    name: Literal["sgd"]
    lr: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]


Optimizer = Annotated[Adam | Sgd, Field(discriminator="name")]
OPTIMIZERS = ("adam", "sgd")


class Variant(_Section):
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

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """The epochs whose generators are kept, including the last one."""
        return (*sorted(epoch for epoch in self.snapshots if epoch < self.epochs), self.epochs)


class Evaluate(_Section):
    epochs: Epochs
    average: Positive
    images: Annotated[int, Field(ge=100, le=MOST)]
    neighbours: Positive
    digit_share: Fraction
    grid_seeds: Positive
    grid_columns: Positive

    @model_validator(mode="after")
    def _enough_images(self) -> Self:
        if self.neighbours >= self.images:
            raise ValueError(f"neighbours must be fewer than images, which are {self.images}")
        return self

    @property
    def most_digits(self) -> int:
        """How many digits can at most appear at once."""
        return min(DIGITS, math.floor(1 / self.digit_share + 1e-9))

    def scored(self, variant: Variant) -> dict[int, tuple[int, ...]]:
        """The epochs after which a variant is scored, including its last one; for each the epochs that are averaged."""
        kept = variant.checkpoints
        ends = [epoch for epoch in kept if epoch in self.epochs or epoch == variant.epochs]
        return {end: tuple(epoch for epoch in kept if epoch <= end)[-self.average :] for end in ends}


class Hypothesis(_Section):
    id: Name
    kind: Literal["superiority", "equivalence"]
    variant: Name
    against: Name
    text: Text

    @model_validator(mode="after")
    def _two_variants(self) -> Self:
        if self.variant == self.against:
            raise ValueError(f"{self.id} compares {self.variant} with itself")
        return self


class Control(Hypothesis):
    """The same mathematics in two forms, which must not come out different."""

    kind: Literal["equivalence"]


class Compare(_Section):
    metric: Literal["fid"]
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    margin: Annotated[float, Field(gt=1)]
    collapse: Annotated[int, Field(ge=0)]
    power: Fraction
    reference: Name
    hypotheses: Annotated[tuple[Hypothesis, ...], FROM_LIST]
    controls: Annotated[tuple[Control, ...], FROM_LIST]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        no_duplicates(tuple(hypothesis.id for hypothesis in (*self.hypotheses, *self.controls)))
        return self

    @property
    def declared(self) -> tuple[str, ...]:
        """The variants of the hypotheses, in their order."""
        return _variants(self.hypotheses)

    @property
    def named(self) -> tuple[str, ...]:
        """The variants of the hypotheses and controls, in their order."""
        return _variants((*self.hypotheses, *self.controls))


class Simulate(_Section):
    studies: Positive
    standard_deviation: PositiveFloat
    effect: Annotated[float, Field(gt=1)]
    small_effect: Annotated[float, Field(gt=1)]
    freedom: Annotated[float, Field(gt=2)]
    collapses: Fraction
    bound: Fraction


class Mechanism(_Section):
    variant: Name
    epochs: Epochs
    seeds: Seeds
    steps: Positive


class Compute(_Section):
    engine: Literal["local", "ray"]
    device: Literal["auto", "cpu", "cuda"]
    workers: AutoOrCount
    population: AutoOrCount
    gpu_share: Annotated[float, Field(gt=0, le=1)]
    checkpoint_seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS)]


class Tracking(_Section):
    experiment: Name
    timeout_seconds: Seconds


class Study(_Section):
    """A whole study. `variants` holds complete variants."""

    data: Data
    classify: Classify
    train: Train
    baseline: Variant
    variants: Annotated[dict[Name, Variant], Field(min_length=1), AfterValidator(distinct_files)]
    evaluate: Evaluate
    compare: Compare
    simulate: Simulate
    mechanism: Mechanism
    compute: Compute
    tracking: Tracking

    @model_validator(mode="before")
    @classmethod
    def _complete_variants(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        baseline, variants = raw.get("baseline"), raw.get("variants")
        if not isinstance(baseline, dict) or not isinstance(variants, dict):
            return raw
        completed = {
            name: _complete(baseline, variant) if isinstance(variant, dict) else variant
            for name, variant in variants.items()
        }
        return {**raw, "variants": completed}

    @model_validator(mode="after")
    def _names_are_variants(self) -> Self:
        contrasts = [("hypotheses", each) for each in self.compare.hypotheses]
        contrasts += [("controls", each) for each in self.compare.controls]
        named = {"compare.reference": self.compare.reference, "mechanism.variant": self.mechanism.variant}
        for family, each in contrasts:
            named |= {f"compare.{family}, {each.id}, variant": each.variant}
            named |= {f"compare.{family}, {each.id}, against": each.against}
        for key, name in named.items():
            if name not in self.variants:
                raise ValueError(f"{key}: {unknown(name, self.variants)}")
            if key.startswith("compare") and self.variants[name].pinned:
                raise ValueError(f"{key}: {name} pins a random stream, so its seeds are no independent runs to compare")
        for family, each in contrasts:
            first, second = (self.variants[name].data for name in (each.variant, each.against))
            if first != second:
                raise ValueError(
                    f"compare.{family}, {each.id}: {each.variant} is trained on {first} and {each.against} on "
                    f"{second}: scores on different data can't be compared"
                )
        return self

    @model_validator(mode="after")
    def _images_suffice(self) -> Self:
        neighbours = self.evaluate.neighbours
        batches = [("classify", name, self.classify.batch_size) for name in self.data_sets]
        batches += [(f"variants.{key}", variant.data, variant.batch_size) for key, variant in self.variants.items()]
        for name in self.data_sets:
            # Test images have neighbours among themselves, and so have the training images that the floor scores.
            for kind, split in (("test", "test"), ("training", "train")):
                if neighbours >= (images := COUNTS[name][split]):
                    most = f"the {images} {kind} images of {name}"
                    raise ValueError(f"evaluate.neighbours: {neighbours} must be fewer than {most}")
        for key, name, size in batches:
            if size > (images := COUNTS[name]["train"]):
                raise ValueError(f"{key}.batch_size: {size} is more than the {images} training images of {name}")
        return self

    @model_validator(mode="after")
    def _data_sets_are_described(self) -> Self:
        for name in self.data_sets:
            if name != "digits" and name not in self.data.mirrors:
                raise ValueError(f"data.mirrors has no entry for {name}")
            if name not in self.classify.least_accuracy:
                raise ValueError(f"classify.least_accuracy has no entry for {name}")
        return self

    @model_validator(mode="after")
    def _not_all_have_collapsed(self) -> Self:
        visible = self.evaluate.most_digits
        if self.compare.collapse >= visible:
            raise ValueError(
                f"compare.collapse: {self.compare.collapse} must be less than {visible}: with evaluate.digit_share "
                f"{self.evaluate.digit_share} no images show more digits, so every run would count as collapsed"
            )
        return self

    @model_validator(mode="after")
    def _scores_are_alike(self) -> Self:
        """Scores on one data set after one epoch are means over the same snapshots, or they would not be comparable."""
        first: dict[tuple[str, int], tuple[str, tuple[int, ...]]] = {}
        for name in self.compared:
            variant = self.variants[name]
            for epoch, averaged in self.evaluate.scored(variant).items():
                other, others = first.setdefault((variant.data, epoch), (name, averaged))
                if averaged != others:
                    raise ValueError(
                        f"variants.{name}.snapshots: its score after {epoch} epochs is the mean over epochs "
                        f"{_listed(averaged)}, that of {other} over {_listed(others)}: give both the same snapshots"
                    )
        return self

    @model_validator(mode="after")
    def _mechanism_has_generators(self) -> Self:
        measured, variant = self.mechanism, self.variants[self.mechanism.variant]
        if missing := sorted(set(measured.epochs) - set(variant.checkpoints)):
            raise ValueError(f"mechanism.epochs: {missing[0]} is not among the snapshots of {measured.variant}")
        if missing := sorted(set(measured.seeds) - set(variant.seeds)):
            raise ValueError(f"mechanism.seeds: {missing[0]} is not among the seeds of {measured.variant}")
        return self

    def variant(self, name: str) -> Variant:
        """The variant of that name; StudyError if params.yaml has none."""
        if name not in self.variants:
            raise StudyError(f"params.yaml, variants: {unknown(name, self.variants)}")
        return self.variants[name]

    @property
    def data_sets(self) -> tuple[DataSet, ...]:
        """The data sets that variants use: the reference's, then the others in the variants' order."""
        reference = self.variants[self.compare.reference]
        return tuple(dict.fromkeys(variant.data for variant in (reference, *self.variants.values())))

    @property
    def unused_data_sets(self) -> tuple[str, ...]:
        """The data sets that no variant uses."""
        return tuple(name for name in COUNTS if name not in self.data_sets)

    def by_variant(self, sets: Mapping[DataSet, Any]) -> dict[str, Any]:
        """What each variant has, as the one on its data set."""
        return {name: sets[variant.data] for name, variant in self.variants.items()}

    @property
    def compared(self) -> tuple[str, ...]:
        """The variants that are compared, each on its data set: all but those whose seeds share a random stream."""
        return tuple(name for name, variant in self.variants.items() if not variant.pinned)


def _variants(hypotheses: Sequence[Hypothesis]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in hypotheses for name in (each.variant, each.against)))


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def _complete(baseline: dict, variant: dict) -> dict:
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
