"""The whole audit, before any training: what each loss does to a logit, held against the equation its name claims.

Everything is measured on the implementation, by autograd, and judged in three steps: is it the equation of its name
(float64), where does float32 leave that equation, and what are two variants' losses to each other. Beside them stands
whether penalties are per sample. Errors are relative.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from gan.audit.equations import EQUATIONS, Array, Player
from gan.audit.gradients import (
    CORE_LOGITS,
    LOGITS,
    NOUN,
    PLAYERS,
    SAME,
    VIEWS,
    Losses,
    equation,
    implementation,
    probe,
    relative_errors,
)
from gan.audit.numerics import Curve, Departure, curves, departures
from gan.audit.pairs import SIGNS, WORDS, compare, relate
from gan.audit.penalties import PenaltyCheck, check_penalty
from gan.errors import StudyError
from gan.formatting import significant
from gan.own.registration import describe, register
from gan.study import own_files
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES, Objective
from gan.training.terms import TERMS, Term


@dataclass(frozen=True)
class ObjectiveCheck:
    """Whether an implementation is the equation of its name.

    `generator` and `discriminator` are the equations' texts, `error` is the largest of a gradient, and `faults` has a
    sentence each. Without an equation on record all but the faults are None.
    """

    objective: str
    generator: str | None = None
    discriminator: str | None = None
    holds: bool | None = None
    error: float | None = None
    faults: list[str] = field(default_factory=list)


def check_objective(name: str, objective: Objective) -> ObjectiveCheck:
    """Hold an implementation to the equation of its name, in float64 at |logit| <= 15."""
    if name not in EQUATIONS:
        return ObjectiveCheck(name)
    texts = {player: EQUATIONS[name][player].text for player in PLAYERS}
    errors, faults = [], []
    for label in (1.0, 0.9) if objective.labelled else (1.0,):
        losses = Losses(name, objective, real_label=label)
        for player, by in VIEWS:
            exact = equation(losses, player)
            assert exact
            probed = [probe(loss, by, CORE_LOGITS) for loss in (implementation(losses, player), exact)]
            values, gradients = zip(*probed, strict=True)
            errors.append(float(relative_errors(*gradients).max()))
            if errors[-1] > SAME:
                claim = f"gradient on {NOUN[by]} images is not that of {texts[player]}"
                faults.append(f"{losses}: the {player}'s {claim} {_worst(*gradients)}{_alias(losses, player)}")
            elif relative_errors(*values).max() > SAME:
                claim = f"gradient on {NOUN[by]} images is that of {texts[player]}, its value is not"
                faults.append(f"{losses}: the {player}'s {claim} {_worst(*values)}")
    return ObjectiveCheck(name, texts["generator"], texts["discriminator"], not faults, max(errors), faults)


def _worst(have: Array, want: Array) -> str:
    row, column = np.unravel_index(relative_errors(have, want).argmax(), have.shape)
    logit, *numbers = map(significant, (CORE_LOGITS[row], have[row, column], want[row, column]))
    return f"(at logit {logit} {numbers[0]}, not {numbers[1]})"


def _alias(losses: Losses, player: Player) -> str:
    """Whose gradient a loss has that is not its name's."""
    implemented = implementation(losses, player)
    names = []
    for name in EQUATIONS:
        other = equation(replace(losses, name=name), player)
        if other and relate(implemented, other, player).kind == "same":
            names.append(name)
    return f", but that of {', '.join(names)}" if names else ""


def audit(study: Study) -> dict[str, Any]:
    """The whole audit, fit for JSON.

    `equations` and `penalties` cover all that the code and the variants' own files offer, `variants`, `numerics`,
    `curves` and `pairs` the study's variants. In `variants` each has the names of its losses and of its adversarial
    losses alone; the latter are the `losses` of numerics and curves. `kinds` has the sign and the words of each kind of
    verdict on a pair; the pairs that are not listed are different.
    """
    register(study.variants.values())
    variants = {name: Losses.from_variant(variant) for name, variant in study.variants.items()}
    bare = {str(losses.bare): losses.bare for losses in variants.values()}
    pairs = [
        {"first": first, "second": second, **compare(variants[first], variants[second], (first, second))}
        for first, second in combinations(variants, 2)
    ]
    return {
        "kinds": {kind: {"sign": SIGNS[kind], "words": words} for kind, words in WORDS.items()},
        "logits": LOGITS.tolist(),
        "variants": {
            name: {"losses": str(losses), "adversarial_losses": str(losses.bare)} for name, losses in variants.items()
        },
        "equations": [asdict(check_objective(name, objective)) for name, objective in OBJECTIVES.items()],
        "penalties": [
            asdict(_check_penalty(name, term)) for name, term in TERMS.items() if term.player == "discriminator"
        ],
        "numerics": _shared(departure for losses in bare.values() for departure in departures(losses)),
        "curves": _shared(curve for losses in bare.values() for curve in curves(losses)),
        "pairs": [pair for pair in pairs if pair["kind"] != "different"],
    }


def _check_penalty(name: str, term: Term) -> PenaltyCheck:
    try:
        return check_penalty(name, term)
    except Exception as error:  # whatever a user's code may raise
        if not own_files.parts(name):
            raise
        return PenaltyCheck(name, None, False, 2.0, [f"{name}: raises {describe(error)} on small images"])


def _shared(entries: Iterable[Departure | Curve]) -> list[dict[str, Any]]:
    """One entry for all losses that share what was measured; `losses` becomes a list."""
    shared: list[dict[str, Any]] = []
    for entry in map(asdict, entries):
        losses = entry.pop("losses")
        same = next((other for other in shared if other.items() >= entry.items()), None)
        if same:
            same["losses"].append(losses)
        else:
            shared.append({"losses": [losses], **entry})
    return shared


def faults(record: dict[str, Any]) -> list[str]:
    """What must not be trained: losses that are not the equation of their name, penalties that are not per sample."""
    return [fault for entry in record["equations"] + record["penalties"] for fault in entry["faults"]]


def refuse_faults(record: dict[str, Any]) -> None:
    """Raise a StudyError that names the first of the record's faults, if it has any."""
    if named := faults(record):
        raise StudyError(named[0] + (f" (and {len(named) - 1} more)" if named[1:] else ""))
