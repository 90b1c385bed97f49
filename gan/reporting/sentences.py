"""What stands below the headline and above the ranking, in sentences."""

from collections.abc import Mapping, Sequence
from statistics import median

from gan.formatting import change, changes, counted, fixed, interval, joined, percent, score, share, span
from gan.records.claims import ClaimEntry, Tally, tally
from gan.records.comparison import Comparison, Contrast, Literature, Standing, Summary
from gan.records.memory import Memory, Slope
from gan.records.robustness import Scope, SearchRecord, Setting
from gan.reporting.headline import outcome, spoken, summaries
from gan.reporting.results import NOT_DECIDED, Findings, measured

NAMED_AT_MOST = 3  # variants that a sentence lists by name
# What the leader is, beside others.
BETTER, EXPLORED = "better than {names}", "better than {names} (exploratory)"
EQUIVALENT = "equivalent"
WORSE, UNDECIDED = "worse, seed by seed, than {names}", "not told apart from {names}"
TOO_FEW, UNTESTED = "on too few seeds to be judged against {names}", "not tested against {names}"
AGREEING = ("equivalent", "detected, within the margin")  # verdicts on controls
SURVIVED, WITH_FAILED = "of the runs that survived", "failed runs included"


def details(findings: Findings, claims: Mapping[str, ClaimEntry], late: Mapping[str, int]) -> list[str]:
    """What stands below the headline: hypotheses and controls, the grounds on which the verdict holds, and the claims.

    `late` has the number of each variant's runs that were trained under another preregistration.
    """
    sentences = [_hypotheses(findings.comparison, late), _grounds(findings.scope), _claims(claims)]
    return [sentence for sentence in sentences if sentence]


def practice(findings: Findings) -> list[str]:
    """What to do about it: where to start from, what that is worth, and what to take with the printed recipe."""
    search, contrast, advice = findings.search, findings.contrast, []
    alike: dict[str, list[str]] = {}
    for name, each in search.objectives.items():
        alike.setdefault(_settings(each.tuned.settings), []).append(name)
    total = max((each.configurations for each in search.objectives.values()), default=0)
    for settings, names in alike.items():
        those = joined([spoken(name) for name in names])
        tuned = [search.objectives[name].tuned for name in names]
        scores = joined([score(each.mean) for each in tuned])
        epochs = counted(tuned[0].epochs, "epoch")
        advice.append(
            f"With {those}, start from {settings}: of {counted(total, 'setting')} the best one. "
            f"Its {search.metric.upper()} is {scores} after {epochs}, on fresh seeds{_printed(findings)}."
        )
    shares = [f"{each.learnt} with {spoken(name)}" for name, each in search.objectives.items()]
    advice.append(f"Tune the optimizer before the objective: of {counted(total, 'setting')} {joined(shares)} learn.")
    if contrast and outcome(contrast) in ("better", "worse"):
        winner = findings.scope.variant if outcome(contrast) == "better" else findings.scope.against
        advice.append(f"If you keep the tutorial's recipe as it is printed, take {spoken(winner)}.")
    return advice


def _settings(settings: Mapping[str, Setting]) -> str:
    rate, ratio = settings["generator_lr"], settings["rate_ratio"]
    label = f", real images labelled {settings['real_label']:g}" if settings["real_label"] != 1 else ""
    return (
        f"a learning rate of {rate:.2g} for the generator and {rate * ratio:.2g} for the discriminator, "
        f"beta1 {settings['beta1']:g}, beta2 {settings['beta2']:g}{label}"
    )


def _printed(findings: Findings) -> str:
    """The best score of the printed recipe, to set beside that of a tuned one; nothing on other images."""
    contrast = findings.contrast
    if contrast is None or findings.recipes[contrast.variant]["data"] != findings.search.data:
        return ""
    both = summaries(contrast, findings.comparison)
    means = [each.mean for each in both if each.mean is not None]
    after = counted(contrast.epoch, "epoch")
    return f", where the printed recipe has {score(min(means))} after {after}" if means else ""


def leading(comparison: Comparison) -> list[str]:
    """Some sentences on the ranking: who leads, by how much, which runs failed, and who leads at other epochs.

    They are about the first standing, without the controls' doubles.
    """
    standing = comparison.standings[0]
    ranking = contenders(standing, comparison)
    summaries = {name: standing.variants[name] for name in ranking}
    leader = _leader(ranking, summaries, comparison)
    sentences = [
        f"On {standing.data}: {leader}" if len(comparison.data_sets) > 1 else leader,
        _size(ranking, summaries, comparison),
        _failures(summaries, f"{percent(1 - comparison.alpha)} interval"),
        *(_elsewhere(other, comparison) for other in comparison.standings[1:]),
    ]
    return [sentence for sentence in sentences if sentence]


def adams_memory(memory: Memory) -> list[str]:
    """What was measured of Adam's memory: who stands still, for how long, and whether the gradients point the same way.

    Steps below `memory.frozen` count as standing still.
    """
    sentences = []
    asleep: dict[str, list[float]] = {}
    for run in memory.runs:
        if run.adam.printed:
            asleep.setdefault(run.adam.objective, []).append(run.asleep)
    if asleep:
        parts = [f"{share(sum(shares) / len(shares))} with {spoken(name)}" for name, shares in asleep.items()]
        sentences.append(f"Steps in which the generator hardly moves, on the printed recipe: {joined(parts)}.")
    kinds = {
        "With another beta2 from the start": memory.from_start,
        "From one and the same standstill on": memory.after_switch,
    }
    for words, found in kinds.items():
        if found.slope is None or found.of_prediction is None or found.ratio is None:
            sentences.append(f"{words}, too few standstills ended to say how their length goes with Adam's memory.")
            continue
        level = percent(found.confidence)
        sentences.append(
            f"{words}, over {counted(found.ended, 'standstill')} that ended, the time to move again grows with "
            f"1 / (1 − beta2) to the power {_power(found.slope, level)}, and with the time that Adam's memory predicts "
            f"to the power {_power(found.of_prediction, level)}; measured over predicted time is {score(found.ratio)}."
        )
    for name in dict.fromkeys(each.objective for each in memory.directions):
        own = [each for each in memory.directions if each.objective == name and each.cosine is not None]
        if own:
            first, last = min(each.step for each in own), max(each.step for each in own)
            ends = [median(each.cosine or 0.0 for each in own if each.step == step) for step in (first, last)]
            sentences.append(
                f"On networks trained with {spoken(name)}, the cosine between the two gradients is "
                f"{fixed(ends[0], 2)} at step {first} and {fixed(ends[1], 2)} at step {last} (medians)."
            )
    return sentences


def tuned_order(search: SearchRecord, order: Literature) -> str:
    """The objectives of the search that the published table has, by their best settings' scores; empty below two."""
    found = {name: each.tuned for name, each in search.objectives.items() if name in order.published}
    ours = sorted((name for name in found if found[name].mean is not None), key=lambda name: found[name].mean or 0)
    if search.data != order.data or len(ours) < 2:
        return ""
    parts = [f"{name} ({score(found[name].mean)})" for name in ours]
    agrees = ours == [name for name in order.published if name in ours]
    return (
        f"After the search, each at its best setting on fresh seeds, the order of those that both have is "
        f"{joined(parts)}, {'that of' if agrees else 'unlike'} the table."
    )


def _power(slope: Slope, level: str) -> str:
    return f"{fixed(slope.value, 2)} ({level} interval {interval(slope.low, slope.high, 2)})"


def contenders(standing: Standing, comparison: Comparison) -> list[str]:
    """A standing's ranking without the controls' doubles, which repeat a variant in another form; else all of it."""
    declared = {name for each in comparison.contrasts if each.family == "declared" for name in _both(each)}
    doubles = {each.variant for each in comparison.contrasts if each.family == "control"} - declared
    return [name for name in standing.ranking if name not in doubles] or standing.ranking


def _both(contrast: Contrast) -> tuple[str, str]:
    return contrast.variant, contrast.against


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
        return joined([each.format(names=_listed(groups[each])) for each in occurring])

    opening = f"{best} comes out best" if set(groups) == {BETTER} else f"{best} has the best score"
    if equal := groups.get(EQUIVALENT):
        shared = f"{joined([best, *equal])} share the first place"
        opening = f"{shared}, equivalent within a factor of {comparison.margin:g}"
    known, unknown = clauses(BETTER, EXPLORED), clauses(WORSE, UNDECIDED, TOO_FEW, UNTESTED)
    if equal and (known or unknown):
        return f"{opening}; {best} is " + ", but is ".join(filter(None, [known, unknown])) + "."
    return opening + (f": {known}" if known else "") + (f", but is {unknown}" if unknown else "") + "."


def _relation(best: str, other: str, contrasts: Sequence[Contrast]) -> str:
    """What `best` is beside `other`, by the first contrast of the two that has a clear verdict."""
    both = [contrast for contrast in contrasts if {contrast.variant, contrast.against} == {best, other}]
    for contrast in both:
        supported = contrast.verdict in ("supported", *AGREEING)
        if not supported and contrast.verdict not in ("refuted", "different"):
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
    average = f"Its {comparison.metric.upper()} averages {score(summary.mean)} over "
    seeds = counted(summary.n, "seed")
    average += f"the {summary.finished} of {seeds} that survived" if summary.failed else seeds
    if not others and summary.low is not None:
        return f"{average} ({level} {score(summary.low)} – {score(summary.high)})."
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
        runs = runs if shown is contrast else WITH_FAILED
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
            notes.append(f"mean FID {score(summary.scored_mean)}, {WITH_FAILED}")
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
    words = ("supported", "refuted", *AGREEING, "different", "undecided", "insufficient data", NOT_DECIDED)
    tested = [contrast for contrast in comparison.contrasts if contrast.family == family]
    by_word = {word: [contrast.id for contrast in tested if contrast.verdict == word] for word in words}
    # What was untested had no epoch at which both variants were scored.
    by_word["untested"] = [untested.id for untested in comparison.untested if untested.family == family]
    verbs = {word: ("has", "have") if word == "insufficient data" else ("is", "are") for word in by_word}
    return joined([f"{joined(ids)} {verbs[word][len(ids) > 1]} {word}" for word, ids in by_word.items() if ids])


def _claims(claims: Mapping[str, ClaimEntry]) -> str:
    """Identities, which algebra decides, are counted apart from what was measured."""
    algebra, measured = (tally(claims.values(), measured=each) for each in (False, True))
    one = algebra.claims == 1
    parts = [
        f"{algebra.claims} {'is an identity' if one else 'are identities'}, decided by algebra ({_verdicts(algebra)})"
    ]
    parts += [f"{measured.claims} {'was' if measured.claims == 1 else 'were'} measured ({_verdicts(measured)})"]
    told = [part for part, count in zip(parts, (algebra, measured), strict=True) if count.claims]
    return f"Of the {counted(len(claims), 'claim')} of the sources, {', and '.join(told)}." if told else ""


def _verdicts(count: Tally) -> str:
    counts = {word: getattr(count, word) for word in ("supported", "refuted", "undecided")}
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number) or NOT_DECIDED


def _grounds(scope: Scope) -> str:
    """On how many grounds which objective is better."""
    words = ("better", "equivalent", "worse", "undecided")
    counts = {word: sum(ground.verdict == word for ground in scope.grounds) for word in words}
    said = {"better": "better on", "equivalent": "equally good on", "worse": "worse on", "undecided": "undecided on"}
    parts = [f"{said[word]} {count}" for word, count in counts.items() if count]
    first, second = spoken(scope.variant), spoken(scope.against)
    return f"On {counted(len(scope.grounds), 'ground')}, {first} beside {second} is {joined(parts)}." if parts else ""


def _elsewhere(standing: Standing, comparison: Comparison) -> str:
    ranking = contenders(standing, comparison)
    if len(ranking) < 2 or not standing.variants[ranking[0]].finished:
        return ""
    doubles = ", the controls' doubles left out" if len(ranking) < len(standing.ranking) else ""
    first = f"{ranking[0]} has the lowest FID of {len(ranking)} variants{doubles}"
    place = f"On {standing.data}, after" if standing.data != comparison.standings[0].data else "After"
    return f"{place} {standing.epochs} epochs {first}."


def _listed(names: Sequence[str]) -> str:
    return joined(names) if len(names) <= NAMED_AT_MOST else f"{len(names)} others"
