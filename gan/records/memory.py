"""reports/memory.json: what Adam remembers of a gradient that has vanished. The stage `memory` writes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Adam:
    """What a run's generator was trained with; `printed` if that is the baseline's optimizer.

    A run with `switch` was trained with the baseline's for so many epochs, and then goes on with this one.
    """

    objective: str
    beta2: float
    eps: float
    printed: bool
    switch: int | None = None


@dataclass(frozen=True)
class Curve:
    """A run in windows of consecutive steps: each window's last step, and medians over it.

    `update` is the mean |change of a parameter| over the learning rate. `gradient_norm` is that of the generator's
    gradient, `remembered_norm` the norm of what Adam divides by: of the roots of its mean squares. `fake_probability`
    is the mean of D(G(z)) over a batch.
    """

    step: list[int]
    update: list[float]
    gradient_norm: list[float]
    remembered_norm: list[float]
    fake_probability: list[float]


@dataclass(frozen=True)
class Freeze:
    """A time in which a generator hardly moves, from the first step below `memory.frozen` to one above `memory.awake`.

    `fell_to` is the least update over learning rate, at the step `lowest`, and `gradient_norm` the gradient's at that
    step. `lasted` are the steps from there to the first one awake, None if the run ended before; `predicted` is how
    long it takes if the gradient stays as it is at `lowest`, None if it would take for ever. `gradient_growth` is the
    median gradient norm of the last quarter of the freeze over that of its first quarter, None if that is 0.
    """

    start: int
    lowest: int
    fell_to: float
    gradient_norm: float
    gradient_growth: float | None
    lasted: int | None
    predicted: float | None


@dataclass(frozen=True)
class Run:
    """A run of `memory.epochs`; `asleep` is the share of its steps below `memory.frozen`.

    After a switch steps count from there, and the run ends with the epoch in which its generator awakes.
    """

    adam: Adam
    seed: int
    steps: int
    asleep: float
    curve: Curve
    freezes: list[Freeze]


@dataclass(frozen=True)
class Direction:
    """Minimax's and the non-saturating gradient of a generator on the same networks and the same new batch.

    `objective` trained the networks for `step` - 1 steps and the discriminator for one more. `cosine` is None where one
    of the gradients is 0. Sample i weighs D_i in minimax's and 1 - D_i in the other's gradient; the `sizes` are the
    numbers of equally weighted samples that would be worth as much, (sum of w)^2 / sum of w^2 of `batch`.
    `fake_probability` has the `memory` stage's quantiles of D(G(z)) over the batch.
    """

    objective: str
    seed: int
    step: int
    batch: int
    cosine: float | None
    minimax_norm: float
    non_saturating_norm: float
    minimax_size: float
    non_saturating_size: float
    fake_probability: dict[str, float]


@dataclass(frozen=True)
class Slope:
    """A straight line's slope with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Recovery:
    """How the time of a freeze goes with beta2, over some runs of the swept objective.

    Each run with a freeze that ended is one point: the means of the logarithms over its ended freezes. `ended` freezes
    are in, `censored` ones, whose run ended first, are not. `slope` is that of log time by log 1 / (1 - beta2), and
    `of_prediction` that by the logarithm of the predicted time; None for fewer than three runs or one beta2. `ratio`
    is the geometric mean of measured over predicted time.
    """

    runs: int
    ended: int
    censored: int
    confidence: float
    slope: Slope | None
    of_prediction: Slope | None
    ratio: float | None


@dataclass(frozen=True)
class Memory:
    """All measurements; `steps` of all runs together.

    The swept objective's runs `from_start` differ in beta2 alone, and each freezes when and as deep as it happens to.
    `after_switch` the runs of a seed go on from one and the same frozen generator, and this freeze alone counts.
    """

    steps: int
    runs: list[Run]
    directions: list[Direction]
    from_start: Recovery
    after_switch: Recovery
