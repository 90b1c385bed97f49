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
    """What a step costs with the discriminator frozen and without; bytes are whole numbers."""

    frozen: int | float
    not_frozen: int | float


@dataclass(frozen=True)
class FrozenDiscriminator:
    """Whether freezing the discriminator leaves every bit of the weights, and what the tutorial's step costs."""

    same_weights: bool
    peak_bytes: Cost
    milliseconds: Cost


@dataclass(frozen=True)
class Mechanism:
    """All measurements; the steps are sorted by loss, epoch, seed and step."""

    fresh_discriminator: list[Step]
    perfect_generator: list[PerfectGenerator]
    gradient_flow: GradientFlow
    frozen_discriminator: FrozenDiscriminator
