"""The verdict in sentences."""

from collections.abc import Mapping, Sequence

from gan.formatting import change, changes, counted, fixed, interval, joined, percent, span
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison, Contrast, Standing, Summary
from gan.reporting.results import measured

NAMED_AT_MOST = 3  # variants that a sentence lists by name
# What the leader is, beside others.
BETTER, EXPLORED = "better than {names}", "better than {names} (exploratory)"
EQUIVALENT = "equivalent to {names} (within a factor of {margin:g})"
WORSE, UNDECIDED = "worse, seed by seed, than {names}", "not told apart from {names}"
TOO_FEW, UNTESTED = "on too few seeds to be judged against {names}", "not tested against {names}"
SURVIVED, WITH_COLLAPSED = "of the runs that survived", "collapsed runs included"


def verdict(comparison: Comparison, claims: Mapping[str, ClaimEntry], late: Mapping[str, int]) -> list[str]:
    """Some sentences: who leads, by how much, which runs failed, hypotheses and controls, claims, other standings.

    They are about the first standing, without the controls' doubles. `late` has the number of each variant's runs that
    were trained under another preregistration.
    """
    standing = comparison.standings[0]
    ranking = contenders(standing, comparison)
    summaries = {name: standing.variants[name] for name in ranking}
    leader = _leader(ranking, summaries, comparison)
    sentences = [
        f"On {standing.data}: {leader}" if len(comparison.data_sets) > 1 else leader,
        _size(ranking, summaries, comparison),
        _failures(summaries, f"{percent(1 - comparison.alpha)} interval"),
        _hypotheses(comparison, late),
        _claims(claims),
        *(_elsewhere(other, comparison) for other in comparison.standings[1:]),
    ]
    return [sentence for sentence in sentences if sentence]


def contenders(standing: Standing, comparison: Comparison) -> list[str]:
    """A standing's ranking without the controls' doubles, which repeat a variant in another form; else all of it."""
    doubles = {each.variant for each in comparison.contrasts if each.family == "control"}
    return [name for name in standing.ranking if name not in doubles] or standing.ranking


def _leader(ranking: Sequence[str], summaries: Mapping[str, Summary], comparison: Comparison) -> str:
    best, *others = ranking
    if not summaries[best].finished:
        return "No run survived, so no variant can be called better."
    if not others:
        return f"{best} is the only variant, so there is nothing to set it against."
    groups: dict[str, list[str]] = {}
    for other in others:
        groups.setdefault(_relation(best, other, comparison.contrasts), []).append(other)

    def clauses(*relations: str) -> str:
        occurring = [relation for relation in relations if relation in groups]
        return joined([each.format(names=_listed(groups[each]), margin=comparison.margin) for each in occurring])

    opening = "comes out best" if set(groups) == {BETTER} else "ranks first"
    known, unknown = clauses(BETTER, EXPLORED, EQUIVALENT), clauses(WORSE, UNDECIDED, TOO_FEW, UNTESTED)
    return f"{best} {opening}" + (f": {known}" if known else "") + (f", but is {unknown}" if unknown else "") + "."


def _relation(best: str, other: str, contrasts: Sequence[Contrast]) -> str:
    """What `best` is beside `other`, by the first contrast of the two that has a clear verdict."""
    both = [contrast for contrast in contrasts if {contrast.variant, contrast.against} == {best, other}]
    for contrast in both:
        supported = contrast.verdict == "supported"
        if not supported and contrast.verdict != "refuted":
            continue
        if contrast.kind == "equivalence" and supported:
            return EQUIVALENT
        lower = contrast.ratio is not None and contrast.ratio < 1
        first_is_better = lower if contrast.kind == "equivalence" else supported
        if first_is_better != (contrast.variant == best):
            return WORSE
        return BETTER if contrast.family == "declared" else EXPLORED
    if not both:
        return UNTESTED
    return UNDECIDED if any(contrast.verdict == "undecided" for contrast in both) else TOO_FEW


def _size(ranking: Sequence[str], summaries: Mapping[str, Summary], comparison: Comparison) -> str:
    best, *others = ranking
    summary, level = summaries[best], f"{percent(1 - comparison.alpha)} interval"
    if not summary.finished:
        return ""
    average = f"Its {comparison.metric.upper()} averages {fixed(summary.mean, 2)} over "
    seeds = counted(summary.n, "seed")
    average += f"the {summary.finished} of {seeds} that survived" if summary.failed else seeds
    if not others and summary.low is not None:
        return f"{average} ({level} {interval(summary.low, summary.high, 2)})."
    differences = []
    for other in others[:NAMED_AT_MOST]:
        ratio, low, high, runs = _ratio(best, other, comparison.contrasts)
        if ratio is not None:
            known = f"{level} {changes(low, high)}" if low is not None and high is not None else ""
            notes = ", ".join(filter(None, [known, runs]))
            differences.append(f"{change(ratio)} than with {other}" + (f" ({notes})" if notes else ""))
    return f"{', '.join(filter(None, [average, joined(differences)]))}."


def _ratio(
    best: str, other: str, contrasts: Sequence[Contrast]
) -> tuple[float | None, float | None, float | None, str]:
    """The ratio best / other, its interval and of which runs they are; None where no contrast has measured it."""
    for contrast in contrasts:
        if {contrast.variant, contrast.against} != {best, other}:
            continue
        shown, failures = measured(contrast), contrast.failures
        runs = SURVIVED if failures.variant or failures.against else ""
        runs = runs if shown is contrast else WITH_COLLAPSED
        ratio, low, high = shown.ratio, shown.low, shown.high
        if contrast.variant == best:
            return ratio, low, high, runs
        ratio, low, high = (value and 1 / value for value in (ratio, high, low))
        return ratio, low, high, runs
    return None, None, None, ""


def _failures(summaries: Mapping[str, Summary], level: str) -> str:
    runs, failed = sum(each.n for each in summaries.values()), sum(each.failed for each in summaries.values())
    if not failed:
        return f"None of the {runs} runs failed." if runs > 1 else "The one run finished."
    failing = [name for name, summary in summaries.items() if summary.failed]
    worst = sorted(failing, key=lambda name: -summaries[name].failure_rate)[:NAMED_AT_MOST]
    named: list[str] = []
    for name in worst:
        summary = summaries[name]
        n, lost = summary.n, summary.failed
        count = f"all {n}" if lost == n > 1 else f"{lost} of {n}"
        label = "" if named else f"{level} of the share "
        notes = [f"{label}{span(summary.failure_low, summary.failure_high)}"]
        if not summary.finished and summary.scored_mean is not None:
            notes.append(f"mean FID {fixed(summary.scored_mean, 2)}, {WITH_COLLAPSED}")
        named.append(f"{count} of {name} ({'; '.join(notes)})")
    if others := [name for name in failing if name not in worst]:
        named.append(f"{sum(summaries[name].failed for name in others)} of {_listed(others)}")
    return f"{failed} of {runs} runs failed: {joined(named)}; they count as worse than any that survived."


def _hypotheses(comparison: Comparison, late: Mapping[str, int]) -> str:
    if not comparison.contrasts and not comparison.untested:
        return ""
    declared, controls = (_outcomes(comparison, family) for family in ("declared", "control"))
    sentence = "No hypothesis was declared beforehand" + ("" if controls else ": every contrast is exploratory")
    if declared:
        tested = [contrast for contrast in comparison.contrasts if contrast.family == "declared"]
        named = {name for contrast in tested for name in (contrast.variant, contrast.against)}
        runs = sum(count for name, count in late.items() if name in named)
        when = f"declared after {runs} of their runs" if runs else "declared beforehand"
        sentence = f"As to the hypotheses {when}, {declared}"
        if {"supported", "refuted", "undecided"} & {contrast.verdict for contrast in tested}:
            sentence += f" at a risk of {percent(comparison.alpha)} of any false alarm"
    if controls:
        sentence += f"; of the controls, the same mathematics in two forms, {controls}"
    return f"{sentence}."


def _outcomes(comparison: Comparison, family: str) -> str:
    """A family's verdicts: `H1 and H2 are supported and H3 has insufficient data`."""
    words = ("supported", "refuted", "equivalent", "different", "undecided", "insufficient data")
    tested = [contrast for contrast in comparison.contrasts if contrast.family == family]
    by_word = {word: [contrast.id for contrast in tested if contrast.verdict == word] for word in words}
    # What was untested had no epoch at which both variants were scored.
    by_word["untested"] = [untested.id for untested in comparison.untested if untested.family == family]
    verbs = {word: ("has", "have") if word == "insufficient data" else ("is", "are") for word in by_word}
    return joined([f"{joined(ids)} {verbs[word][len(ids) > 1]} {word}" for word, ids in by_word.items() if ids])


def _claims(claims: Mapping[str, ClaimEntry]) -> str:
    words = ("supported", "refuted", "undecided")
    counts = {word: sum(claim.verdict == word for claim in claims.values()) for word in words}
    first, *others = [f"{count} {word}" for word, count in counts.items() if count] or [""]
    if not first:
        return ""
    number, word = first.split(" ", 1)
    outcomes = joined([f"{number} {'is' if number == '1' else 'are'} {word}", *others])
    return f"Of the {len(claims)} claims of the sources, {outcomes}."


def _elsewhere(standing: Standing, comparison: Comparison) -> str:
    ranking = contenders(standing, comparison)
    if len(ranking) < 2 or not standing.variants[ranking[0]].finished:
        return ""
    doubles = ", the controls' doubles left out" if len(ranking) < len(standing.ranking) else ""
    first = f"{ranking[0]} ranks first of {len(ranking)} variants{doubles}"
    place = f"On {standing.data}, after" if standing.data != comparison.standings[0].data else "After"
    return f"{place} {standing.epochs} epochs {first}."


def _listed(names: Sequence[str]) -> str:
    return joined(names) if len(names) <= NAMED_AT_MOST else f"{len(names)} others"
