"""The verdict in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan.formatting import change, changes, fixed, interval, joined, percent, share, span

NAMED_AT_MOST = 3  # variants that a sentence lists by name
# What the leader is, beside others.
BETTER, EXPLORED = "better than {names}", "better than {names} (exploratory)"
EQUIVALENT = "equivalent to {names} (within a factor of {margin:g})"
WORSE, UNDECIDED = "worse, seed by seed, than {names}", "not told apart from {names}"
TOO_FEW, UNTESTED = "on too few seeds to be judged against {names}", "not tested against {names}"
SURVIVED, WITH_COLLAPSED = "of the runs that survived", "collapsed runs included"


def verdict(
    comparison: Mapping[str, Any], claims: Mapping[str, Mapping[str, Any]], late: Mapping[str, int]
) -> list[str]:
    """Up to six sentences: who leads, by how much, which runs failed, hypotheses and controls, claims, other epochs.

    They are about the first standing, without the controls' doubles. `late` has the number of each variant's runs that
    were trained before what is declared now.
    """
    standing = comparison["standings"][0]
    ranking = contenders(standing, comparison)
    summaries = {name: standing["variants"][name] for name in ranking}
    sentences = [
        _leader(ranking, summaries, comparison),
        _size(ranking, summaries, comparison),
        _failures(summaries, f"{percent(1 - comparison['alpha'])} interval"),
        _hypotheses(comparison, late),
        _claims(claims),
        *(_elsewhere(other, comparison) for other in comparison["standings"][1:]),
    ]
    return [sentence for sentence in sentences if sentence]


def contenders(standing: Mapping[str, Any], comparison: Mapping[str, Any]) -> list[str]:
    """A standing's ranking without the doubles, which are another variant in another form; all if there is no other."""
    doubles = {each["variant"] for each in comparison["contrasts"] if each["family"] == "control"}
    return [name for name in standing["ranking"] if name not in doubles] or standing["ranking"]


def _leader(ranking: Sequence[str], summaries: Mapping[str, Mapping], comparison: Mapping[str, Any]) -> str:
    best, *others = ranking
    if not summaries[best]["finished"]:
        return "No run survived, so no variant can be called better."
    if not others:
        return f"{best} is the only variant, so there is nothing to set it against."
    groups: dict[str, list[str]] = {}
    for other in others:
        groups.setdefault(_relation(best, other, comparison["contrasts"]), []).append(other)

    def clauses(*relations: str) -> str:
        found = [relation for relation in relations if relation in groups]
        return joined([each.format(names=_listed(groups[each]), margin=comparison["margin"]) for each in found])

    opening = "comes out best" if set(groups) == {BETTER} else "ranks first"
    known, unknown = clauses(BETTER, EXPLORED, EQUIVALENT), clauses(WORSE, UNDECIDED, TOO_FEW, UNTESTED)
    return f"{best} {opening}" + (f": {known}" if known else "") + (f", but is {unknown}" if unknown else "") + "."


def _relation(best: str, other: str, contrasts: Sequence[Mapping[str, Any]]) -> str:
    """What the first contrast of the two that settles anything says about `best`."""
    both = [contrast for contrast in contrasts if {contrast["variant"], contrast["against"]} == {best, other}]
    for contrast in both:
        supported = contrast["verdict"] == "supported"
        if not supported and contrast["verdict"] != "refuted":
            continue
        if contrast["kind"] == "equivalence" and supported:
            return EQUIVALENT
        first_is_better = contrast["ratio"] < 1 if contrast["kind"] == "equivalence" else supported
        if first_is_better != (contrast["variant"] == best):
            return WORSE
        return BETTER if contrast["family"] == "declared" else EXPLORED
    if not both:
        return UNTESTED
    return UNDECIDED if any(contrast["verdict"] == "undecided" for contrast in both) else TOO_FEW


def _size(ranking: Sequence[str], summaries: Mapping[str, Mapping], comparison: Mapping[str, Any]) -> str:
    best, *others = ranking
    summary, level = summaries[best], f"{percent(1 - comparison['alpha'])} interval"
    if not summary["finished"]:
        return ""
    average = f"Its {comparison['metric'].upper()} averages {fixed(summary['mean'], 2)} over "
    seeds = f"{summary['n']} seed{'s' * (summary['n'] > 1)}"
    average += f"the {summary['finished']} of {seeds} that survived" if summary["failed"] else seeds
    if not others and summary["low"] is not None:
        return f"{average} ({level} {interval(summary, 2)})."
    differences = []
    for other in others[:NAMED_AT_MOST]:
        ratio, low, high, which = _ratio(best, other, comparison["contrasts"])
        if ratio is not None:
            known = [f"{level} {changes(low, high)}"] if low is not None and high is not None else []
            notes = ", ".join([*known, *([which] if which else [])])
            differences.append(f"{change(ratio)} than with {other}" + (f" ({notes})" if notes else ""))
    return f"{', '.join([average, *([joined(differences)] if differences else [])])}."


def _ratio(
    best: str, other: str, contrasts: Sequence[Mapping[str, Any]]
) -> tuple[float | None, float | None, float | None, str]:
    """Ratio best / other with its interval and of which runs, None where no contrast has measured it."""
    for contrast in contrasts:
        if {contrast["variant"], contrast["against"]} != {best, other}:
            continue
        found, failures = measured(contrast), contrast["failures"]
        which = SURVIVED if failures["variant"] or failures["against"] else ""
        which = which if found is contrast else WITH_COLLAPSED
        ratio, low, high = found["ratio"], found["low"], found["high"]
        if contrast["variant"] == best:
            return ratio, low, high, which
        return (*(value and 1 / value for value in (ratio, high, low)), which)
    return None, None, None, ""


def measured(contrast: Mapping[str, Any]) -> Mapping[str, Any]:
    """What has a contrast's ratio, low and high: of survivors, or with collapsed runs if no survivors are left."""
    found: Mapping[str, Any] = contrast if contrast["ratio"] is not None else contrast["scored_ratio"]
    return found


def _failures(summaries: Mapping[str, Mapping], level: str) -> str:
    runs, failed = (sum(summary[key] for summary in summaries.values()) for key in ("n", "failed"))
    if not failed:
        return f"None of the {runs} runs failed." if runs > 1 else "The one run finished."
    failing = [name for name, summary in summaries.items() if summary["failed"]]
    worst = sorted(failing, key=lambda name: -summaries[name]["failure_rate"])[:NAMED_AT_MOST]
    named: list[str] = []
    for name in worst:
        of = summaries[name]
        count = f"all {of['n']}" if of["failed"] == of["n"] > 1 else f"{of['failed']} of {of['n']}"
        label = "" if named else f"{level} of the share "
        notes = [f"{label}{span(of['failure_low'], of['failure_high'])}"]
        if not of["finished"] and of["scored_mean"] is not None:
            notes.append(f"mean FID {fixed(of['scored_mean'], 2)}, {WITH_COLLAPSED}")
        named.append(f"{count} of {name} ({'; '.join(notes)})")
    if others := [name for name in failing if name not in worst]:
        named.append(f"{sum(summaries[name]['failed'] for name in others)} of {_listed(others)}")
    return f"{failed} of {runs} runs failed: {joined(named)}; they count as worse than any that survived."


def _hypotheses(comparison: Mapping[str, Any], late: Mapping[str, int]) -> str:
    contrasts = [*comparison["contrasts"], *({**each, "verdict": "untested"} for each in comparison["untested"])]
    declared, controls = ([each for each in contrasts if each["family"] == name] for name in ("declared", "control"))
    if not contrasts:
        return ""
    sentence = "No hypothesis was declared beforehand" + ("" if controls else ": every contrast is exploratory")
    if declared:
        named = {each.get(side) for each in declared for side in ("variant", "against")}
        runs = sum(count for name, count in late.items() if name in named)
        when = f"declared after {runs} of their runs" if runs else "declared beforehand"
        sentence = f"As to the hypotheses {when}, {_outcomes(declared)}"
        if {"supported", "refuted", "undecided"} & {each["verdict"] for each in declared}:
            sentence += f" at a risk of {percent(comparison['alpha'])} of any false alarm"
    if controls:
        sentence += f"; of the controls, the same mathematics in two forms, {_outcomes(controls)}"
    return f"{sentence}."


def _outcomes(contrasts: Sequence[Mapping[str, Any]]) -> str:
    """`H1 and H2 are supported and H3 is undecided`."""
    words = ("supported", "refuted", "equivalent", "different", "undecided", "insufficient data", "untested")
    ids = {word: [each["id"] for each in contrasts if each["verdict"] == word] for word in words}
    return joined([f"{joined(of)} {'is' if len(of) == 1 else 'are'} {word}" for word, of in ids.items() if of])


def _claims(claims: Mapping[str, Mapping[str, Any]]) -> str:
    words = ("supported", "refuted", "undecided")
    counts = {word: sum(claim["verdict"] == word for claim in claims.values()) for word in words}
    first, *others = [f"{count} {word}" for word, count in counts.items() if count] or [""]
    if not first:
        return ""
    number, word = first.split(" ", 1)
    told = joined([f"{number} {'is' if number == '1' else 'are'} {word}", *others])
    return f"Of the {len(claims)} claims of the sources, {told}."


def _elsewhere(standing: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    ranking = contenders(standing, comparison)
    if len(ranking) < 2 or not standing["variants"][ranking[0]]["finished"]:
        return ""
    doubles = ", the controls' doubles left out" if len(ranking) < len(standing["ranking"]) else ""
    return f"After {standing['epochs']} epochs {ranking[0]} ranks first of {len(ranking)} variants{doubles}."


def contrast_label(contrast: Mapping[str, Any]) -> str:
    """`H1  variant / against`, without an id for a contrast that nobody declared."""
    pair = f"{contrast['variant']} / {contrast['against']}"
    return pair if contrast["family"] == "exploratory" else f"{contrast['id']}  {pair}"


def _listed(names: Sequence[str]) -> str:
    return joined(names) if len(names) <= NAMED_AT_MOST else f"{len(names)} others"


def misfit(entry: Mapping[str, Any]) -> str:
    """How far something that the audit checked is off."""
    error = entry["error"]
    if entry.get("measure") == "share of logits":
        return f"{share(error)} of logits"
    return f"{error:.0e}".replace("-", "−") if 0 < error < 0.1 else f"{error:.1g}"
