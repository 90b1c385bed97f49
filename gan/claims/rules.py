"""The rules of claims.yaml as tests: from what the study measured to numbers and a verdict.

A rule's numbers come from the claim's thresholds, as keyword arguments of the same names.
"""

from gan.claims import algebra, in_training, outcomes
from gan.claims.algebra import identity_rule
from gan.claims.finding import Rule

RULES: dict[str, Rule] = {
    "V1": identity_rule(["V1.value"], "The two agree to rounding."),
    "V2": in_training.saturation,
    "V3": in_training.stronger_early,
    "V4": outcomes.stability,
    "V5": identity_rule(["V5.value"], "The two agree to rounding."),
    "V6a": identity_rule(["V6.sign"], "Both gradients have the same sign at every logit."),
    "V6b": algebra.equivalent,
    "V7": in_training.harder_task,
    "T1": algebra.label_zero,
    "T2": in_training.stuck_at_zero,
    "T3": in_training.large_where_sure,
    "T4": outcomes.recipe_works,
    "T5": algebra.gradient_flow,
    "T6a": in_training.frozen_memory,
    "T6b": in_training.frozen_result,
    "Q1": identity_rule(
        ["Q1.image", "V5.value"],
        "It is −log D(G(z)), whose gradient at G(z) knows no real image; a reconstruction's changes with x.",
        refuting=["Q1.reconstruction"],
    ),
    "Q2": in_training.perfect_generator,
    "Q3": outcomes.pixel_losses,
    "Q4": outcomes.reconstructs,
    "Q5": outcomes.feature_matching,
    "Q6": outcomes.joined_with_vae,
    "Q7": algebra.one_value_function,
    "Q8": algebra.other_equations,
    "Q9": outcomes.better_than_the_original,
    "Q10": identity_rule(
        ["Q10.decreasing", "Q10.sum", "Q10.increasing"],
        "Alone the term rewards a high l_f; with the first term it is softplus(l_f), which increases everywhere.",
    ),
    "Q11": outcomes.other_losses,
}
