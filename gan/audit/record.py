"""The loss audit, before any training: what each loss does to a logit, held against the equation its name claims.

Everything is measured on the implementation, by autograd, and judged in three steps: is it its label's equation
(float64), where does float32 leave that equation, and what are two variants' losses to each other. Beside it stand the
sources' identities (CLAIMS.md) and whether penalties are per sample. Gradients are times the batch size, so that a
mean over samples gives each sample's own dL/dlogit. Errors are relative unless they say otherwise.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gan.audit.equations import EQUATIONS, SAME, Array, Player, as_array, relative_errors, say
from gan.audit.penalties import check_penalty
from gan.claims.identities import identities
from gan.errors import StudyError
from gan.training.losses import OBJECTIVES, Objective
from gan.training.terms import TERMS

if TYPE_CHECKING:
    from gan.study.schema import Study, Variant

Mask: TypeAlias = NDArray[np.bool_]
# Real and fake logits, each `[logit, batch]`, to the loss `[logit]` and dL/dlogit by kind of image `[logit, batch]`.
Loss: TypeAlias = Callable[[Array, Array], tuple[Array, dict[str, Array]]]
# Logits `[logit]` to values `[logit, 2]` and gradients `[logit, 5]`, as `probe` has them.
Probe: TypeAlias = Callable[[Array], tuple[Array, Array]]

# Whose gradients there are, by the logits of which images: the generator's loss moves generated images alone.
VIEWS: tuple[tuple[Player, str], ...] = (("generator", "fake"), ("discriminator", "real"), ("discriminator", "fake"))
PLAYERS: tuple[Player, ...] = ("generator", "discriminator")
NOUN = {"real": "real", "fake": "generated"}

# Mathematics is judged where neither float64 nor BCELoss gets in its way: that bounds p (1 - p) by 1e-12 and
# logarithms by -100 in any precision. Steps are powers of two, so float32 has every logit as it is.
REACH, CORE = 40.0, 15.0
LOGITS = np.arange(-REACH, REACH + 0.25, 0.5)
CORE_LOGITS = np.arange(-CORE, CORE + 0.125, 0.25)
FINE = 1 / 64  # the step on which an onset is looked for
PART = 1e-3  # that from which float32 counts as wrong
NOTHING = 1e-12  # a gradient so small in float64 is none

# The probed logit stands alone, which is a batch of images all alike, and in company, for a loss may couple a batch.
# Its partners are the logits of the other kind of image; none is 0, where a relativistic loss looks like another.
COMPANY: tuple[tuple[float, ...], ...] = ((), (-3.0, 0.0, 2.0))
PARTNERS: tuple[tuple[float, ...], ...] = ((1.0,), (-2.0, 0.5, 3.0, -1.0))
PROBED = [0, 1]  # the columns of the probed logit itself among all that `probe` returns

# Verdicts on a pair, from the strongest to the weakest.
WORDS = {
    "same": "the same mathematics",
    "numerics": "same mathematics, different numerics from logit {logit} on",
    "size": "same direction, different size",
    "different": "different",
}
SIGNS = {"same": "=", "numerics": "≈", "size": "∝", "different": "≠"}


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
    def of(cls, variant: "Variant") -> "Losses":
        objective = OBJECTIVES[variant.objective]
        terms = tuple(sorted(variant.terms.items()))
        return cls(variant.objective, objective, variant.adversarial, variant.real_label, terms, variant.clip)

    @property
    def bare(self) -> "Losses":
        """The adversarial losses alone."""
        return replace(self, terms=(), clip=None)

    def adversarial_loss(self, player: Player) -> "Losses":
        """What that player's adversarial loss depends on: a generator's knows no label, a discriminator's no weight."""
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
    """A player's adversarial loss as the equation of its label has it; None if there is none on record."""
    if losses.name not in EQUATIONS:
        return None
    weight = losses.adversarial if player == "generator" else 1.0

    def evaluate(real: Array, fake: Array) -> tuple[Array, dict[str, Array]]:
        value, slopes = EQUATIONS[losses.name][player].evaluate(real, fake, losses.real_label)
        return weight * value, {by: weight * slope for by, slope in slopes.items()}

    return evaluate


def probe(loss: Loss, by: str, logits: Array) -> tuple[Array, Array]:
    """A loss and its gradient with an image of kind `by` at each of `logits`, alone and in company.

    Returns values `[logit, 2]` and dL/dlogit of all images of that kind `[logit, 5]`: the columns PROBED are the
    probed image alone and in company, the others are its companions.
    """
    values, gradients = [], []
    for company, partners in zip(COMPANY, PARTNERS, strict=True):
        own = np.column_stack([logits, *(np.full_like(logits, other) for other in company)])
        others = np.tile(partners, (len(logits), 1))
        value, slopes = loss(own, others) if by == "real" else loss(others, own)
        values.append(value)
        gradients.append(slopes[by])
    return np.column_stack(values), np.column_stack(gradients)


def check_objective(name: str, objective: Objective) -> dict[str, Any]:
    """Whether an implementation is the equation of its label `name`, in float64 at |logit| <= 15.

    Returns objective, generator and discriminator (the equations' texts), holds (None without an equation on record),
    error (the largest of a gradient, None likewise) and faults, a sentence each.
    """
    texts: dict[str, str | None]
    texts = {player: EQUATIONS[name][player].text if name in EQUATIONS else None for player in PLAYERS}
    errors, faults = [], []
    for label in (1.0, 0.9) if objective.labelled else (1.0,):
        losses = Losses(name, objective, real_label=label)
        for player, by in VIEWS:
            exact = equation(losses, player)
            if exact is None:
                continue
            probed = [probe(loss, by, CORE_LOGITS) for loss in (implementation(losses, player), exact)]
            values, gradients = zip(*probed, strict=True)
            errors.append(float(relative_errors(*gradients).max()))
            if errors[-1] > SAME:
                claim = f"gradient on {NOUN[by]} images is not that of {texts[player]}"
                faults.append(f"{losses}: the {player}'s {claim} {_worst(*gradients)}{_alias(losses, player)}")
            elif relative_errors(*values).max() > SAME:
                claim = f"gradient on {NOUN[by]} images is that of {texts[player]}, its value is not"
                faults.append(f"{losses}: the {player}'s {claim} {_worst(*values)}")
    holds, error = (not faults, max(errors)) if errors else (None, None)
    return {"objective": name, **texts, "holds": holds, "error": error, "faults": faults}


def _worst(have: Array, want: Array) -> str:
    row, column = np.unravel_index(relative_errors(have, want).argmax(), have.shape)
    return f"(at logit {say(CORE_LOGITS[row])} {say(have[row, column])}, not {say(want[row, column])})"


def _alias(losses: Losses, player: Player) -> str:
    """Whose gradient a mislabelled loss has instead of its label's."""
    mine = implementation(losses, player)
    labels = {name: equation(replace(losses, name=name), player) for name in EQUATIONS}
    found = [name for name, other in labels.items() if other and _relation(mine, other, player)["kind"] == "same"]
    return f", but that of {', '.join(found)}" if found else ""


def numerics(losses: Losses) -> list[dict[str, Any]]:
    """Where float32 leaves the exact loss at |logit| <= 40: an entry for each player, kind of image and side of 0.

    `off_from` is the logit from which the gradient is wrong by more than 0.1 %, `zero_from` that from which it is
    exactly 0 although the exact one is more than 0.1 % of its largest, `clamp_from` that from which the loss of a
    batch of this image alone stays what it is although the exact one doesn't; each is None where that doesn't happen.
    `text` says it in a sentence. Without an equation on record float64 stands for the exact loss.
    """
    entries = []
    for player, by in VIEWS:
        single = partial(probe, implementation(losses, player, torch.float32), by)
        exact = partial(probe, equation(losses, player) or implementation(losses, player), by)
        for side in (-1, 1):
            onsets = _onsets(single, exact, side)
            if any(onset is not None for onset in onsets.values()):
                where = {"losses": str(losses), "player": player, "by": by, "side": "down" if side < 0 else "up"}
                said = _departure(single, exact, side, **onsets)
                entries.append({**where, **onsets, "text": f"the {player}'s gradient on {NOUN[by]} images {said}"})
    return entries


def _onsets(single: Probe, exact: Probe, side: int) -> dict[str, float | None]:
    floor = PART * np.abs(exact(LOGITS)[1][:, PROBED]).max()
    last = single(np.array([side * REACH]))[0][0, 0]

    def off(logits: Array) -> Mask:
        return relative_errors(single(logits)[1], exact(logits)[1]).max(1) > PART

    def zero(logits: Array) -> Mask:
        return ((single(logits)[1] == 0) & (np.abs(exact(logits)[1]) > floor))[:, PROBED].max(1)

    def clamped(logits: Array) -> Mask:
        value, truth = single(logits)[0][:, 0], exact(logits)[0][:, 0]
        return (value == last) & (np.abs(value - truth) > PART * np.maximum(np.abs(truth), 1))

    return {"off_from": _onset(off, side), "zero_from": _onset(zero, side), "clamp_from": _onset(clamped, side)}


def _departure(
    single: Probe, exact: Probe, side: int, off_from: float | None, zero_from: float | None, clamp_from: float | None
) -> str:
    def at(logit: float, which: Literal[0, 1]) -> tuple[str, str]:
        """The value (0) or the gradient (1) of an image alone, in float32 and exactly."""
        have, want = (say(loss(np.array([logit]))[which][0, 0]) for loss in (single, exact))
        return have, want

    end, parts = side * REACH, []
    if zero_from is not None:
        parts.append(f"is exactly 0 {_from(zero_from, side)} (exact: {at(zero_from, 1)[1]})")
    if off_from is not None and off_from != zero_from:
        have, want = at(end, 1)
        parts.append(f"is off by more than 0.1 % {_from(off_from, side)} (at {say(end)}: {have}, not {want})")
    if clamp_from is not None:
        have, want = at(clamp_from, 0)
        parts.append(f"the loss stays at {have} {_from(clamp_from, side)} (exact there: {want})")
    return "; ".join(parts)


def compare(first: Losses, second: Losses, names: tuple[str, str] = ("the first", "the second")) -> dict[str, Any]:
    """The verdict on a pair: kind (a key of WORDS), verdict (in words), logit, reason; and these of each player.

    `logit` is the one nearest 0 from which on float32 gradients part, where kind is "numerics". A player's `factor` is
    the range of the second's gradient over the first's at |logit| <= 15, where kind is "size".
    """
    players: dict[str, Any]
    players = {player: _judge(first, second, player, names) for player in PLAYERS}
    kind = max((judged["kind"] for judged in players.values()), key=list(WORDS).index)
    parted = [judged["logit"] for judged in players.values() if judged["logit"] is not None]
    logit = min(parted, key=abs) if kind == "numerics" else None
    reason = "; ".join(f"{player}: {judged['reason']}" for player, judged in players.items() if judged["reason"])
    return {"kind": kind, "verdict": _verdict(kind, logit), "logit": logit, "reason": reason, **players}


def _judge(first: Losses, second: Losses, player: Player, names: tuple[str, str]) -> dict[str, Any]:
    judged: dict[str, Any] = {"logit": None, "factor": None, "reason": ""}
    judged |= _adversarial(*(losses.adversarial_loss(player) for losses in (first, second)), player)
    added = _additions(first, second, player)
    if added:
        judged |= {"kind": "different", "logit": None, "factor": None}
    reason = "; ".join([*added, *filter(None, [judged["reason"]])]).format(first=names[0], second=names[1])
    return {**judged, "verdict": _verdict(judged["kind"], judged["logit"]), "reason": reason}


@cache
def _adversarial(first: Losses, second: Losses, player: Player) -> dict[str, Any]:
    """The kind of a pair's adversarial losses, and why; names are left open as {first} and {second}."""
    weights = (first.adversarial, second.adversarial)
    if player == "generator" and not all(weights):
        if not any(weights):
            return {"kind": "same", "reason": "neither learns from the discriminator"}
        return {
            "kind": "different",
            "reason": f"only {{{'first' if weights[0] else 'second'}}} has an adversarial loss",
        }
    related = _relation(implementation(first, player), implementation(second, player), player)
    return _parting(first, second, player) if related["kind"] == "same" else related


def _additions(first: Losses, second: Losses, player: Player) -> list[str]:
    """What else than the adversarial losses sets a pair of players apart."""

    def own(losses: Losses) -> dict[str, float]:
        # An autoencoder's term is the generator's, too.
        return {
            name: weight
            for name, weight in losses.terms
            if (TERMS[name].player == "discriminator") == (player == "discriminator")
        }

    terms = own(first), own(second)
    reasons = []
    for name in sorted(terms[0] | terms[1]):
        weights = [mine.get(name) for mine in terms]
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


def _relation(first: Loss, second: Loss, player: Player) -> dict[str, Any]:
    """How the gradients of two losses stand to each other at |logit| <= 15: same, size (with factor) or different."""
    pairs = {by: (_core_gradient(first, by), _core_gradient(second, by)) for whose, by in VIEWS if whose == player}
    if not any((relative_errors(*pair) > SAME).any() for pair in pairs.values()):
        return {"kind": "same"}
    reasons = [reason for by, pair in pairs.items() for reason in _conflicts(*pair, by)]
    if reasons:
        return {"kind": "different", "reason": "; ".join(reasons)}
    lives = {by: np.abs(b) > NOTHING for by, (_, b) in pairs.items()}
    ratios = np.concatenate([b[lives[by]] / a[lives[by]] for by, (a, b) in pairs.items()])
    low, high = float(ratios.min()), float(ratios.max())
    times = say(low) if high - low <= SAME * high else f"between {say(low)} and {say(high)}"
    return {"kind": "size", "factor": [low, high], "reason": f"that of {{second}} is {times} times that of {{first}}"}


@cache
def _core_gradient(loss: Loss, by: str) -> Array:
    """Kept, for each loss is compared with every other's."""
    return probe(loss, by, CORE_LOGITS)[1]


def _conflicts(first: Array, second: Array, by: str) -> list[str]:
    """Where two gradients `[logit, column]` have not the same direction, in words; a zero has none."""
    lives = [np.abs(gradient) > NOTHING for gradient in (first, second)]
    found = {"opposite directions": lives[0] & lives[1] & ~(first * second > 0)}
    # Where a gradient changes its sign it may be 0 at one logit, which says nothing new.
    if not found["opposite directions"].any():
        found = {"no gradient in {first}": lives[1] & ~lives[0], "no gradient in {second}": lives[0] & ~lives[1]}
    reasons = []
    for what, mask in found.items():
        if mask.any():
            # A loss may differ in company alone.
            probed = mask[:, PROBED].max(1)
            at = CORE_LOGITS[probed if probed.any() else mask.max(1)]
            reasons.append(f"{what} on {NOUN[by]} images {_span(at)}")
    return reasons


def _span(logits: Array) -> str:
    low, high = say(logits.min()), say(logits.max())
    if logits.min() == -CORE:
        return "at every logit" if logits.max() == CORE else f"up to logit {high}"
    return f"from logit {low} up" if logits.max() == CORE else f"from logit {low} to {high}"


def _parting(first: Losses, second: Losses, player: Player) -> dict[str, Any]:
    """Where the float32 gradients of losses of the same mathematics part by more than 0.1 %."""
    partings, reasons = [], []
    for by in (by for whose, by in VIEWS if whose == player):
        probes = [partial(probe, implementation(losses, player, torch.float32), by) for losses in (first, second)]

        def apart(logits: Array, probes: Sequence[Probe] = probes) -> Mask:
            return relative_errors(*(own(logits)[1] for own in probes)).max(1) > PART

        for side in (-1, 1):
            onset = _onset(apart, side)
            if onset is not None:
                partings.append(onset)
                ends = [say(own(np.array([side * REACH]))[1][0, 0]) for own in probes]
                at_end = f"(at {say(side * REACH)}: {ends[0]} against {ends[1]})"
                reasons.append(f"on {NOUN[by]} images {_from(onset, side)} {at_end}")
    if not partings:
        return {"kind": "same"}
    return {"kind": "numerics", "logit": min(partings, key=abs), "reason": "float32 parts " + ", ".join(reasons)}


def _onset(wrong: Callable[[Array], Mask], side: int) -> float | None:
    """The logit nearest 0, on one side of it, at which `wrong` holds, as finely as float32 has logits; or None.

    Rounding may make `wrong` come and go before it stays: it is the first time, on steps of FINE, that counts.
    """
    logits = side * np.arange(0, REACH + FINE, FINE)
    found = wrong(logits)
    if not found.any():
        return None
    while found.argmax() > 0 and np.float32(logits[0]) != np.float32(logits[1]):
        reached = found.argmax()
        between = np.linspace(logits[reached - 1], logits[reached], 257)
        logits = between.astype(np.float32).astype(np.float64)
        found = wrong(logits)
    return float(logits[found.argmax()])


def audit(study: "Study") -> dict[str, Any]:
    """The whole audit, fit for JSON.

    `equations` and `penalties` cover all that the code offers, `variants`, `numerics`, `curves` and `pairs` the study's
    variants. In `variants` each has the names of its losses and of its adversarial losses alone; the latter are the
    `losses` of numerics and curves. `kinds` has the sign and the words of each kind of verdict on a pair; the pairs
    that are not listed are different.
    """
    variants = {name: Losses.of(variant) for name, variant in study.variants.items()}
    bare = {str(losses.bare): losses.bare for losses in variants.values()}
    return {
        "kinds": {kind: {"sign": SIGNS[kind], "words": words} for kind, words in WORDS.items()},
        "logits": LOGITS.tolist(),
        "variants": {
            name: {"losses": str(losses), "adversarial_losses": str(losses.bare)} for name, losses in variants.items()
        },
        "equations": [check_objective(name, objective) for name, objective in OBJECTIVES.items()],
        "penalties": [check_penalty(name, term) for name, term in TERMS.items() if term.player == "discriminator"],
        "identities": identities(),
        "numerics": _shared(entry for losses in bare.values() for entry in numerics(losses)),
        "curves": _shared(curve for losses in bare.values() for curve in curves(losses)),
        "pairs": [
            {"first": first, "second": second, **judged}
            for first, second in combinations(variants, 2)
            for judged in [compare(variants[first], variants[second], (first, second))]
            if judged["kind"] != "different"
        ],
    }


def _shared(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for all losses of which the same is found; `losses` becomes a list."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        same = next((other for other in found if {**other, "losses": entry["losses"]} == entry), None)
        if same:
            same["losses"].append(entry["losses"])
        else:
            found.append({**entry, "losses": [entry["losses"]]})
    return found


def curves(losses: Losses) -> list[dict[str, Any]]:
    """dL/dlogit at LOGITS, a list for each player, kind of image and `kind` of line.

    "float32" is the implementation's, of a batch whose images are all at that logit; "exact" the equation's, where
    float32 departs from it; "company" the implementation's for one image among others at -3, 0 and 2, where that is
    something else. A gradient that is not finite is None.
    """
    found = []
    for player, by in VIEWS:
        single = probe(implementation(losses, player, torch.float32), by, LOGITS)[1]
        exact = probe(equation(losses, player) or implementation(losses, player), by, LOGITS)[1]
        lines = {"float32": single[:, 0]}
        if (relative_errors(single[:, 0], exact[:, 0]) > PART).any():
            lines["exact"] = exact[:, 0]
        if (relative_errors(exact[:, 0], exact[:, 1]) > PART).any():
            lines["company"] = single[:, 1]
        for kind, line in lines.items():
            gradient = [float(f"{value:.6g}") if np.isfinite(value) else None for value in line]
            found.append({"losses": str(losses), "player": player, "by": by, "kind": kind, "gradient": gradient})
    return found


def faults(record: dict[str, Any]) -> list[str]:
    """What must not be trained: losses that are not their label's equation, penalties that are not per sample."""
    return [fault for entry in record["equations"] + record["penalties"] for fault in entry["faults"]]


def refuse_faults(record: dict[str, Any]) -> None:
    """Raise a StudyError that names the first of the record's faults, if it has any."""
    if found := faults(record):
        raise StudyError(found[0] + (f" (and {len(found) - 1} more)" if found[1:] else ""))


def show(record: dict[str, Any]) -> None:
    """Print an audit."""
    console = Console()
    for table in (_equations(record), _penalties(record), _identities(record), _numerics(record), *_pairs(record)):
        console.print(table)


def _equations(record: dict[str, Any]) -> Table:
    table = Table("objective", "generator", "discriminator", "is it?", title="The equation of each label")
    for entry in record["equations"]:
        cells = [entry[player] or "no equation on record" for player in PLAYERS]
        table.add_row(entry["objective"], *map(escape, cells), _outcome(entry))
    return table


def _penalties(record: dict[str, Any]) -> Table:
    table = Table("term", "of D(x) = w·x", "is it?", title="Penalties are per sample")
    for entry in record["penalties"]:
        table.add_row(entry["term"], entry["linear"] or "no closed form on record", _outcome(entry))
    return table


def _outcome(entry: dict[str, Any]) -> str:
    if entry["holds"] is None:
        return "–"
    if not entry["holds"]:
        return escape("NO: " + "; ".join(entry["faults"]))
    return f"yes, to {entry['error']:.0e}" if entry["error"] else "yes, exactly"


def _identities(record: dict[str, Any]) -> Table:
    table = Table("claim", "statement", "holds", "error", title="The sources' algebra")
    for entry in record["identities"]:
        error = f"{entry['error']:.0%} of logits" if entry["measure"] == "share of logits" else f"{entry['error']:.0e}"
        table.add_row(entry["id"], escape(entry["statement"]), "yes" if entry["holds"] else "no", error)
    return table


def _numerics(record: dict[str, Any]) -> Table:
    table = Table("losses", "float32, at |logit| up to 40", title="Numerics", show_lines=True)
    for entry in record["numerics"]:
        table.add_row(escape("; ".join(entry["losses"])), escape(entry["text"]))
    return table


def _pairs(record: dict[str, Any]) -> list[Table]:
    """Every pair's verdict as a sign, and in words those that are not simply different."""
    names = list(record["variants"])
    kinds = {frozenset((pair["first"], pair["second"])): pair["kind"] for pair in record["pairs"]}
    legend = ", ".join(f"{SIGNS[kind]} {words.split(' from')[0]}" for kind, words in WORDS.items())
    matrix = Table(
        "", *(str(number) for number in range(1, len(names) + 1)), title="Every pair", caption=legend, padding=0
    )
    for number, name in enumerate(names, 1):
        signs = [SIGNS[kinds.get(frozenset((name, other)), "different")] for other in names[: number - 1]]
        matrix.add_row(f"{number} {name}", *signs)
    table = Table("pair", "verdict", "why", title="Pairs that are not simply different", show_lines=True)
    for pair in record["pairs"]:
        table.add_row(f"{pair['first']}, {pair['second']}", pair["verdict"], escape(pair["reason"]))
    return [matrix, table]


def _verdict(kind: str, logit: float | None) -> str:
    return WORDS[kind].format(logit="" if logit is None else say(logit))


def _from(logit: float, side: int) -> str:
    return f"from logit {say(logit)} {'down' if side < 0 else 'up'}"
