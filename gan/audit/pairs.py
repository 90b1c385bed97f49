"""What two variants' losses are to each other: the same, but for rounding, for size, or different."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np

from gan.audit.equations import Array, Player
from gan.audit.gradients import (
    CORE,
    CORE_LOGITS,
    MOVED,
    NOUN,
    PLAYERS,
    PROBED,
    REACH,
    SAME,
    Kind,
    Loss,
    Losses,
    implementation,
    probe,
    relative_errors,
)
from gan.audit.numerics import SIDES, WRONG, Mask, Probe, from_logit, in_float32, onset
from gan.formatting import significant
from gan.training.terms import TERMS

Related: TypeAlias = Literal["same", "numerics", "size", "different"]

# Verdicts on a pair, from the strongest to the weakest.
WORDS: dict[Related, str] = {
    "same": "the same mathematics",
    "numerics": "same mathematics, different numerics from logit {logit} on",
    "size": "same direction, different size",
    "different": "different",
}
SIGNS: dict[Related, str] = {"same": "=", "numerics": "≈", "size": "∝", "different": "≠"}
NOTHING = 1e-12  # a float64 gradient below this size is none


@dataclass(frozen=True)
class Relation:
    """How the losses of one player stand to each other.

    `logit` is the one nearest 0 from which on float32 gradients part, where kind is "numerics"; `factor` the range of
    the second's gradient over the first's at |logit| <= 15, where kind is "size". In `reason` the names of the two are
    left open as {first} and {second}.
    """

    kind: Related
    reason: str = ""
    logit: float | None = None
    factor: list[float] | None = None


def compare(first: Losses, second: Losses, names: tuple[str, str] = ("the first", "the second")) -> dict[str, Any]:
    """The verdict on a pair: kind, verdict (in words), logit and reason, and the same with `factor` of each player.

    A pair's kind is the weakest of its players', and its logit the nearest to 0.
    """
    players = {player: _relate_players(first, second, player) for player in PLAYERS}
    reasons = {player: relation.reason.format(first=names[0], second=names[1]) for player, relation in players.items()}
    kind = max((relation.kind for relation in players.values()), key=list(WORDS).index)
    parted = [relation.logit for relation in players.values() if relation.logit is not None]
    logit = min(parted, key=abs) if kind == "numerics" else None
    return {
        "kind": kind,
        "verdict": _verdict(kind, logit),
        "logit": logit,
        "reason": "; ".join(f"{player}: {reason}" for player, reason in reasons.items() if reason),
        **{
            player: asdict(relation) | {"reason": reasons[player], "verdict": _verdict(relation.kind, relation.logit)}
            for player, relation in players.items()
        },
    }


def relate(first: Loss, second: Loss, player: Player) -> Relation:
    """How the exact gradients of two losses stand to each other at |logit| <= 15: same, size or different."""
    gradients = {by: (_core_gradient(first, by), _core_gradient(second, by)) for by in MOVED[player]}
    if not any((relative_errors(*pair) > SAME).any() for pair in gradients.values()):
        return Relation("same")
    reasons = [reason for by, pair in gradients.items() for reason in _conflicts(*pair, by)]
    if reasons:
        return Relation("different", "; ".join(reasons))
    ratios = np.concatenate([b[np.abs(b) > NOTHING] / a[np.abs(b) > NOTHING] for a, b in gradients.values()])
    low, high = float(ratios.min()), float(ratios.max())
    times = significant(low) if high - low <= SAME * high else f"between {significant(low)} and {significant(high)}"
    return Relation("size", f"that of {{second}} is {times} times that of {{first}}", factor=[low, high])


def _relate_players(first: Losses, second: Losses, player: Player) -> Relation:
    relation = _relate_adversarial(*(losses.adversarial_loss(player) for losses in (first, second)), player)
    added = _additions(first, second, player)
    if not added:
        return relation
    return Relation("different", "; ".join([*added, *filter(None, [relation.reason])]))


@cache
def _relate_adversarial(first: Losses, second: Losses, player: Player) -> Relation:
    weights = (first.adversarial, second.adversarial)
    if player == "generator" and not any(weights):
        return Relation("same", "neither learns from the discriminator")
    if player == "generator" and not all(weights):
        return Relation("different", f"only {{{'first' if weights[0] else 'second'}}} has an adversarial loss")
    relation = relate(implementation(first, player), implementation(second, player), player)
    return _relate_in_float32(first, second, player) if relation.kind == "same" else relation


def _relate_in_float32(first: Losses, second: Losses, player: Player) -> Relation:
    """Where the float32 gradients of losses of the same mathematics part by more than 0.1 %."""
    logits, reasons = [], []
    for by in MOVED[player]:
        probes = [in_float32(losses, player, by) for losses in (first, second)]

        def apart(logits: Array, probes: Sequence[Probe] = probes) -> Mask:
            return relative_errors(*(probed(logits)[1] for probed in probes)).max(1) > WRONG

        for side in SIDES:
            logit = onset(apart, side)
            if logit is not None:
                logits.append(logit)
                ends = [significant(probed(np.array([side * REACH]))[1][0, 0]) for probed in probes]
                at_end = f"(at {significant(side * REACH)}: {ends[0]} against {ends[1]})"
                reasons.append(f"on {NOUN[by]} images {from_logit(logit, side)} {at_end}")
    if not logits:
        return Relation("same")
    return Relation("numerics", "float32 parts " + ", ".join(reasons), logit=min(logits, key=abs))


def _additions(first: Losses, second: Losses, player: Player) -> list[str]:
    """What sets a pair of players apart beside the adversarial losses."""
    # An autoencoder's term is the generator's, too.
    terms = [
        {
            name: weight
            for name, weight in losses.terms
            if (TERMS[name].player == "discriminator") == (player == "discriminator")
        }
        for losses in (first, second)
    ]
    reasons = []
    for name in sorted(terms[0] | terms[1]):
        weights = [weight_by_name.get(name) for weight_by_name in terms]
        if weights[0] is None:
            reasons.append(f"{name} added in {{second}}")
        elif weights[1] is None:
            reasons.append(f"{name} added in {{first}}")
        elif weights[0] != weights[1]:
            reasons.append(f"{name} weighs {weights[0]:g} in {{first}}, {weights[1]:g} in {{second}}")
    if player == "discriminator" and first.clip != second.clip:
        bounds = ["not clipped" if clip is None else f"clipped at {clip:g}" for clip in (first.clip, second.clip)]
        reasons.append(f"parameters {bounds[0]} in {{first}}, {bounds[1]} in {{second}}")
    return reasons


@cache
def _core_gradient(loss: Loss, by: Kind) -> Array:
    """Cached, because each loss is compared with every other."""
    return probe(loss, by, CORE_LOGITS)[1]


def _conflicts(first: Array, second: Array, by: Kind) -> list[str]:
    """Where two gradients `[logit, column]` have not the same direction, in words; a zero has none."""
    lives = [np.abs(gradient) > NOTHING for gradient in (first, second)]
    conflicts = {"opposite directions": lives[0] & lives[1] & ~(first * second > 0)}
    # Where a gradient changes its sign it may be 0 at one logit, which says nothing new.
    if not conflicts["opposite directions"].any():
        conflicts = {"no gradient in {first}": lives[1] & ~lives[0], "no gradient in {second}": lives[0] & ~lives[1]}
    reasons = []
    for conflict, mask in conflicts.items():
        if mask.any():
            probed = mask[:, PROBED].max(1)
            # Losses may differ in what they do to the companions alone.
            logits = CORE_LOGITS[probed if probed.any() else mask.max(1)]
            reasons.append(f"{conflict} on {NOUN[by]} images {_span(logits)}")
    return reasons


def _span(logits: Array) -> str:
    low, high = significant(logits.min()), significant(logits.max())
    if logits.min() == -CORE:
        return "at every logit" if logits.max() == CORE else f"up to logit {high}"
    return f"from logit {low} up" if logits.max() == CORE else f"from logit {low} to {high}"


def _verdict(kind: Related, logit: float | None) -> str:
    return WORDS[kind].format(logit="" if logit is None else significant(logit))
