"""The specification curve in words: what the declared contrasts become under other choices."""

from collections.abc import Mapping, Sequence

from gan.formatting import counted, joined
from gan.records.specifications import Specification, SpecificationCurve, Summary
from gan.reporting.figures.specifications import NAMES, OUTCOMES

PHRASES: Mapping[str, str] = {
    "epoch": "after {} epochs",
    "metric": "by {}",
    "snapshots": "with {}",
    "failures": "with {}",
    "classifier": "by classifier {}",
    "margin": "within a margin of {}",
}
NAMED_AT_MOST = 2  # options of one choice that a sentence lists


def agreement(curve: SpecificationCurve) -> str:
    """One sentence on all contrasts: how many specifications agree, and whether any points the other way."""
    counted_in = [summary for summary in curve.contrasts if summary.total]
    if not counted_in:
        return "No contrast could be decided under other choices."
    by_contrast = joined([f"{one.agreeing} of {one.total} for {one.contrast}" for one in counted_in])
    total, agreeing = (sum(getattr(one, name) for one in counted_in) for name in ("total", "agreeing"))
    published = {one.contrast: one.published for one in counted_in}
    contrary = sum(
        not each.agrees and "undecided" not in (each.outcome, published[each.contrast]) for each in curve.specifications
    )
    against = f"{contrary} {'says' if contrary == 1 else 'say'} the contrary" if contrary else "none says the contrary"
    agree = f"{agreeing} agree with the published verdicts ({by_contrast})"
    return f"Of {counted(total, 'specification')}, {agree}, and {against}."


def agreement_of(curve: SpecificationCurve, contrast: str) -> str:
    """One sentence: how many of a contrast's specifications agree, what the others say and what they have in common."""
    summary = next(each for each in curve.contrasts if each.contrast == contrast)
    own = [each for each in curve.specifications if each.contrast == contrast]
    pair = f"{summary.contrast} ({summary.variant} against {summary.against})"
    if not own:
        return f"{pair}: none of its {counted(summary.left_out, 'specification')} could be computed."
    verb = "agrees" if summary.agreeing == 1 else "agree"
    published = f"{verb} that {_said(summary)}"
    left_out = f"; {summary.left_out} more could not be computed" if summary.left_out else ""
    others = [each for each in own if not each.agrees]
    if not others:
        which = f"all {summary.total} specifications" if summary.total > 1 else "the one specification"
        return f"{pair}: {which} {published}{left_out}."
    specifications = counted(summary.total, "specification")
    return f"{pair}: {summary.agreeing} of {specifications} {published}; {_others(others, own)}{left_out}."


def _said(summary: Summary) -> str:
    if summary.published == "undecided":
        return "nothing is decided"
    return "the two are equivalent" if summary.published == "equivalent" else f"the first is {summary.published}"


def _others(others: Sequence[Specification], own: Sequence[Specification]) -> str:
    """`of the others 3 are undecided and 1 is worse, all after 8 epochs by recall`."""
    counts = {outcome: sum(each.outcome == outcome for each in others) for outcome in OUTCOMES}
    occurring = {outcome: count for outcome, count in counts.items() if count}
    said = joined([f"{count} {'is' if count == 1 else 'are'} {outcome}" for outcome, count in occurring.items()])
    opening = "of the others" if len(occurring) > 1 else "the other"
    common = _common(others, own)
    if len(others) == 1:
        opening, said = "the other one", f"is {others[0].outcome}"
    quantity = {1: "", 2: "both "}.get(len(others), "all ")
    return f"{opening} {said}" + (f", {quantity}{common}" if common else "")


def _common(others: Sequence[Specification], own: Sequence[Specification]) -> str:
    """What `others` have in common and some of the rest of `own` have not: at most a few options of a choice."""
    phrases = []
    for choice, phrase in PHRASES.items():
        options = list(dict.fromkeys(getattr(each, choice) for each in others))
        within = [each for each in own if getattr(each, choice) in options]
        if len(options) <= NAMED_AT_MOST and len(within) < len(own):
            phrases.append(phrase.format(" or ".join(NAMES.get(str(option), str(option)) for option in options)))
            own = within
    return " ".join(phrases)
