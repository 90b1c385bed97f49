"""Dirac-GAN (Mescheder, Geiger & Nowozin 2018): both players are one number, and the equilibrium is known.

The generator is a point θ, the data are the point 0, and the discriminator's logit at x is ψx. At the equilibrium
(0, 0) the generated point is the data's, and the discriminator tells nothing apart.
"""

import cmath
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gan.audit.equations import EQUATIONS, Player
from gan.errors import StudyError
from gan.records.toys import Dirac, Eigenvalue, Equilibrium, Push, Update
from gan.study import toys
from gan.training.losses import OBJECTIVES

Map = Callable[[Tensor], Tensor]
"""A function of a point (θ, ψ), `[2]` of float64, to another."""


def measure(settings: toys.Dirac) -> Dirac:
    """All measurements of Dirac-GAN; StudyError for an objective that does not turn about the equilibrium."""
    return Dirac(
        lr=settings.lr,
        start=settings.start,
        turns=settings.turns,
        equilibrium=[equilibrium(name) for name in settings.objectives],
        updates=[
            update(name, order, settings.lr, settings.start, settings.turns)
            for name in settings.objectives
            for order in ORDERS
        ],
        pushes=[push(name, logit) for name in settings.objectives for logit in settings.logits],
    )


def field(name: str) -> Map:
    """The players' gradient field v(θ, ψ) = (-dL_G/dθ, -dL_D/dψ) under an objective; differentiable."""
    objective = OBJECTIVES[name]

    def forces(point: Tensor) -> Tensor:
        theta, psi = point.unbind()
        fake, real = (psi * theta).reshape(1, 1), (psi * 0.0).reshape(1, 1)
        extra = [real] if objective.relativistic else []
        losses = objective.generator(fake, *extra).sum(), objective.discriminator(real, fake, 1.0).sum()
        slopes = [
            torch.autograd.grad(loss, own, create_graph=True)[0] for loss, own in zip(losses, (theta, psi), strict=True)
        ]
        return -torch.stack(slopes)

    return forces


def simultaneous(name: str, lr: float) -> Map:
    """One step of gradient descent, both players from where the other one was."""
    forces = field(name)
    return lambda point: point + lr * forces(point)


def alternating(name: str, lr: float) -> Map:
    """One step of gradient descent as this study's runs have it: the discriminator's, then the generator's."""
    forces = field(name)

    def step(point: Tensor) -> Tensor:
        learnt = torch.stack([point[0], point[1] + lr * forces(point)[1]])
        return torch.stack([learnt[0] + lr * forces(learnt)[0], learnt[1]])

    return step


ORDERS = {"simultaneous": simultaneous, "alternating": alternating}


def eigenvalues(function: Map) -> list[complex]:
    """The eigenvalues of a function's Jacobian at the equilibrium, by autograd; the largest imaginary part first."""
    jacobian = torch.autograd.functional.jacobian(function, torch.zeros(2, dtype=torch.float64))
    assert isinstance(jacobian, Tensor)
    return sorted(np.linalg.eigvals(jacobian.numpy()).tolist(), key=lambda value: -complex(value).imag)


def equilibrium(name: str) -> Equilibrium:
    """The eigenvalues of the gradient field at the equilibrium, measured and in closed form."""
    rate = frequency(name)
    return Equilibrium(name, [_number(value) for value in eigenvalues(field(name))], [_number(rate), _number(-rate)])


def frequency(name: str) -> complex:
    """An eigenvalue of the gradient field at the equilibrium, from the losses' equations; the other is its negative.

    Each player's loss depends on θψ alone, with the slope g or d there, so the Jacobian is ((0, -g), (-d, 0)) and its
    eigenvalues are ±sqrt(g d): ±i f'(0) for f of Mescheder et al. 2018 (section 2), where d = -g = f'(0).
    """
    return cmath.sqrt(slope(name, "generator", 0.0) * slope(name, "discriminator", 0.0))


def slope(name: str, player: Player, logit: float) -> float:
    """dL/dl of a player's loss at the generated point's logit l, by the equation."""
    _, slopes = EQUATIONS[name][player].evaluate(np.zeros((1, 1)), np.full((1, 1), logit), 1.0)
    return slopes["fake"].item()


def modulus(name: str, order: str, lr: float) -> float:
    """The larger modulus of a step's eigenvalues at the equilibrium, from the losses' equations.

    With the field's eigenvalues ±iω, simultaneous steps have 1 ± i lr ω, of modulus sqrt(1 + lr² ω²) > 1. Alternating
    ones have determinant 1 and trace 2 - lr² ω²: the unit circle while lr ω <= 2 (Mescheder et al. 2018, section 2).
    """
    angle = lr * frequency(name).imag
    if order == "simultaneous":
        return math.hypot(1, angle)
    half_trace = abs(1 - angle**2 / 2)
    return half_trace + math.sqrt(half_trace**2 - 1) if half_trace > 1 else 1.0


def update(name: str, order: str, lr: float, start: float, turns: int) -> Update:
    """What a step does to the distance from the equilibrium: by its Jacobian, in closed form, and simulated.

    The trajectory starts at θ = `start`, ψ = 0 and ends after `turns` whole turns, or within half a step of them,
    because the distance changes within a turn, too. StudyError if there are no turns about the equilibrium.
    """
    step = ORDERS[order](name, lr)
    largest = max(eigenvalues(step), key=abs)
    if not frequency(name).imag or not cmath.phase(largest):
        raise StudyError(f"toys.dirac: with {name} and lr {lr:g} the players do not turn about the equilibrium")
    steps = round(turns * 2 * math.pi / abs(cmath.phase(largest)))
    point = torch.tensor([start, 0.0], dtype=torch.float64)
    for _ in range(steps):
        point = step(point.requires_grad_()).detach()
    growth = (point.norm().item() / start) ** (1 / steps)
    return Update(name, order, abs(largest), modulus(name, order, lr), steps, growth)


def push(name: str, logit: float) -> Push:
    """The force on a generator at θ = `logit` while ψ = 1, measured and by the equation."""
    point = torch.tensor([logit, 1.0], dtype=torch.float64, requires_grad=True)
    return Push(name, logit, field(name)(point)[0].item(), -slope(name, "generator", logit))


def _number(value: complex) -> Eigenvalue:
    return Eigenvalue(complex(value).real + 0.0, complex(value).imag + 0.0)  # 0, never -0
