"""The rules of claims.yaml as tests: from what the study measured to numbers and a verdict.

A rule's numbers come from the claim's thresholds, as keyword arguments of the same names.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from scipy import stats

from gan.claims.evidence import Evidence, UntestedError
from gan.formatting import joined, percent, span
from gan.formatting import share as in_percent
from gan.records.claims import Numbers
from gan.records.comparison import Contrast
from gan.records.mechanism import Step
from gan.stats.inference import share_estimate

Verdict: TypeAlias = Literal["supported", "refuted", "undecided"]

VANILLA = ("minimax", "non_saturating", "cewl")
NON_BCE = ("lsgan", "wgan", "wgan_gp", "hinge")
"""The field's objectives that are no cross-entropy."""


@dataclass(frozen=True)
class Finding:
    """What a claim's test found: the verdict by its rule, a sentence that says why, and the numbers behind it."""

    verdict: Verdict
    sentence: str
    numbers: Numbers


Rule: TypeAlias = Callable[..., Finding]
"""Evidence and thresholds to a finding; UntestedError if the study lacks something that the rule needs."""


def decide(supported: bool, refuted: bool) -> Verdict:
    return "supported" if supported else "refuted" if refuted else "undecided"


def stated(statement: str, true: bool) -> str:
    return statement if true else f"Not so: {statement}"


def identity_rule(supporting: Sequence[str], statement: str, refuting: Sequence[str] = ()) -> Rule:
    """A rule that rests on identities alone: all of `supporting` must hold, none of `refuting` may."""

    def rule(evidence: Evidence) -> Finding:
        true = evidence.holds(*supporting) and not any(map(evidence.holds, refuting))
        return Finding(decide(true, not true), stated(statement, true), {**evidence.errors(*supporting, *refuting)})

    return rule


def saturation(evidence: Evidence, fall: float) -> Finding:
    identity = evidence.holds("V2.gradient", "V2.limit")
    falls = _gradient_changes(evidence, "minimax")
    last = [steps[-1].fake_probability for steps in evidence.fresh_discriminators("minimax").values()]
    vanished = sum(change < fall for change in falls)
    return Finding(
        decide(identity and vanished == len(falls), not identity or vanished == 0),
        f"{stated('The gradient by the logit is −D(G(z)).', identity)} As a new discriminator learns and D(G(z)) "
        f"falls to {statistics.median(last):.1g}, the gradient norm of a frozen generator falls to "
        f"{statistics.median(falls):.2g} of what it was (median of {len(falls)}); it vanishes in {vanished}.",
        {"discriminators": len(falls), "vanished": vanished, "median_fall": statistics.median(falls)},
    )


def _gradient_changes(evidence: Evidence, loss: str) -> list[float]:
    """Each frozen generator's gradient norm at the end of a new discriminator's epoch, over that at its start."""
    discriminators = evidence.fresh_discriminators(loss).values()
    return [steps[-1].gradient_norm / steps[0].gradient_norm for steps in discriminators]


def stronger_early(evidence: Evidence, sure: float) -> Finding:
    first = min(epoch for _, epoch in evidence.fresh_discriminators("minimax"))
    non_saturating, minimax = (evidence.fresh_discriminators(loss, first) for loss in ("non_saturating", "minimax"))
    stronger, ratios = 0, []
    for generator, steps in minimax.items():
        ratios_of_seed = [
            other.gradient_norm / step.gradient_norm
            for other, step in zip(non_saturating[generator], steps, strict=True)
            if step.fake_probability < sure and step.gradient_norm > 0
        ]
        stronger += bool(ratios_of_seed) and min(ratios_of_seed) > 1
        ratios += ratios_of_seed
    if not ratios:
        raise UntestedError("discriminator that grew sure")
    return Finding(
        decide(stronger == len(minimax), stronger == 0),
        f"On the same networks (generators after epoch {first}) the non-saturating gradient is "
        f"{min(ratios):.3g} to {max(ratios):.3g} times as large as minimax's once D(G(z)) is below {sure:g}; it is "
        f"larger throughout with {stronger} of {len(minimax)} seeds.",
        {"seeds": len(minimax), "stronger": stronger, "smallest_ratio": min(ratios), "largest_ratio": max(ratios)},
    )


def stability(evidence: Evidence, survivors: int) -> Finding:
    contrast = evidence.contrast("non_saturating", "minimax")
    failures, alpha = contrast.failures, evidence.comparison.alpha
    failed, of_minimax, p = failures.variant, failures.against, failures.p
    numbers: Numbers = {"failed_non_saturating": failed, "failed_minimax": of_minimax, "mcnemar_p": p}
    sentence = f"Of {contrast.n.variant} seeds {failed} failed with non_saturating and {of_minimax} with minimax"
    if p <= alpha:
        return Finding(
            decide(failed < of_minimax, failed > of_minimax), f"{sentence} (exact McNemar test, p = {p:.2g}).", numbers
        )
    logs = [
        [math.log(fid) for fid in runs.loc[~runs["failed"], "fid"]]
        for runs in (evidence.runs("non_saturating"), evidence.runs("minimax"))
    ]
    if min(map(len, logs)) < survivors:
        return Finding("undecided", f"{sentence}: too few survive to compare their spread.", numbers)
    deviation, other = (statistics.stdev(values) for values in logs)
    p = float(stats.levene(*logs, center="median").pvalue)
    numbers |= {"spread_non_saturating": deviation, "spread_minimax": other, "brown_forsythe_p": p}
    sentence += f"; log FIDs of the survivors spread by {deviation:.3g} and {other:.3g} (p = {p:.2g})."
    return Finding(decide(p <= alpha and deviation < other, p <= alpha and deviation > other), sentence, numbers)


def same_direction(evidence: Evidence) -> Finding:
    other_size = evidence.holds("V6.sign", "V6.ratio")
    statement = (
        "Both gradients have the same sign everywhere, but their ratio is exp(l) = D/(1 − D): the direction is the "
        "same, the size is not."
    )
    verdict = decide(evidence.holds("V6.equal"), evidence.holds("V6.ratio"))
    return Finding(verdict, stated(statement, other_size), {**evidence.errors("V6.sign", "V6.ratio", "V6.equal")})


def harder_task(evidence: Evidence) -> Finding:
    discriminators = evidence.fresh_discriminators("non_saturating")
    seeds = sorted({seed for seed, _ in discriminators})
    ages = [epoch for _, epoch in discriminators]
    first, last = min(ages), max(ages)

    def means(quantity: Callable[[Step], float], epoch: int) -> list[float]:
        """Each seed's mean over the kept steps, which lie evenly on a logarithmic axis."""
        return [statistics.fmean(map(quantity, discriminators[seed, epoch])) for seed in seeds]

    measured = {
        "loss_first": means(lambda step: step.discriminator_loss, first),
        "loss_last": means(lambda step: step.discriminator_loss, last),
        "accuracy_first": means(lambda step: step.accuracy, first),
        "accuracy_last": means(lambda step: step.accuracy, last),
    }
    by_seed = list(zip(*measured.values(), strict=True))
    harder = sum(loss > loss_before and hits <= hits_before for loss_before, loss, hits_before, hits in by_seed)
    easier = sum(loss < loss_before for loss_before, loss, *_ in by_seed)
    mean = {name: statistics.fmean(values) for name, values in measured.items()}
    return Finding(
        decide(harder == len(seeds), easier == len(seeds)),
        f"A new discriminator's mean loss over its first epoch is {mean['loss_first']:.3g} against generators after "
        f"epoch {first} and {mean['loss_last']:.3g} after epoch {last}; its accuracy {mean['accuracy_first']:.4f} and "
        f"{mean['accuracy_last']:.4f}. Harder with {harder} of {len(seeds)} seeds.",
        {"seeds": len(seeds), "harder": harder, **mean},
    )


def label_zero(evidence: Evidence) -> Finding:
    negative = evidence.holds("T1.negative") and not evidence.holds("T1.direction")
    runs = evidence.runs("bce_label_zero")
    failed = int(runs["failed"].sum())
    contrast = evidence.contrast("bce_label_zero", "non_saturating")
    worse = failed == len(runs) or contrast.verdict == "refuted"
    opposite = (
        "BCE with label 0 is minus minimax's generator loss, so its gradient points the other way at every logit."
    )
    ratio = contrast.scored_ratio.ratio
    return Finding(
        decide(not negative and not worse, negative and worse),
        f"{stated(opposite, negative)} Trained so, {failed} of {len(runs)} runs fail.",
        {"opposite_gradient": negative, "runs": len(runs), "failed": failed, "ratio": ratio},
    )


def stuck_at_zero(evidence: Evidence, near: float, most: float, few: float) -> Finding:
    positive = evidence.holds("T2.positive", "T2.limit")
    runs, epochs = evidence.runs("minimax"), evidence.epochs("minimax")
    close = runs["seed"].isin(epochs.loc[epochs["generator_loss"].abs() < near, "seed"])
    reached, stuck = int(close.sum()), int(runs.loc[close, "collapsed"].sum())
    stuck_share = stuck / reached if reached else math.nan
    return Finding(
        decide(reached >= most * len(runs) and stuck_share >= most, stuck_share <= few),
        f"{stated('Loss and gradient are never exactly 0 but go to 0 together, as D(G(z)) does.', positive)} "
        f"An epoch's mean loss comes within {near:g} of 0 in {reached} of {len(runs)} minimax runs; "
        f"{stuck} of these end collapsed.",
        {"never_exactly_zero": positive, "runs": len(runs), "came_close": reached, "ended_collapsed": stuck},
    )


def large_where_sure(evidence: Evidence) -> Finding:
    identity = evidence.holds("T3.size", "T3.limit")
    growth = _gradient_changes(evidence, "non_saturating")
    kept = sum(ratio >= 1 for ratio in growth)
    return Finding(
        decide(identity and kept == len(growth), not identity or kept == 0),
        f"{stated('The gradient by the logit has size 1 − D(G(z)).', identity)} As a new discriminator grows sure, "
        f"the gradient norm of a frozen generator becomes {statistics.median(growth):.3g} times what it was (median of "
        f"{len(growth)}); it is no smaller in {kept}.",
        {"discriminators": len(growth), "not_smaller": kept, "median_growth": statistics.median(growth)},
    )


def recipe_works(evidence: Evidence, digits: int, precision: float, share: float) -> Finding:
    runs = evidence.runs("non_saturating")
    working = int((~runs["failed"] & (runs["digits"] >= digits) & (runs["precision"] >= precision)).sum())
    confidence = 1 - evidence.comparison.alpha
    estimate = share_estimate(working, len(runs), confidence)
    recall = float(runs["recall"].mean())
    return Finding(
        decide(estimate.low > share, estimate.high < share),
        f"{working} of {len(runs)} runs give a working generator ({percent(confidence)} interval of the share "
        f"{span(estimate.low, estimate.high)}); mean digits {runs['digits'].mean():.1f}, precision "
        f"{runs['precision'].mean():.2f}, but recall {recall:.3f}.",
        {"runs": len(runs), "working": working, "low": estimate.low, "high": estimate.high, "recall": recall},
    )


def gradient_flow(evidence: Evidence) -> Finding:
    flow = evidence.mechanism.gradient_flow
    as_claimed = (
        flow.generator_in_its_step
        and not flow.generator_under_no_grad
        and not flow.generator_behind_detach
        and flow.discriminator_behind_detach
    )
    return Finding(
        decide(as_claimed, not as_claimed),
        "The tutorial's generator gets a gradient in its own step, none under no_grad and none behind detach, where "
        "the discriminator gets its own."
        if as_claimed
        else "Gradients reach other networks than the claim says.",
        asdict(flow),
    )


def freezing(evidence: Evidence, saved: float) -> Finding:
    measured = evidence.mechanism.frozen_discriminator
    same, peak, time = measured.same_weights, measured.peak_bytes, measured.milliseconds
    memory_saved = 1 - peak.frozen / peak.not_frozen
    return Finding(
        decide(same and memory_saved > saved, not same or memory_saved <= 0),
        f"Weights are {'bitwise the same' if same else 'not the same'}; the generator's step needs at "
        f"most {peak.frozen / 2**20:.2f} MiB instead of {peak.not_frozen / 2**20:.2f} beside the parameters, and "
        f"{time.frozen:.2f} ms instead of {time.not_frozen:.2f}.",
        {"same_weights": same, "memory_saved": memory_saved, "time_saved": 1 - time.frozen / time.not_frozen},
    )


def perfect_generator(evidence: Evidence, close: float, low: float, high: float) -> Finding:
    probabilities = [row.fake_probability for row in evidence.mechanism.perfect_generator]
    lowest, highest = min(probabilities), max(probabilities)
    epochs = evidence.epochs("non_saturating")
    trained = epochs[epochs["epoch"] == epochs["epoch"].max()]["fake_probability"]
    return Finding(
        decide(lowest > close, low < lowest and highest < high),
        f"With real images in the generator's place mean D is {lowest:.3f} to {highest:.3f}: the equilibrium is "
        f"1/2. The trained generators stand at {trained.mean():.3f} in their last epoch.",
        {"lowest": lowest, "highest": highest, "seeds": len(probabilities), "trained": float(trained.mean())},
    )


def pixel_losses(evidence: Evidence, variance: float, distance: float, sound: float) -> Finding:
    numbers: Numbers = {}
    nonsense, any_sound, variances, distances = [], False, [], []
    for variant, centre in (("pixel_mse", "mean_distance"), ("pixel_mae", "median_distance")):
        runs, rivals = evidence.runs(variant), evidence.rivals(variant, "non_saturating")
        real_variance = numbers["real_variance"] = evidence.floor_of(runs)["output_variance"]
        variances.append(float(runs["output_variance"].max()) / real_variance)
        distances.append(float(runs[centre].max()) / real_variance)
        worse = bool(runs["fid"].min() > rivals["fid"].max())
        nonsense.append(variances[-1] < variance and distances[-1] < distance and worse)
        any_sound |= bool((runs["output_variance"] > sound * real_variance).all())
        numbers[f"{variant}.variance"], numbers[f"{variant}.{centre}"] = variances[-1], distances[-1]
        numbers[f"{variant}.worse"] = worse
    return Finding(
        decide(all(nonsense), any_sound),
        f"Whatever z, MSE draws the mean image and MAE the median image: over z their outputs vary by at most "
        f"{in_percent(variances[0], 1)} and {in_percent(variances[1], 1)} of what real images do, and "
        f"lie {in_percent(distances[0], 1)} and {in_percent(distances[1], 1)} of that away.",
        numbers,
    )


def reconstruction_rule(variant: str, *, against: str, adversarial: bool) -> Rule:
    def rule(evidence: Evidence, error: float) -> Finding:
        runs, rivals = evidence.runs(variant), evidence.rivals(variant, against)
        errors = runs["reconstruction_error"] / evidence.floor_of(runs)["mean_distance"]
        faithful = int((errors < error).sum())
        sound = not runs["collapsed"].any() if adversarial else bool(runs["fid"].max() < rivals["fid"].min())
        fid, rival_fid = (math.exp(each["fid"].map(math.log).mean()) for each in (runs, rivals))
        return Finding(
            decide(faithful == len(runs) and sound, faithful == 0),
            f"Test images are rebuilt from inferred latents with {errors.mean():.2f} of the error of the mean image "
            f"(below {in_percent(error)} in {faithful} of {len(runs)} runs); FID is {fid:.0f}, beside {rival_fid:.0f} "
            f"with {against}.",
            {
                "runs": len(runs),
                "faithful": faithful,
                "error": float(errors.mean()),
                "not_collapsed" if adversarial else "better_fid": sound,
                "fid": fid,
                f"fid_{against}": rival_fid,
            },
        )

    return rule


def feature_matching(evidence: Evidence) -> Finding:
    contrast = evidence.contrast("feature_matching", "non_saturating")
    verdict = decide(contrast.verdict == "refuted", contrast.verdict == "supported")
    return Finding(verdict, contrast.reason, _contrast_numbers(contrast))


def one_value_function(evidence: Evidence) -> Finding:
    trained_on_v = {name: evidence.holds(f"Q7.{name}") for name in ("discriminator", *VANILLA)}
    on_v = [name for name in VANILLA if trained_on_v[name]]
    others = [name for name in VANILLA if not trained_on_v[name]]
    return Finding(
        decide(all(trained_on_v.values()), bool(others)),
        f"{stated('The discriminator maximises V.', trained_on_v['discriminator'])} Of the generators, V's own "
        f"gradient moves that of {joined(on_v) or 'none'}, and another one that of {joined(others) or 'none'}.",
        {f"Q7.{name}": on_value for name, on_value in trained_on_v.items()},
    )


def better_than_the_original(evidence: Evidence) -> Finding:
    contrast, twin = evidence.contrast("cewl", "minimax"), evidence.contrast("cewl", "non_saturating")
    return Finding(
        decide(contrast.verdict == "supported", contrast.verdict == "refuted"),
        f"{contrast.reason} Beside the non-saturating form of the same paper: {twin.reason}",
        {**_contrast_numbers(contrast), "equivalence_to_non_saturating": twin.verdict},
    )


def other_losses(evidence: Evidence) -> Finding:
    contrasts = {variant: evidence.contrast(variant, "non_saturating") for variant in NON_BCE}
    numbers: Numbers = {}
    for variant, contrast in contrasts.items():
        numbers |= {f"{variant}.ratio": contrast.ratio, f"{variant}.failed": contrast.failures.variant}
    better = [variant for variant, contrast in contrasts.items() if contrast.verdict == "supported"]
    all_failed = all(evidence.runs(variant)["failed"].all() for variant in NON_BCE)
    sentence = f"Better than non-saturating: {', '.join(better)}." if better else "None is better than non-saturating."
    return Finding(decide(bool(better), all_failed), sentence, numbers)


def _contrast_numbers(contrast: Contrast) -> Numbers:
    numbers: Numbers = {"ratio": contrast.ratio, "low": contrast.low, "high": contrast.high}
    return numbers | {"p_adjusted": contrast.p_adjusted, "runs": contrast.n.variant, "contrast": contrast.id}


RULES: dict[str, Rule] = {
    "V1": identity_rule(["V1.value"], "The two agree to rounding."),
    "V2": saturation,
    "V3": stronger_early,
    "V4": stability,
    "V5": identity_rule(["V5.value"], "The two agree to rounding."),
    "V6": same_direction,
    "V7": harder_task,
    "T1": label_zero,
    "T2": stuck_at_zero,
    "T3": large_where_sure,
    "T4": recipe_works,
    "T5": gradient_flow,
    "T6": freezing,
    "Q1": identity_rule(
        ["Q1.image", "V5.value"],
        "It is −log D(G(z)), whose gradient at G(z) knows no real image; a reconstruction's changes with x.",
        refuting=["Q1.reconstruction"],
    ),
    "Q2": perfect_generator,
    "Q3": pixel_losses,
    "Q4": reconstruction_rule("vae", against="pixel_mse", adversarial=False),
    "Q5": feature_matching,
    "Q6": reconstruction_rule("vae_gan", against="non_saturating", adversarial=True),
    "Q7": one_value_function,
    "Q8": identity_rule(
        ["Q8.discriminator", "Q8.gradient", "Q8.generator"],
        "Its discriminator's loss is half the original one, its generator's is the non-saturating one, not V's.",
        refuting=["Q7.cewl"],
    ),
    "Q9": better_than_the_original,
    "Q10": identity_rule(
        ["Q10.decreasing", "Q10.sum", "Q10.increasing"],
        "Alone the term rewards a high l_f; with the first term it is softplus(l_f), which increases everywhere.",
    ),
    "Q11": other_losses,
}
