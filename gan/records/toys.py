"""reports/toys.json: the objectives where the truth is known. The stage `toys` writes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Eigenvalue:
    """A complex number."""

    real: float
    imaginary: float


@dataclass(frozen=True)
class Equilibrium:
    """Dirac-GAN at its equilibrium: the eigenvalues of the Jacobian of the players' gradient field.

    They are measured by autograd; `closed_form` is worked out from the losses' equations. The positive imaginary part
    comes first.
    """

    objective: str
    eigenvalues: list[Eigenvalue]
    closed_form: list[Eigenvalue]


@dataclass(frozen=True)
class Update:
    """A step of gradient descent near Dirac-GAN's equilibrium, the factor by which it changes the distance to it.

    `order` is "simultaneous", or "alternating": the discriminator first. `modulus` is the larger one of the step's
    eigenvalues, `simulated` the mean factor per step of a trajectory of `steps` steps.
    """

    objective: str
    order: str
    modulus: float
    closed_form: float
    steps: int
    simulated: float


@dataclass(frozen=True)
class Push:
    """How strongly Dirac-GAN's generator is pushed towards larger logits: -dL/dl at the generated point's logit l."""

    objective: str
    logit: float
    push: float
    closed_form: float


@dataclass(frozen=True)
class Dirac:
    """All of Dirac-GAN, with the settings of `toys.dirac`."""

    lr: float
    start: float
    turns: int
    equilibrium: list[Equilibrium]
    updates: list[Update]
    pushes: list[Push]


@dataclass(frozen=True)
class RingScore:
    """Samples beside the ring of Gaussians.

    `modes` is how many Gaussians are covered, `quality` the share of samples near one. `score` is the squared energy
    distance between the samples and the mixture, less is better; None where a run has diverged.
    """

    seed: int
    modes: int
    quality: float
    score: float | None


@dataclass(frozen=True)
class RingRun(RingScore):
    """A generator after `step` steps of training with an objective and both players' beta1."""

    objective: str
    beta1: float
    step: int


@dataclass(frozen=True)
class Ring:
    """All runs, in the declared order of objectives, beta1, seeds and steps.

    `modes` is the number of Gaussians, `samples` of each score, `quality` the share of the mixture near a mode in
    closed form. `truth` scores as many samples of the mixture itself: no generator can be expected to do better.
    """

    modes: int
    samples: int
    quality: float
    runs: list[RingRun]
    truth: list[RingScore]


@dataclass(frozen=True)
class Toys:
    """Both games."""

    dirac: Dirac
    ring: Ring
