"""The tests of the claims that claims.yaml states: from what the study measured to numbers and a verdict."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from scipy import stats

from gan.formatting import joined, percent, share, span
from gan.stats.inference import share_estimate
from gan.study.preregistration import claims

Verdict = Literal["supported", "refuted", "undecided"]
Numbers = dict[str, float | int | str | bool | None]

WORKING_DIGITS = 5  # of ten, that a working generator draws at least
WORKING_PRECISION = 0.5  # share of its images that lie among real ones
SURE = 0.5  # mean D(G(z)) below which a discriminator is on its way to win
CLOSE_TO_ZERO = 0.01  # of a generator's loss
LITTLE_VARIANCE, LITTLE_DISTANCE = 0.01, 0.05  # shares of the real images' variance
VANILLA = ("minimax", "non_saturating", "cewl")
NON_BCE = ("lsgan", "wgan", "wgan_gp", "hinge")
"""The field's objectives that are no cross-entropy."""


@dataclass(frozen=True)
class Evidence:
    """What the study has measured: `reports/` as it lies there.

    `metrics` has a row per run and scored epoch, `history` one per run and epoch; both name their `variant`.
    """

    audit: dict[str, Any]
    mechanism: dict[str, Any]
    comparison: dict[str, Any]
    floor: dict[str, Any]
    metrics: pd.DataFrame
    history: pd.DataFrame

    def holds(self, *identities: str) -> bool:
        """Whether all these identities of the audit do; UntestedError if one of them was not checked."""
        known = {entry["key"]: entry["holds"] for entry in self.audit["identities"]}
        if missing := [key for key in identities if key not in known]:
            raise UntestedError(f"identity {', '.join(missing)}")
        return all(known[key] for key in identities)

    def error(self, identity: str) -> float:
        return next(float(entry["error"]) for entry in self.audit["identities"] if entry["key"] == identity)

    def runs(self, variant: str, epoch: int | None = None) -> pd.DataFrame:
        """The variant's scored runs after so many epochs, by default its last, with columns `collapsed` and `failed`.

        UntestedError if there are none.
        """
        own = self.metrics[self.metrics["variant"] == variant]
        own = own[own["epoch"] == (own["epoch"].max() if epoch is None else epoch)]
        if own.empty:
            raise UntestedError(f"variant {variant}" + (f" after {epoch} epochs" if epoch else ""))
        collapsed = own["digits"] <= self.comparison["collapse"]
        return own.assign(collapsed=collapsed, failed=collapsed | (own["status"] != "finished"))

    def contrast(self, variant: str, against: str) -> dict[str, Any]:
        """The comparison's contrast of the two; UntestedError if there is none."""
        for contrast in self.comparison["contrasts"]:
            if (contrast["variant"], contrast["against"]) == (variant, against):
                return contrast
        raise UntestedError(f"contrast of {variant} with {against}")

    def fresh(self, loss: str, epoch: int | None = None) -> dict[tuple[int, int], list[dict[str, Any]]]:
        """New discriminators on frozen generators under `loss`: steps in order, by seed and the generator's epoch."""
        trained: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in self.mechanism["fresh_discriminator"]:
            if row["loss"] == loss and epoch in (None, row["epoch"]):
                trained.setdefault((row["seed"], row["epoch"]), []).append(row)
        if not trained:
            raise UntestedError("fresh discriminators")
        return trained


class UntestedError(Exception):
    """Something that a claim's test needs is not in this study."""


@dataclass(frozen=True)
class Finding:
    """What a claim's test found: the verdict by the claim's rule, its numbers, and both in a sentence."""

    verdict: Verdict
    sentence: str
    numbers: Numbers


def ledger(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Every claim's entry by its id: what was declared, numbers, verdict and reason; fit for JSON."""
    entries = {}
    for name, claim in claims().items():
        try:
            found = TESTS[name](evidence)
        except UntestedError as missing:
            found = Finding("undecided", f"Not tested: this study has no {missing}.", {})
        numbers = {key: _plain(value) for key, value in found.numbers.items()}
        told = {"kind": claim.kind, "text": claim.text, "rule": claim.stated, "figure": claim.figure}
        entries[name] = {**told, "numbers": numbers, "verdict": found.verdict, "reason": found.sentence}
    return entries


def _plain(value: Any) -> float | int | str | bool | None:
    """JSON knows no NaN, no infinity and none of NumPy's numbers."""
    if isinstance(value, str | bool) or value is None:
        return value
    number = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None


def _decide(supported: bool, refuted: bool) -> Verdict:
    return "supported" if supported else "refuted" if refuted else "undecided"


def _stated(statement: str, true: bool) -> str:
    return statement if true else f"Not so: {statement}"


def _identity(supporting: Sequence[str], statement: str, refuting: Sequence[str] = ()) -> Callable[[Evidence], Finding]:
    """A test that rests on the audit's identities alone: `supporting` must hold, `refuting` must not."""

    def test(evidence: Evidence) -> Finding:
        true = all([evidence.holds(key) for key in supporting] + [not evidence.holds(key) for key in refuting])
        numbers: Numbers = {f"{key}.error": evidence.error(key) for key in (*supporting, *refuting)}
        return Finding("supported" if true else "refuted", _stated(statement, true), numbers)

    return test


def _same_direction(evidence: Evidence) -> Finding:
    other_size = evidence.holds("V6.sign", "V6.ratio")
    return Finding(
        _decide(evidence.holds("V6.equal"), evidence.holds("V6.ratio")),
        _stated(
            "Both gradients have the same sign everywhere, but their ratio is exp(l) = D/(1 − D): the direction is the "
            "same, the size is not.",
            other_size,
        ),
        {f"{key}.error": evidence.error(key) for key in ("V6.sign", "V6.ratio", "V6.equal")},
    )


def _one_value_function(evidence: Evidence) -> Finding:
    trained_on_v = {name: evidence.holds(f"Q7.{name}") for name in ("discriminator", *VANILLA)}
    on_v, others = ([name for name in VANILLA if trained_on_v[name] is which] for which in (True, False))
    return Finding(
        _decide(all(trained_on_v.values()), bool(others)),
        f"{_stated('The discriminator maximises V.', trained_on_v['discriminator'])} Of the generators, V's own "
        f"gradient moves that of {joined(on_v) or 'none'}, and another one that of {joined(others) or 'none'}.",
        {f"Q7.{name}": own for name, own in trained_on_v.items()},
    )


def _gradient_changes(evidence: Evidence, loss: str) -> list[float]:
    """By how much the gradient norm of each frozen generator has changed once a new discriminator is trained."""
    return [rows[-1]["gradient_norm"] / rows[0]["gradient_norm"] for rows in evidence.fresh(loss).values()]


def _saturation(evidence: Evidence) -> Finding:
    identity = evidence.holds("V2.gradient", "V2.limit")
    falls = _gradient_changes(evidence, "minimax")
    last = [rows[-1]["fake_probability"] for rows in evidence.fresh("minimax").values()]
    vanished = sum(fall < 0.1 for fall in falls)
    return Finding(
        _decide(identity and vanished == len(falls), not identity or vanished == 0),
        f"{_stated('The gradient by the logit is −D(G(z)).', identity)} As a new discriminator learns and D(G(z)) "
        f"falls to {statistics.median(last):.1g}, the gradient norm of a frozen generator falls to "
        f"{statistics.median(falls):.2g} of what it was (median of {len(falls)}); it vanishes in {vanished}.",
        {"discriminators": len(falls), "vanished": vanished, "median_fall": statistics.median(falls)},
    )


def _stronger_early(evidence: Evidence) -> Finding:
    first = min(epoch for _, epoch in evidence.fresh("minimax"))
    mine, theirs = evidence.fresh("non_saturating", first), evidence.fresh("minimax", first)
    stronger, ratios = 0, []
    for which in theirs:
        pairs = [
            ours["gradient_norm"] / other["gradient_norm"]
            for ours, other in zip(mine[which], theirs[which], strict=True)
            if other["fake_probability"] < SURE and other["gradient_norm"] > 0
        ]
        stronger += bool(pairs) and min(pairs) > 1
        ratios += pairs
    if not ratios:
        raise UntestedError("discriminator that grew sure")
    return Finding(
        _decide(stronger == len(theirs), stronger == 0),
        f"On the same networks (generators after epoch {first}) the non-saturating gradient is "
        f"{min(ratios):.3g} to {max(ratios):.3g} times as large as minimax's once D(G(z)) is below {SURE}; it is "
        f"larger throughout with {stronger} of {len(theirs)} seeds.",
        {"seeds": len(theirs), "stronger": stronger, "smallest_ratio": min(ratios), "largest_ratio": max(ratios)},
    )


def _stability(evidence: Evidence) -> Finding:
    contrast = evidence.contrast("non_saturating", "minimax")
    failures, alpha = contrast["failures"], evidence.comparison["alpha"]
    ours, theirs = failures["variant"], failures["against"]
    numbers: Numbers = {"failed_non_saturating": ours, "failed_minimax": theirs, "mcnemar_p": failures["p"]}
    sentence = f"Of {contrast['n']['variant']} seeds {ours} failed with non_saturating and {theirs} with minimax"
    if failures["p"] <= alpha:
        sentence += f" (exact McNemar test, p = {failures['p']:.2g})."
        return Finding(_decide(ours < theirs, ours > theirs), sentence, numbers)
    logs = [
        [math.log(fid) for fid in runs.loc[~runs["failed"], "fid"]]
        for runs in (evidence.runs("non_saturating"), evidence.runs("minimax"))
    ]
    if min(map(len, logs)) < 3:
        return Finding("undecided", f"{sentence}: too few survive to compare their spread.", numbers)
    spreads = [statistics.stdev(values) for values in logs]
    p = float(stats.levene(*logs, center="median").pvalue)
    numbers |= {"spread_non_saturating": spreads[0], "spread_minimax": spreads[1], "brown_forsythe_p": p}
    sentence += f"; log FIDs of the survivors spread by {spreads[0]:.3g} and {spreads[1]:.3g} (p = {p:.2g})."
    return Finding(
        _decide(p <= alpha and spreads[0] < spreads[1], p <= alpha and spreads[0] > spreads[1]), sentence, numbers
    )


def _harder_task(evidence: Evidence) -> Finding:
    trained = evidence.fresh("non_saturating")
    seeds = sorted({seed for seed, _ in trained})
    first, last = min(epoch for _, epoch in trained), max(epoch for _, epoch in trained)
    losses = {epoch: [_course(trained[seed, epoch], "discriminator_loss") for seed in seeds] for epoch in (first, last)}
    hits = {epoch: [_course(trained[seed, epoch], "accuracy") for seed in seeds] for epoch in (first, last)}
    harder = sum(
        later > before and right <= wrong
        for before, later, wrong, right in zip(losses[first], losses[last], hits[first], hits[last], strict=True)
    )
    easier = sum(later < before for before, later in zip(losses[first], losses[last], strict=True))
    return Finding(
        _decide(harder == len(seeds), easier == len(seeds)),
        f"A new discriminator's mean loss over its first epoch is {statistics.fmean(losses[first]):.3g} against "
        f"generators after epoch {first} and {statistics.fmean(losses[last]):.3g} after epoch {last}; its accuracy "
        f"{statistics.fmean(hits[first]):.4f} and {statistics.fmean(hits[last]):.4f}. Harder with {harder} of "
        f"{len(seeds)} seeds.",
        {
            "seeds": len(seeds),
            "harder": harder,
            "loss_first": statistics.fmean(losses[first]),
            "loss_last": statistics.fmean(losses[last]),
            "accuracy_first": statistics.fmean(hits[first]),
            "accuracy_last": statistics.fmean(hits[last]),
        },
    )


def _course(rows: Sequence[dict[str, Any]], name: str) -> float:
    """The mean over the kept steps, which lie evenly on a logarithmic axis."""
    return statistics.fmean(row[name] for row in rows)


def _label_zero(evidence: Evidence) -> Finding:
    negative = evidence.holds("T1.negative") and not evidence.holds("T1.direction")
    runs = evidence.runs("bce_label_zero")
    failed = int(runs["failed"].sum())
    contrast = evidence.contrast("bce_label_zero", "non_saturating")
    worse = failed == len(runs) or contrast["verdict"] == "refuted"
    opposite = (
        "BCE with label 0 is minus minimax's generator loss, so its gradient points the other way at every logit."
    )
    return Finding(
        _decide(not negative and not worse, negative and worse),
        f"{_stated(opposite, negative)} Trained so, {failed} of {len(runs)} runs fail.",
        {
            "opposite_gradient": negative,
            "runs": len(runs),
            "failed": failed,
            "ratio": contrast["scored_ratio"]["ratio"],
        },
    )


def _stuck_at_zero(evidence: Evidence) -> Finding:
    positive = evidence.holds("T2.positive", "T2.limit")
    history, runs = evidence.history, evidence.runs("minimax")
    own = history[history["variant"] == "minimax"]
    near = own[own["generator_loss"].abs() < CLOSE_TO_ZERO].groupby("seed")["epoch"].min()
    ended = runs.set_index("seed")["collapsed"]
    reached = [seed for seed in runs["seed"] if seed in near.index]
    stuck = sum(bool(ended[seed]) for seed in reached)
    part = stuck / len(reached) if reached else math.nan
    return Finding(
        _decide(bool(reached) and len(reached) >= 0.9 * len(runs) and part >= 0.9, bool(reached) and part <= 0.1),
        f"{_stated('Loss and gradient are never exactly 0 but go to 0 together, as D(G(z)) does.', positive)} "
        f"An epoch's mean loss comes within {CLOSE_TO_ZERO} of 0 in {len(reached)} of {len(runs)} minimax runs; "
        f"{stuck} of these end collapsed.",
        {"never_exactly_zero": positive, "runs": len(runs), "came_close": len(reached), "ended_collapsed": stuck},
    )


def _large_where_sure(evidence: Evidence) -> Finding:
    identity = evidence.holds("T3.size", "T3.limit")
    growth = _gradient_changes(evidence, "non_saturating")
    kept = sum(ratio >= 1 for ratio in growth)
    return Finding(
        _decide(identity and kept == len(growth), not identity or kept == 0),
        f"{_stated('The gradient by the logit has size 1 − D(G(z)).', identity)} As a new discriminator grows sure, "
        f"the gradient norm of a frozen generator becomes {statistics.median(growth):.3g} times what it was (median of "
        f"{len(growth)}); it is no smaller in {kept}.",
        {"discriminators": len(growth), "not_smaller": kept, "median_growth": statistics.median(growth)},
    )


def _recipe_works(evidence: Evidence) -> Finding:
    runs = evidence.runs("non_saturating")
    working = ~runs["failed"] & (runs["digits"] >= WORKING_DIGITS) & (runs["precision"] >= WORKING_PRECISION)
    count, confidence = int(working.sum()), 1 - evidence.comparison["alpha"]
    found = share_estimate(count, len(runs), confidence)
    recall = float(runs["recall"].mean())
    return Finding(
        _decide(found.low > 0.5, found.high < 0.5),
        f"{count} of {len(runs)} runs give a working generator ({percent(confidence)} interval of the share "
        f"{span(found.low, found.high)}); mean digits {runs['digits'].mean():.1f}, precision "
        f"{runs['precision'].mean():.2f}, but recall {recall:.3f}.",
        {"runs": len(runs), "working": count, "low": found.low, "high": found.high, "recall": recall},
    )


def _gradient_flow(evidence: Evidence) -> Finding:
    flow = evidence.mechanism["gradient_flow"]
    as_claimed = (
        flow["generator_in_its_step"]
        and not flow["generator_under_no_grad"]
        and not flow["generator_behind_detach"]
        and flow["discriminator_behind_detach"]
    )
    return Finding(
        _decide(as_claimed, not as_claimed),
        "The tutorial's generator gets a gradient in its own step, none under no_grad and none behind detach, where "
        "the discriminator gets its own."
        if as_claimed
        else "Gradients reach other networks than the claim says.",
        dict(flow),
    )


def _freezing(evidence: Evidence) -> Finding:
    found = evidence.mechanism["frozen_discriminator"]
    peak, time = found["peak_bytes"], found["milliseconds"]
    saved = 1 - peak["frozen"] / peak["not_frozen"]
    return Finding(
        _decide(found["same_weights"] and saved > 0.01, not found["same_weights"] or saved <= 0),
        f"Weights are {'bitwise the same' if found['same_weights'] else 'not the same'}; the generator's step needs at "
        f"most {peak['frozen'] / 2**20:.2f} MiB instead of {peak['not_frozen'] / 2**20:.2f} beside the parameters, and "
        f"{time['frozen']:.2f} ms instead of {time['not_frozen']:.2f}.",
        {
            "same_weights": found["same_weights"],
            "memory_saved": saved,
            "time_saved": 1 - time["frozen"] / time["not_frozen"],
        },
    )


def _perfect_generator(evidence: Evidence) -> Finding:
    found = [row["fake_probability"] for row in evidence.mechanism["perfect_generator"]]
    history = evidence.history
    own = history[history["variant"] == "non_saturating"]
    trained = own[own["epoch"] == own["epoch"].max()]["fake_probability"]
    return Finding(
        _decide(min(found) > 0.9, max(found) < 0.6 and min(found) > 0.4),
        f"With real images in the generator's place mean D is {min(found):.3f} to {max(found):.3f}: the equilibrium is "
        f"1/2. The trained generators stand at {trained.mean():.3f} in their last epoch.",
        {"lowest": min(found), "highest": max(found), "seeds": len(found), "trained": float(trained.mean())},
    )


def _pixel_losses(evidence: Evidence) -> Finding:
    variance = evidence.floor["output_variance"]
    numbers: Numbers = {"real_variance": variance}
    nonsense, sound, spreads, distances = [], [], [], []
    for variant, centre in (("pixel_mse", "mean_distance"), ("pixel_mae", "median_distance")):
        runs = evidence.runs(variant)
        rivals = evidence.runs("non_saturating", int(runs["epoch"].iloc[0]))
        spread, distance = float(runs["output_variance"].max()) / variance, float(runs[centre].max()) / variance
        spreads.append(spread)
        distances.append(distance)
        worse = bool(runs["fid"].min() > rivals["fid"].max())
        nonsense.append(spread < LITTLE_VARIANCE and distance < LITTLE_DISTANCE and worse)
        sound.append(bool((runs["output_variance"] > variance / 2).all()))
        numbers |= {f"{variant}.variance": spread, f"{variant}.{centre}": distance, f"{variant}.worse": worse}
    return Finding(
        _decide(all(nonsense), any(sound)),
        f"Whatever z, MSE draws the mean image and MAE the median image: over z their outputs vary by at most "
        f"{share(spreads[0], 1)} and {share(spreads[1], 1)} of what real images do, and "
        f"lie {share(distances[0], 1)} and {share(distances[1], 1)} of that away.",
        numbers,
    )


def _reconstruction(variant: str, *, against: str, adversarial: bool) -> Callable[[Evidence], Finding]:
    def test(evidence: Evidence) -> Finding:
        runs, blank = evidence.runs(variant), evidence.floor["mean_distance"]
        rivals = evidence.runs(against, int(runs["epoch"].iloc[0]))
        errors = runs["reconstruction_error"] / blank
        faithful = int((errors < 0.5).sum())
        whole = not runs["collapsed"].any() if adversarial else bool(runs["fid"].max() < rivals["fid"].min())
        fids = runs["fid"].map(math.log).mean(), rivals["fid"].map(math.log).mean()
        return Finding(
            _decide(faithful == len(runs) and whole, faithful == 0),
            f"Test images are rebuilt from inferred latents with {errors.mean():.2f} of the error of the mean image "
            f"(below half in {faithful} of {len(runs)} runs); FID is {math.exp(fids[0]):.0f}, beside "
            f"{math.exp(fids[1]):.0f} with {against}.",
            {
                "runs": len(runs),
                "faithful": faithful,
                "error": float(errors.mean()),
                "not_collapsed" if adversarial else "better_fid": whole,
                "fid": math.exp(fids[0]),
                f"fid_{against}": math.exp(fids[1]),
            },
        )

    return test


def _feature_matching(evidence: Evidence) -> Finding:
    contrast = evidence.contrast("feature_matching", "non_saturating")
    return Finding(
        _decide(contrast["verdict"] == "refuted", contrast["verdict"] == "supported"),
        contrast["reason"],
        _of(contrast),
    )


def _other_losses(evidence: Evidence) -> Finding:
    numbers: Numbers = {}
    good, all_failed = [], []
    for variant in NON_BCE:
        contrast = evidence.contrast(variant, "non_saturating")
        numbers |= {f"{variant}.ratio": contrast["ratio"], f"{variant}.failed": contrast["failures"]["variant"]}
        if contrast["verdict"] == "supported":
            good.append(variant)
        runs = evidence.runs(variant)
        all_failed.append(bool(runs["failed"].all()))
    better = f"Better than non-saturating: {', '.join(good)}." if good else "None is better than non-saturating."
    return Finding(_decide(bool(good), all(all_failed)), better, numbers)


def _better_than_the_original(evidence: Evidence) -> Finding:
    contrast = evidence.contrast("cewl", "minimax")
    verdict = contrast["verdict"]
    twin = evidence.contrast("cewl", "non_saturating")
    return Finding(
        _decide(verdict == "supported", verdict == "refuted"),
        f"{contrast['reason']} Beside the non-saturating form of the same paper: {twin['reason']}",
        {**_of(contrast), "equivalence_to_non_saturating": twin["verdict"]},
    )


def _of(contrast: dict[str, Any]) -> Numbers:
    numbers: Numbers = {name: contrast[name] for name in ("ratio", "low", "high", "p_adjusted")}
    return {**numbers, "runs": contrast["n"]["variant"], "contrast": contrast["id"]}


TESTS: dict[str, Callable[[Evidence], Finding]] = {
    "V1": _identity(["V1.value"], "The two agree to rounding."),
    "V2": _saturation,
    "V3": _stronger_early,
    "V4": _stability,
    "V5": _identity(["V5.value"], "The two agree to rounding."),
    "V6": _same_direction,
    "V7": _harder_task,
    "T1": _label_zero,
    "T2": _stuck_at_zero,
    "T3": _large_where_sure,
    "T4": _recipe_works,
    "T5": _gradient_flow,
    "T6": _freezing,
    "Q1": _identity(
        ["Q1.image", "V5.value"],
        "It is −log D(G(z)), whose gradient at G(z) knows no real image; a reconstruction's changes with x.",
        refuting=["Q1.reconstruction"],
    ),
    "Q2": _perfect_generator,
    "Q3": _pixel_losses,
    "Q4": _reconstruction("vae", against="pixel_mse", adversarial=False),
    "Q5": _feature_matching,
    "Q6": _reconstruction("vae_gan", against="non_saturating", adversarial=True),
    "Q7": _one_value_function,
    "Q8": _identity(
        ["Q8.discriminator", "Q8.gradient", "Q8.generator"],
        "Its discriminator's loss is half the original one, its generator's is the non-saturating one, not V's.",
        refuting=["Q7.cewl"],
    ),
    "Q9": _better_than_the_original,
    "Q10": _identity(
        ["Q10.decreasing", "Q10.sum", "Q10.increasing"],
        "Alone the term rewards a high l_f; with the first term it is softplus(l_f), which increases everywhere.",
    ),
    "Q11": _other_losses,
}
