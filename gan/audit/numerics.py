"""Where float32 leaves the exact loss, in numbers, in sentences and as curves."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from gan.audit.equations import Array, Player
from gan.audit.gradients import (
    LOGITS,
    NOUN,
    PROBED,
    REACH,
    VIEWS,
    Kind,
    Losses,
    equation,
    implementation,
    probe,
    relative_errors,
)
from gan.formatting import significant

Mask: TypeAlias = NDArray[np.bool_]
Side: TypeAlias = Literal[-1, 1]
# Logits `[logit]` to values `[logit, 2]` and gradients `[logit, 5]`, as `probe` has them.
Probe: TypeAlias = Callable[[Array], tuple[Array, Array]]

SIDES: tuple[Side, ...] = (-1, 1)
WRONG = 1e-3  # the relative error from which float32 counts as wrong
STEP = 1 / 64  # between the logits at which an onset is looked for


@dataclass(frozen=True)
class Departure:
    """Where float32 leaves the exact loss of a player, by the logits of one kind of image on one side of 0.

    `off_from` is the logit from which the gradient is wrong by more than 0.1 %, `zero_from` that from which it is
    exactly 0 although the exact one is more than 0.1 % of its largest, `clamp_from` that from which the loss of a
    batch of equal images stays as it is although the exact one doesn't; each is None where that doesn't happen.
    `text` says it in a sentence.
    """

    losses: str
    player: Player
    by: Kind
    side: Literal["down", "up"]
    off_from: float | None
    zero_from: float | None
    clamp_from: float | None
    text: str


@dataclass(frozen=True)
class Curve:
    """dL/dlogit at LOGITS; a gradient that is not finite is None.

    "float32" is the implementation's, of a batch of equal images; "exact" the equation's, where float32 departs from
    it; "company" the implementation's for one image among others at -3, 0 and 2, where that is something else.
    """

    losses: str
    player: Player
    by: Kind
    kind: Literal["float32", "exact", "company"]
    gradient: list[float | None]


def departures(losses: Losses) -> list[Departure]:
    """Where float32 leaves the exact loss at |logit| <= 40."""
    found = []
    for player, by in VIEWS:
        single, exact = _probes(losses, player, by)
        for side in SIDES:
            off_from, zero_from, clamp_from = onsets = _onsets(single, exact, side)
            if onsets != (None, None, None):
                text = f"the {player}'s gradient on {NOUN[by]} images {_sentence(single, exact, side, *onsets)}"
                direction: Literal["down", "up"] = "down" if side < 0 else "up"
                found.append(Departure(str(losses), player, by, direction, off_from, zero_from, clamp_from, text))
    return found


def curves(losses: Losses) -> list[Curve]:
    """All curves of the adversarial losses that there are to draw."""
    found = []
    for player, by in VIEWS:
        single, exact = (probed(LOGITS)[1] for probed in _probes(losses, player, by))
        lines: dict[Literal["float32", "exact", "company"], Array] = {"float32": single[:, 0]}
        if (relative_errors(single[:, 0], exact[:, 0]) > WRONG).any():
            lines["exact"] = exact[:, 0]
        if (relative_errors(exact[:, 0], exact[:, 1]) > WRONG).any():
            lines["company"] = single[:, 1]
        for kind, line in lines.items():
            gradient = [float(f"{value:.6g}") if np.isfinite(value) else None for value in line]
            found.append(Curve(str(losses), player, by, kind, gradient))
    return found


def in_float32(losses: Losses, player: Player, by: Kind) -> Probe:
    """The probe of the implementation in float32."""
    return partial(probe, implementation(losses, player, torch.float32), by)


def _probes(losses: Losses, player: Player, by: Kind) -> tuple[Probe, Probe]:
    """In float32 and exactly; without an equation on record float64 stands for the exact loss."""
    exact = equation(losses, player) or implementation(losses, player)
    return in_float32(losses, player, by), partial(probe, exact, by)


def _onsets(single: Probe, exact: Probe, side: Side) -> tuple[float | None, float | None, float | None]:
    """`off_from`, `zero_from` and `clamp_from` of a Departure."""
    floor = WRONG * np.abs(exact(LOGITS)[1][:, PROBED]).max()
    last = single(np.array([side * REACH]))[0][0, 0]

    def off(logits: Array) -> Mask:
        return relative_errors(single(logits)[1], exact(logits)[1]).max(1) > WRONG

    def zero(logits: Array) -> Mask:
        return ((single(logits)[1] == 0) & (np.abs(exact(logits)[1]) > floor))[:, PROBED].max(1)

    def clamped(logits: Array) -> Mask:
        value, truth = single(logits)[0][:, 0], exact(logits)[0][:, 0]
        return (value == last) & (np.abs(value - truth) > WRONG * np.maximum(np.abs(truth), 1))

    return onset(off, side), onset(zero, side), onset(clamped, side)


def _sentence(
    single: Probe, exact: Probe, side: Side, off_from: float | None, zero_from: float | None, clamp_from: float | None
) -> str:
    def at(logit: float, quantity: Literal[0, 1]) -> tuple[str, str]:
        """The value (0) or the gradient (1) of an image alone, in float32 and exactly."""
        have, want = (significant(loss(np.array([logit]))[quantity][0, 0]) for loss in (single, exact))
        return have, want

    end, parts = side * REACH, []
    if zero_from is not None:
        parts.append(f"is exactly 0 {from_logit(zero_from, side)} (exact: {at(zero_from, 1)[1]})")
    if off_from is not None and off_from != zero_from:
        have, want = at(end, 1)
        where = from_logit(off_from, side)
        parts.append(f"is off by more than 0.1 % {where} (at {significant(end)}: {have}, not {want})")
    if clamp_from is not None:
        have, want = at(clamp_from, 0)
        parts.append(f"the loss stays at {have} {from_logit(clamp_from, side)} (exact there: {want})")
    return "; ".join(parts)


def onset(wrong: Callable[[Array], Mask], side: Side) -> float | None:
    """The logit nearest 0, on one side of it, at which `wrong` holds, to float32's resolution of logits; or None.

    Rounding may make `wrong` come and go before it stays. What counts is the first time, on steps of STEP.
    """
    logits = side * np.arange(0, REACH + STEP, STEP)
    mask = wrong(logits)
    if not mask.any():
        return None
    while mask.argmax() > 0 and np.float32(logits[0]) != np.float32(logits[1]):
        first = mask.argmax()
        between = np.linspace(logits[first - 1], logits[first], 257)
        logits = between.astype(np.float32).astype(np.float64)
        mask = wrong(logits)
    return float(logits[mask.argmax()])


def from_logit(logit: float, side: Side) -> str:
    return f"from logit {significant(logit)} {'down' if side < 0 else 'up'}"
