"""The claims that algebra or autograd decides, before anything is trained."""

from collections.abc import Sequence
from dataclasses import asdict

from gan.claims.evidence import Evidence
from gan.claims.finding import Finding, Rule, decide, stated
from gan.formatting import joined
from gan.records.claims import Numbers

VANILLA = ("minimax", "non_saturating", "cewl")
MATCHING = "matching"  # the form of CEWL's loss whose floating-point operations are those of its twin


def identity_rule(supporting: Sequence[str], statement: str, refuting: Sequence[str] = ()) -> Rule:
    """A rule that rests on identities alone: all of `supporting` must hold, none of `refuting` may."""

    def rule(evidence: Evidence) -> Finding:
        true = evidence.holds(*supporting) and not any(map(evidence.holds, refuting))
        return Finding(decide(true, not true), stated(statement, true), {**evidence.errors(*supporting, *refuting)})

    return rule


def equivalent(evidence: Evidence) -> Finding:
    other_size = evidence.holds("V6.ratio")
    statement = "The ratio of the two gradients is exp(l) = D/(1 − D), which no constant is: their sizes differ."
    verdict = decide(evidence.holds("V6.equal"), other_size)
    return Finding(verdict, stated(statement, other_size), {**evidence.errors("V6.ratio", "V6.equal")})


def label_zero(evidence: Evidence) -> Finding:
    opposite, same = evidence.holds("T1.negative"), evidence.holds("T1.direction")
    statement = (
        "BCE with label 0 is minus the generator's part of V, so at every logit its gradient points the other way: "
        "who minimises it helps the discriminator. Maximising it is equivalent."
    )
    return Finding(
        decide(same and not opposite, opposite and not same),
        stated(statement, opposite and not same),
        {**evidence.errors("T1.negative", "T1.direction")},
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


def other_equations(evidence: Evidence) -> Finding:
    """The verdict is the algebra's; whether the half can be seen in training is told beside it."""
    finding = identity_rule(
        ["Q8.discriminator", "Q8.gradient", "Q8.generator"],
        "Its discriminator's loss is half the original one, its generator's is the non-saturating one, not V's.",
        refuting=["Q7.cewl"],
    )(evidence)
    twins = evidence.mechanism.twins
    same = {row.condition: row.same_weights for row in twins.trained if row.form == MATCHING}
    update = next((row for row in twins.first_update if row.form == MATCHING), None)
    if update is None or "eps halved" not in same:
        return finding
    told = (
        f" Trained on the same images and latents for {twins.steps} steps of Adam, with half the eps for its "
        f"discriminator, its weights are {'' if same['eps halved'] else 'not '}bitwise those of the non-saturating "
        f"form on logits. Under plain SGD its discriminator's first step is {update.least:.3g} to "
        f"{update.greatest:.3g} times the other's."
    )
    numbers: Numbers = {f"same_weights.{condition}": is_same for condition, is_same in same.items()}
    numbers |= {"sgd_least": update.least, "sgd_greatest": update.greatest}
    return Finding(finding.verdict, finding.sentence + told, finding.numbers | numbers)
