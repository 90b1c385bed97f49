"""The sections of params.yaml, their types, bounds and rules."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from gan.data.datasets import COUNTS
from gan.errors import StudyError
from gan.formatting import unknown
from gan.study.analyses import Mechanism, Memory, Simulate, Specifications
from gan.study.designs import Ladder, Search
from gan.study.fields import (
    DIGITS,
    FROM_LIST,
    MOST,
    MOST_SECONDS,
    AutoOrCount,
    DataSet,
    Epochs,
    Fraction,
    Mirror,
    Name,
    Positive,
    PositiveFloat,
    Seconds,
    Seeds,
    Text,
    distinct_files,
    no_duplicates,
    rising,
)
from gan.study.recipe import Section, Variant, complete
from gan.study.toys import Toys


class Data(Section):
    timeout_seconds: Seconds
    mirrors: dict[Literal["mnist", "fashion_mnist"], Annotated[tuple[Mirror, ...], FROM_LIST, Field(min_length=1)]]


class Classify(Section):
    seeds: Seeds
    epochs: Positive
    batch_size: Positive
    lr: PositiveFloat
    shift: Annotated[int, Field(ge=0, le=8)]
    least_accuracy: dict[DataSet, Fraction]


class Train(Section):
    quantiles: Annotated[tuple[Fraction, ...], FROM_LIST, AfterValidator(rising)]


class Evaluate(Section):
    scores: dict[Positive, Annotated[Epochs, Field(min_length=1)]]
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

    @model_validator(mode="after")
    def _scores_end_where_they_say(self) -> Self:
        for epoch, averaged in self.scores.items():
            if list(averaged) != sorted(averaged) or averaged[-1] != epoch:
                raise ValueError(f"scores.{epoch}: its snapshots must rise to {epoch}, not be {_listed(averaged)}")
        return self

    @property
    def most_digits(self) -> int:
        """How many digits can at most appear at once."""
        return min(DIGITS, math.floor(1 / self.digit_share + 1e-9))

    def scored(self, variant: Variant) -> dict[int, tuple[int, ...]]:
        """The epochs after which a variant is scored, rising to its last one; for each the snapshots that are averaged.

        An entry of `scores` applies to a variant that keeps all the snapshots it names. Where none applies to the last
        epoch, its snapshot is scored alone.
        """
        kept = set(variant.checkpoints)
        applicable = {epoch: averaged for epoch, averaged in self.scores.items() if kept.issuperset(averaged)}
        return dict(sorted(({variant.epochs: (variant.epochs,)} | applicable).items()))


class Hypothesis(Section):
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


class Learnt(Section):
    """A run has learnt once its images cover so much of the test images and show more than so many digits.

    One that was trained for so many epochs without covering as much never learns.
    """

    coverage: Fraction
    digits: Annotated[int, Field(ge=0)]
    epochs: Positive


class Compare(Section):
    metric: Literal["fid"]
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    margin: Annotated[float, Field(gt=1)]
    learnt: Learnt
    power: Fraction
    reference: Name
    hypotheses: Annotated[tuple[Hypothesis, ...], FROM_LIST]
    controls: Annotated[tuple[Control, ...], FROM_LIST]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        no_duplicates(tuple(hypothesis.id for hypothesis in (*self.hypotheses, *self.controls)))
        return self

    @model_validator(mode="after")
    def _controls_hang_together(self) -> Self:
        waiting, joined = list(self.controls), set(_variants(self.controls[:1]))
        while near := [each for each in waiting if joined & {each.variant, each.against}]:
            joined.update(_variants(near))
            waiting = [each for each in waiting if each not in near]
        if waiting:
            raise ValueError(
                f"controls: {waiting[0].id} shares no variant with {self.controls[0].id}, and one test asks whether "
                "all forms of the same mathematics agree"
            )
        return self

    @property
    def forms(self) -> tuple[str, ...]:
        """The variants of the controls, in their order: one algorithm in several forms."""
        return _variants(self.controls)

    @property
    def declared(self) -> tuple[str, ...]:
        """The variants of the hypotheses, in their order."""
        return _variants(self.hypotheses)

    @property
    def named(self) -> tuple[str, ...]:
        """The variants of the hypotheses and controls, in their order."""
        return _variants((*self.hypotheses, *self.controls))


class Compute(Section):
    engine: Literal["local", "ray"]
    device: Literal["auto", "cpu", "cuda"]
    workers: AutoOrCount
    population: AutoOrCount
    gpu_share: Annotated[float, Field(gt=0, le=1)]
    checkpoint_seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS)]


class Tracking(Section):
    experiment: Name
    timeout_seconds: Seconds


class Study(Section):
    """A whole study. `variants` holds complete variants. A `rehearsal` shows the study in small and decides nothing."""

    data: Data
    classify: Classify
    train: Train
    baseline: Variant
    variants: Annotated[dict[Name, Variant], Field(min_length=1), AfterValidator(distinct_files)]
    evaluate: Evaluate
    compare: Compare
    simulate: Simulate
    toys: Toys
    specifications: Specifications
    ladder: Ladder
    search: Search
    mechanism: Mechanism
    memory: Memory
    compute: Compute
    tracking: Tracking
    rehearsal: bool

    @model_validator(mode="before")
    @classmethod
    def _complete_variants(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        baseline, variants = raw.get("baseline"), raw.get("variants")
        if not isinstance(baseline, dict) or not isinstance(variants, dict):
            return raw

        def completed(recipes: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
            return {
                name: complete(base, variant) if isinstance(variant, dict) else variant
                for name, variant in recipes.items()
            }

        ladder = raw.get("ladder")
        if isinstance(ladder, dict) and isinstance(ladder.get("rungs"), dict):
            own = {name: ladder[name] for name in ("seeds", "epochs") if name in ladder}
            ladder = {**ladder, "rungs": completed(ladder["rungs"], {**baseline, **own})}
        return {**raw, "variants": completed(variants, baseline), **({"ladder": ladder} if ladder is not None else {})}

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
    def _own_files_belong_to_variants(self) -> Self:
        """DVC sees an edit of a file by the entries of variants alone (data/data.json)."""
        elsewhere = {"baseline": self.baseline}
        elsewhere |= {f"ladder.rungs.{name}": recipe for name, recipe in self.ladder.rungs.items()}
        elsewhere["mechanism.variant"] = self.variants[self.mechanism.variant]
        for key, recipe in elsewhere.items():
            for file in recipe.files.values():
                raise ValueError(f"{key}: {file.place} can be named by a variant alone, and not by the measured one")
        return self

    @model_validator(mode="after")
    def _search_varies_adam(self) -> Self:
        players = (self.baseline.generator_optimizer, self.baseline.discriminator_optimizer)
        if any(player.name != "adam" for player in players):
            raise ValueError("search: it varies Adam's constants, and the baseline is not trained by Adam")
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
        for key, variant in self.variants.items():
            steps, in_epoch = variant.discriminator_steps, -(-COUNTS[variant.data]["train"] // variant.batch_size)
            if steps > in_epoch:
                raise ValueError(
                    f"variants.{key}.discriminator_steps: {steps} is more than the {in_epoch} batches of an epoch, so "
                    "the generator would never learn"
                )
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
    def _a_run_can_learn(self) -> Self:
        visible, most = self.evaluate.most_digits, self.compare.learnt.digits
        if most >= visible:
            raise ValueError(
                f"compare.learnt.digits: {most} must be less than {visible}: with evaluate.digit_share "
                f"{self.evaluate.digit_share} no images show more digits, so every run would count as mode collapse"
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
        """The data sets that runs use: the reference's, then the others in the variants' order, then the rungs'."""
        recipes = (self.variants[self.compare.reference], *self.variants.values(), *self.ladder.rungs.values())
        return tuple(dict.fromkeys((*(recipe.data for recipe in recipes), self.baseline.data)))

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
