"""The claims about what goes on in training: gradients, the discriminator's task, what a step costs."""

import statistics

from gan.claims.evidence import Evidence, UntestedError
from gan.claims.finding import Finding, Signs, decide, stated
from gan.formatting import p_relation
from gan.formatting import share as in_percent
from gan.records.claims import Numbers
from gan.records.mechanism import FreshSummary


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


def harder_task(evidence: Evidence, first: int) -> Finding:
    loss, accuracy = (
        evidence.trends("non_saturating", f"discriminator_{quantity}", first) for quantity in ("loss", "accuracy")
    )
    signs = Signs.of((loss > 0) & (accuracy < 0), (loss < 0) & (accuracy > 0), evidence.comparison.alpha)
    sentence = (
        f"As FID falls from epoch {first} on, the trained discriminator's task gets harder (loss up, accuracy down) "
        f"with {signs.seeds_for} of {len(loss)} seeds and easier with {signs.seeds_against} (exact sign test, p "
        f"{p_relation(signs.p)}); the rank correlation of its loss with a falling FID averages {loss.mean():.2f}."
    )
    numbers: Numbers = {
        "seeds": len(loss),
        "harder": signs.seeds_for,
        "easier": signs.seeds_against,
        "sign_test_p": signs.p,
        "loss_trend": float(loss.mean()),
        "accuracy_trend": float(accuracy.mean()),
    }
    if fresh := evidence.fresh_epochs("non_saturating"):
        young, old = ([row for row in fresh if row.epoch == age] for age in (fresh[0].epoch, fresh[-1].epoch))
        told = {"fresh_loss_first": _mean_loss(young), "fresh_loss_last": _mean_loss(old)}
        sentence += (
            f" A new discriminator's mean loss over an epoch is {told['fresh_loss_first']:.3g} against generators "
            f"after epoch {young[0].epoch} and {told['fresh_loss_last']:.3g} after epoch {old[0].epoch}."
        )
        numbers |= told
    return Finding(decide(signs.shown, signs.opposite_shown), sentence, numbers)


def _mean_loss(rows: list[FreshSummary]) -> float:
    return statistics.fmean(row.discriminator_loss for row in rows)


def stuck_at_zero(evidence: Evidence, near: float, awake: float, most: float, some: float, least: int) -> Finding:
    positive = evidence.holds("T2.positive", "T2.limit")
    states = evidence.runs("minimax").set_index("seed")["state"]
    reached = stuck = woken = moving = 0
    for seed, losses in evidence.epochs("minimax").groupby("seed")["generator_loss"]:
        sizes = losses.abs()
        since = sizes[(sizes < near).cummax()]
        if since.empty:
            continue
        woke, state = bool((since > awake).any()), states[seed]
        reached += 1
        woken += woke
        moving += woke or state == "learnt"
        stuck += not woke and state == "never learnt"
    return Finding(
        decide(reached >= least and stuck >= most * reached, reached >= least and moving >= some * reached),
        f"{stated('Loss and gradient are never exactly 0 but go to 0 together, as D(G(z)) does.', positive)} "
        f"An epoch's mean loss comes within {near:g} of 0 in {reached} of {len(states)} minimax runs; {woken} of these "
        f"wake again (a later epoch's is beyond {awake:g}), and {stuck} neither wake nor ever learn.",
        {
            "never_exactly_zero": positive,
            "runs": len(states),
            "came_close": reached,
            "woke_again": woken,
            "woke_or_learnt": moving,
            "stuck": stuck,
        },
    )


def frozen_memory(evidence: Evidence, saved: float) -> Finding:
    measured = evidence.mechanism.frozen_discriminator
    half, whole = measured.generators_half, measured.whole_iteration
    memory_saved = 1 - whole.peak_bytes.frozen / whole.peak_bytes.not_frozen
    half_saved = 1 - half.peak_bytes.frozen / half.peak_bytes.not_frozen
    return Finding(
        decide(memory_saved > saved, memory_saved <= 0),
        f"A whole iteration of the printed loop needs at most {whole.peak_bytes.frozen / 2**20:.2f} MiB beside the "
        f"parameters with the discriminator frozen and {whole.peak_bytes.not_frozen / 2**20:.2f} without "
        f"({whole.milliseconds.frozen:.2f} and {whole.milliseconds.not_frozen:.2f} ms), as the gradients of its own "
        f"step are still there. The generator's step alone, after these are cleared, needs {in_percent(half_saved)} "
        f"less.",
        {
            "memory_saved": memory_saved,
            "time_saved": 1 - whole.milliseconds.frozen / whole.milliseconds.not_frozen,
            "half_step.memory_saved": half_saved,
            "half_step.time_saved": 1 - half.milliseconds.frozen / half.milliseconds.not_frozen,
        },
    )


def frozen_result(evidence: Evidence) -> Finding:
    same = evidence.mechanism.frozen_discriminator.same_weights
    return Finding(
        decide(same, not same),
        f"With the discriminator frozen and without, weights are {'' if same else 'not '}bitwise the same.",
        {"same_weights": same},
    )


def perfect_generator(evidence: Evidence, first: int, close: float, low: float) -> Finding:
    trends = evidence.trends("non_saturating", "fake_probability", first)
    signs = Signs.of(trends > 0, trends < 0, evidence.comparison.alpha)
    epochs = evidence.epochs("non_saturating")
    epochs = epochs[(epochs["epoch"] >= first) & epochs["seed"].isin(trends.index)]
    last = epochs.groupby("seed")["fake_probability"].last()
    highest = float(epochs["fake_probability"].max())
    real = [row.fake_probability for row in evidence.mechanism.perfect_generator]
    numbers: Numbers = {
        "seeds": len(trends),
        "rises": signs.seeds_for,
        "falls": signs.seeds_against,
        "sign_test_p": signs.p,
        "trend": float(trends.mean()),
        "last": float(last.mean()),
        "lowest_last": float(last.min()),
        "highest": highest,
    }
    sentence = (
        f"As FID falls from epoch {first} on, mean D(G(z)) rises with {signs.seeds_for} of {len(trends)} seeds and "
        f"falls with {signs.seeds_against} (exact sign test, p {p_relation(signs.p)}). It ends at {last.mean():.3f} "
        f"and never exceeds {highest:.3f}."
    )
    if real:
        numbers |= {"real_lowest": min(real), "real_highest": max(real)}
        sentence += (
            f" Where real images take the generated ones' place, so that a discriminator can only guess, mean D is "
            f"{min(real):.3f} to {max(real):.3f}: the original paper's equilibrium is 1/2."
        )
    return Finding(
        decide(signs.shown and float(last.min()) > close, signs.opposite_shown and highest < low), sentence, numbers
    )
