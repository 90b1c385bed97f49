"""reports/mechanism.json: what goes on in training, measured. The stage `mechanism` writes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A step of a new discriminator against a generator that is frozen as it was after `epoch` epochs.

    `gradient_norm` is of the gradient that `loss` gives to the generator, `fake_probability` the mean of D(G(z)) over
    the batch that it is taken on. `discriminator_loss` and `accuracy` are the discriminator's on the step's images.
    """

    epoch: int
    loss: str
    seed: int
    step: int
    gradient_norm: float
    fake_probability: float
    discriminator_loss: float
    accuracy: float


@dataclass(frozen=True)
class FreshSummary:
    """The whole training of a new discriminator: means over all `steps` of an epoch, each seen before it learns.

    `first_sure` is the first step whose batch it tells apart with an accuracy of `mechanism.sure` or more, None if
    there is none.
    """

    epoch: int
    loss: str
    seed: int
    steps: int
    discriminator_loss: float
    accuracy: float
    first_sure: int | None


@dataclass(frozen=True)
class PerfectGenerator:
    """Mean D over real images in the place of generated ones."""

    seed: int
    fake_probability: float


@dataclass(frozen=True)
class GradientFlow:
    """Which of the tutorial's networks get a gradient."""

    generator_in_its_step: bool
    discriminator_in_the_generators_step: bool
    generator_under_no_grad: bool
    generator_behind_detach: bool
    discriminator_behind_detach: bool


@dataclass(frozen=True)
class Cost:
    """What something costs with the discriminator frozen in the generator's half of the step, and without."""

    frozen: int | float
    not_frozen: int | float


@dataclass(frozen=True)
class StepCost:
    """A step's largest number of bytes alive at a time, beside what lives before it, and its median time."""

    peak_bytes: Cost
    milliseconds: Cost


@dataclass(frozen=True)
class FrozenDiscriminator:
    """What freezing the discriminator does to the weights, bit by bit, and to the cost of the tutorial's step.

    `whole_iteration` is the loop as printed, where the gradients of the discriminator's own half are still alive in the
    generator's. `generators_half` is that half alone, after all gradients were cleared.
    """

    same_weights: bool
    whole_iteration: StepCost
    generators_half: StepCost


@dataclass(frozen=True)
class Twin:
    """CEWL trained beside non_saturating_logits from the same seed.

    `condition` says by which optimizers: Adam with eps 0 (`eps zero`), with the least eps that float32 has in full
    precision (`eps least`), as printed (`eps printed`), with half the printed eps for CEWL's discriminator alone
    (`eps halved`); SGD without momentum at one rate (`sgd`), and with twice the rate for CEWL's discriminator
    (`sgd doubled`). `form` says how CEWL's discriminator loss is written: half of the other's loss (`matching`), or
    as its source has it (`printed`), which float32 rounds in other places. `largest_difference` is that of any weight
    of both players, None where weights are not finite.
    """

    condition: str
    form: str
    same_weights: bool
    largest_difference: float | None


@dataclass(frozen=True)
class UpdateRatio:
    """The discriminator's first SGD update under CEWL over that under non_saturating_logits, over all weights."""

    form: str
    least: float
    greatest: float


@dataclass(frozen=True)
class Twins:
    """Whether CEWL and the non-saturating objective on logits are one algorithm, after so many steps."""

    seed: int
    steps: int
    trained: list[Twin]
    first_update: list[UpdateRatio]


@dataclass(frozen=True)
class Mechanism:
    """All measurements; steps and summaries are sorted by loss, epoch, seed and step."""

    fresh_discriminator: list[Step]
    fresh_summaries: list[FreshSummary]
    perfect_generator: list[PerfectGenerator]
    gradient_flow: GradientFlow
    frozen_discriminator: FrozenDiscriminator
    twins: Twins
