"""What a loss does to logits: the implementation's gradients by autograd, and those of the equation its name claims.

Gradients are times the batch size, so that a mean over samples gives each sample's own dL/dlogit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gan.audit.equations import EQUATIONS, Array, Player
from gan.study.recipe import Variant
from gan.training.losses import OBJECTIVES, Objective

Kind: TypeAlias = Literal["real", "fake"]
# Real and fake logits, each `[logit, batch]`, to the loss `[logit]` and dL/dlogit by kind of image `[logit, batch]`.
Loss: TypeAlias = Callable[[Array, Array], tuple[Array, dict[str, Array]]]

# The kinds of images whose logits each player's loss moves.
MOVED: dict[Player, tuple[Kind, ...]] = {"generator": ("fake",), "discriminator": ("real", "fake")}
PLAYERS: tuple[Player, ...] = tuple(MOVED)
VIEWS = [(player, by) for player, kinds in MOVED.items() for by in kinds]
NOUN = {"real": "real", "fake": "generated"}

# Mathematics is judged at logits where neither float64 nor BCELoss gets in its way: BCELoss bounds p (1 - p) by 1e-12
# and logarithms by -100 in any precision. Steps are powers of two, so float32 has every logit exactly.
REACH, CORE = 40.0, 15.0
LOGITS = np.arange(-REACH, REACH + 0.25, 0.5)
CORE_LOGITS = np.arange(-CORE, CORE + 0.125, 0.25)
SAME = 1e-8  # the largest error of what counts as equal: float64 rounds 1 - D by 2e-10 at logit 15

# A loss may couple the images of a batch. So the probed logit stands once alone, which is a batch of equal images, and
# once among companions. Its partners are the logits of the other kind of image; none is 0, where a relativistic loss
# looks like another one.
COMPANIONS: tuple[tuple[float, ...], ...] = ((), (-3.0, 0.0, 2.0))
PARTNERS: tuple[tuple[float, ...], ...] = ((1.0,), (-2.0, 0.5, 3.0, -1.0))
PROBED = [0, 1]  # the columns of the probed logit itself among all that `probe` returns


@dataclass(frozen=True)
class Losses:
    """What a variant's players minimise. `terms` are sorted pairs of name and weight."""

    name: str
    objective: Objective
    adversarial: float = 1.0
    real_label: float = 1.0
    terms: tuple[tuple[str, float], ...] = ()
    clip: float | None = None

    @classmethod
    def from_variant(cls, variant: Variant) -> "Losses":
        objective = OBJECTIVES[variant.objective]
        terms = tuple(sorted(variant.terms.items()))
        return cls(variant.objective, objective, variant.adversarial, variant.real_label, terms, variant.clip)

    @property
    def bare(self) -> "Losses":
        """The adversarial losses alone."""
        return replace(self, terms=(), clip=None)

    def adversarial_loss(self, player: Player) -> "Losses":
        """All that this player's adversarial loss depends on: the generator's has no label, the other no weight."""
        return replace(self.bare, real_label=1.0) if player == "generator" else replace(self.bare, adversarial=1.0)

    def __str__(self) -> str:
        parts = [self.name]
        parts += [f"label {self.real_label:g}"] if self.real_label != 1 else []
        parts += [f"adversarial {self.adversarial:g}"] if self.adversarial != 1 else []
        parts += [f"{weight:g} {term}" for term, weight in self.terms]
        parts += [f"clip {self.clip:g}"] if self.clip is not None else []
        return ", ".join(parts)


@cache
def implementation(losses: Losses, player: Player, dtype: torch.dtype = torch.float64) -> Loss:
    """A player's adversarial loss as training has it, differentiated by autograd in `dtype`."""

    def evaluate(real: Array, fake: Array) -> tuple[Array, dict[str, Array]]:
        leaves = reals, fakes = [torch.tensor(logits, dtype=dtype, requires_grad=True) for logits in (real, fake)]
        objective, weight = losses.objective, losses.adversarial
        if player == "discriminator":
            value, weight = objective.discriminator(reals, fakes, losses.real_label), 1.0
        elif objective.relativistic:
            value = objective.generator(fakes, reals)
        else:
            value = objective.generator(fakes)
        slopes = torch.autograd.grad(value.sum(), leaves, allow_unused=True, materialize_grads=True)
        gradients = {by: as_array(slope * weight * real.shape[-1]) for by, slope in zip(NOUN, slopes, strict=True)}
        return as_array(value.detach() * weight), gradients

    return evaluate


def equation(losses: Losses, player: Player) -> Loss | None:
    """A player's adversarial loss by the equation that its name claims; None if there is none on record."""
    if losses.name not in EQUATIONS:
        return None
    weight = losses.adversarial if player == "generator" else 1.0

    def evaluate(real: Array, fake: Array) -> tuple[Array, dict[str, Array]]:
        value, slopes = EQUATIONS[losses.name][player].evaluate(real, fake, losses.real_label)
        return weight * value, {by: weight * slope for by, slope in slopes.items()}

    return evaluate


def probe(loss: Loss, by: Kind, logits: Array) -> tuple[Array, Array]:
    """A loss and its gradient with an image of kind `by` at each of `logits` `[logit]`, alone and among companions.

    Returns values `[logit, 2]` and dL/dlogit of all images of that kind `[logit, 5]`: the columns PROBED are the
    probed image alone and among companions, the others are its companions.
    """
    values, gradients = [], []
    for companions, partners in zip(COMPANIONS, PARTNERS, strict=True):
        same_kind = np.column_stack([logits, *(np.full_like(logits, other) for other in companions)])
        other_kind = np.tile(partners, (len(logits), 1))
        value, slopes = loss(same_kind, other_kind) if by == "real" else loss(other_kind, same_kind)
        values.append(value)
        gradients.append(slopes[by])
    return np.column_stack(values), np.column_stack(gradients)


def relative_errors(first: Array, second: Array) -> Array:
    """Differences over the larger of the two; 2, as of opposites, where one is not finite."""
    with np.errstate(invalid="ignore"):
        errors = np.abs(first - second) / np.maximum(np.maximum(np.abs(first), np.abs(second)), np.finfo(float).tiny)
    return np.nan_to_num(errors, nan=2.0)


def as_array(tensor: Tensor) -> Array:
    """A tensor's values in float64, without its gradient."""
    return tensor.detach().double().numpy()
