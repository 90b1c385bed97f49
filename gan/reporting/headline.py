"""The answer in two sentences: which objective is better, on what recipe, what changes that, and how sure it is.

They are made from the records alone and stay right whatever these say. A reader needs to know what a GAN is, and
nothing of this study: no names of variants or hypotheses, and a difference as a share, never as two long scores.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from gan.formatting import change, changes, counted, flatten, joined, percent, share
from gan.records.comparison import Comparison, Contrast, Standing, Summary
from gan.records.robustness import LadderRecord, PairedSearch, Rung, SearchRecord, TunedContrast, Wins
from gan.reporting.results import NOT_DECIDED, Findings

NAMES = {
    "minimax": "minimax",
    "non_saturating": "the non-saturating loss",
    "cewl": "cross-entropy with logits",
    "minimax_logits": "minimax on logits",
    "non_saturating_logits": "the non-saturating loss on logits",
    "minimax_rescaled": "rescaled minimax",
}
DATA = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "digits": "scikit-learn's digits"}
NETWORKS = {"mlp": "fully connected networks", "dcgan": "convolutional networks"}
NAMED_AT_MOST = 2  # changes that a sentence lists
GROUND = ("data", "networks")  # a rung that changes one of these is another ground, not another recipe
# A contrast's verdict by its kind, as what the first of the two is beside the second.
OUTCOMES = {
    ("superiority", "supported"): "better",
    ("superiority", "refuted"): "worse",
    ("equivalence", "supported"): "equivalent",
    ("equivalence", "equivalent"): "equivalent",
    ("equivalence", "detected, within the margin"): "equivalent",
}
ON_THE_RECIPE = {
    "equivalent": "{first} and {second} are equally good within {margin} ({evidence})",
    "undecided": "the data do not decide between {first} and {second} ({evidence})",
    "insufficient data": "{runs} are too few to judge between {first} and {second}",
    NOT_DECIDED: "a rehearsal, {runs}, does not decide between {first} and {second}",
}
OVER_SETTINGS = {
    "better": "{first} is the better one in {share} of {those}",
    "worse": "{second} is the better one in {share} of {those}",
    "detected, not meaningful": "{leader} is the better one in {share} of {those}, more often than not, but not in the "
    "{meaningful} that we called meaningful",
    "undecided": "neither is shown to be the better one: {leader} is in {share} of {those}",
    NOT_DECIDED: "{leader} alone learns, or has the lower FID, in {share} of {those}, which decides nothing",
}
PLAIN = {
    "better": "{first} is better",
    "worse": "{second} is better",
    "equivalent": "the two are equally good",
    "undecided": "the data do not tell the two apart",
}
TUNED = {
    "better": "{first} is better{by}",
    "worse": "{second} is better{by}",
    "equivalent": "the two are equally good within {margin}",
    "undecided": "the data do not decide between the two",
    NOT_DECIDED: "their ratio is a number of these runs alone",
}


def headline(findings: Findings) -> str:
    """The answer, in two sentences at most: the printed recipe and its changes, then the search and the tuned ones."""
    contrast, pair = findings.contrast, findings.pair
    sentences = []
    if contrast:
        recipe = findings.recipes[contrast.variant]
        clauses = [_on_the_recipe(contrast, findings), _changes(contrast, findings)]
        sentences.append(f"On {_recipe(recipe, contrast.epoch)} {'; '.join(filter(None, clauses))}.")
    if pair:
        tuned = _tuned(pair, findings.comparison)
        settings = f"{_over_settings(pair, findings.search)}; with each at its best setting, {tuned}"
        sentences.append(f"Over {pair.learning.n} settings of the two optimizers {settings}.")
    return " ".join(sentences) or "No two objectives were compared."


def answer(findings: Findings) -> str:
    """The answer in one plain sentence, without a number that needs explaining."""
    contrast, pair, parts = findings.contrast, findings.pair, []
    if contrast:
        parts.append(f"on the tutorial's recipe {_plainly(contrast, findings)}")
        parts += filter(None, [_turned_plainly(contrast, findings)])
    if pair:
        words = {"first": spoken(pair.variant), "second": spoken(pair.against)}
        parts.append(f"with the optimizer tuned for each {PLAIN[pair.tuned.verdict].format(**words)}")
    if not parts:
        return "No two objectives were compared."
    sentence = ", and ".join(filter(None, ["; ".join(parts[:-1]), parts[-1]]))
    return f"{sentence[0].upper()}{sentence[1:]}."


def _plainly(contrast: Contrast, findings: Findings) -> str:
    first, second = spoken(findings.scope.variant), spoken(findings.scope.against)
    found = outcome(contrast)
    if found not in ("better", "worse"):
        words = {"equivalent": f"{first} and {second} are equally good"}
        return words.get(found, f"the data do not decide between {first} and {second}")
    both = summaries(contrast, findings.comparison)
    winner, loser, best, other = (first, second, *both) if found == "better" else (second, first, *both[::-1])
    if best.learnt == best.n and other.learnt < other.n:
        return f"{winner} learns and {loser} {'seldom does' if other.learnt else _never(other)}"
    return f"{winner} is better than {loser}"


def _turned_plainly(contrast: Contrast, findings: Findings) -> str:
    """How many single changes of the recipe end the lead, or let the objective that is behind learn as well."""
    rungs, printed = recipe_rungs(findings.ladder), findings.ladder.rungs[:1]
    first, second = findings.scope.variant, findings.scope.against
    loser = {"better": second, "worse": first}.get(outcome(contrast))
    if not rungs or loser is None or loser not in findings.ladder.objectives:
        return ""
    lead = printed[0].contrast.better if printed[0].contrast else None
    if lead not in (None, loser):
        count = sum(rung.turned in ("no difference", "reversed") for rung in rungs)
        return f"{count} of {counted(len(rungs), 'single change')} of it {'ends' if count == 1 else 'end'} that lead"
    steps = [next(step for step in rung.steps if step.objective == loser) for rung in rungs]
    count = sum(step.learnt == step.n for step in steps)
    lets = "lets" if count == 1 else "let"
    return f"{count} of {counted(len(rungs), 'single change')} of it {lets} {spoken(loser)} learn as well" * bool(count)


def spoken(objective: str) -> str:
    """An objective as a reader would call it who has not seen the code."""
    return NAMES.get(objective, f"the {objective.replace('_', ' ')} loss")


def evidence(p: float) -> str:
    """`p = 0.023`, or that it is less than a thousandth."""
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


def outcome(contrast: Contrast) -> str:
    """What a contrast's first variant is beside the second: better, worse or equivalent; or that this is not known."""
    if contrast.verdict in ("undecided", "insufficient data", NOT_DECIDED):
        return contrast.verdict
    if known := OUTCOMES.get((contrast.kind, contrast.verdict)):
        return known
    # An equivalence that was refuted: the ratio says which of the two is better.
    ratio = contrast.ratio if contrast.ratio is not None else contrast.scored_ratio.ratio
    return "undecided" if ratio is None else "better" if ratio < 1 else "worse"


def summaries(contrast: Contrast, comparison: Comparison) -> tuple[Summary, Summary]:
    """Both variants at the epoch that decides their contrast."""

    def at(standing: Standing) -> bool:
        return standing.epochs == contrast.epoch and {contrast.variant, contrast.against} <= set(standing.variants)

    variants = next(standing.variants for standing in comparison.standings if at(standing))
    return variants[contrast.variant], variants[contrast.against]


def recipe_rungs(ladder: LadderRecord) -> list[Rung]:
    """The rungs that change the printed recipe itself, neither its images nor its networks."""
    return [rung for rung in ladder.rungs[1:] if not set(GROUND).intersection(rung.changes)]


def change_in_words(rung: Rung, recipe: Mapping[str, Any]) -> str:
    """What differs on a rung, `Adam's beta1 at 0.5 instead of 0.9`; its name where no words are at hand."""
    changes = {key: _value(text) for key, text in rung.changes.items()}
    printed = flatten(recipe)
    if any(isinstance(now, str) or printed.get(key) is None for key, now in changes.items()):
        return rung.name
    both = {f"{player}_optimizer.betas" for player in ("generator", "discriminator")}
    if set(changes) == both and len(set(rung.changes.values())) == 1:
        key = min(both)
        parts = [
            f"beta{place + 1} at {now:g} instead of {was:g}"
            for place, (now, was) in enumerate(zip(changes[key], printed[key], strict=True))
            if now != was
        ]
        return f"Adam's {joined(parts)}"
    if len(changes) == 1:
        ((key, now),) = changes.items()
        was = printed.get(key)
        if key.endswith("_optimizer.lr"):
            return f"the {key.split('_')[0]}'s learning rate {_times(now / was)}"
        if key.endswith("_optimizer.eps"):
            return f"the {key.split('_')[0]}'s eps at {now:g} instead of {was:g}"
        words = {
            "real_label": "real images labelled {now:g} instead of {was:g}",
            "batch_size": "batches of {now} instead of {was}",
            "discriminator_steps": "{now} discriminator steps for each of the generator's instead of {was}",
        }
        if key in words:
            return words[key].format(now=now, was=was)
    return rung.name


def _recipe(recipe: Mapping[str, Any], epochs: int) -> str:
    """`the tutorial's recipe (fully connected networks on MNIST, Adam with beta1 0.9, 20 epochs)`."""
    optimizer = recipe["generator_optimizer"]
    adam = f"Adam with beta1 {optimizer['betas'][0]:g}, " if optimizer["name"] == "adam" else ""
    networks = NETWORKS.get(recipe["networks"], recipe["networks"])
    data = DATA.get(recipe["data"], recipe["data"])
    return f"the tutorial's recipe ({networks} on {data}, {adam}{counted(epochs, 'epoch')})"


def _on_the_recipe(contrast: Contrast, findings: Findings) -> str:
    comparison, found = findings.comparison, outcome(contrast)
    both = summaries(contrast, comparison)
    names = (spoken(findings.scope.variant), spoken(findings.scope.against))
    runs = f"{both[0].n} runs each" if both[0].n == both[1].n else f"{both[0].n} and {both[1].n} runs"
    sure = f"{runs}, {evidence(contrast.p_adjusted)}"
    if found not in ("better", "worse"):
        words = {"first": names[0], "second": names[1], "margin": percent(round(comparison.margin - 1, 6))}
        sentence = ON_THE_RECIPE[found].format(**words, runs=runs, evidence=sure)
        learning = [f"{each.learnt} of {each.n}" for each in both]
        differ = both[0].learnt * both[1].n != both[1].learnt * both[0].n
        return sentence + (f", which learn in {joined(learning)} runs" if differ else "")
    winner, loser, best, other = (*names, *both) if found == "better" else (*names[::-1], *both[::-1])
    if best.learnt == best.n and not other.learnt:
        return f"{winner} learns and {loser} {_never(other)} ({sure})"
    if best.learnt == best.n and other.learnt < other.n:
        return f"{winner} always learns and {loser} in {other.learnt} of {other.n} runs ({sure})"
    ratio, low, high = contrast.ratio, contrast.low, contrast.high
    if ratio is None or low is None or high is None:
        return f"{winner} is better than {loser} ({sure})"
    if found == "worse":
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    level = f"{percent(1 - comparison.alpha)} interval {changes(low, high)}"
    return f"{winner} is better than {loser}, its {comparison.metric.upper()} {change(ratio)} ({level}; {sure})"


def _never(summary: Summary) -> str:
    """How runs are of which none has learnt."""
    words = {
        "never_learnt": "never does",
        "not_yet": "has not begun to",
        "mode_collapse": "always draws the same few images",
        "diverged": "always diverges",
    }
    return next((said for name, said in words.items() if getattr(summary, name) == summary.n), "does in no run")


def _changes(contrast: Contrast, findings: Findings) -> str:
    """Which single changes of the recipe turn its verdict."""
    ladder, rungs = findings.ladder, recipe_rungs(findings.ladder)
    first, second = findings.scope.variant, findings.scope.against
    leader = {"better": first, "worse": second}.get(outcome(contrast))
    if not rungs or not {first, second} <= set(ladder.objectives):
        return ""
    tried = f"{len(rungs)} single changes of it" if len(rungs) > 1 else "a single change of it"
    printed, loser = ladder.rungs[0].contrast, second if leader == first else first
    if leader is None:
        favour = [
            sum(bool(rung.contrast and rung.contrast.better == name) for rung in rungs) for name in (first, second)
        ]
        return f"of {tried}, {favour[0]} favour {spoken(first)} and {favour[1]} {spoken(second)} on every seed"
    if printed is None or printed.better != leader:
        return _awoken(loser, rungs, ladder.rungs[0], findings.recipes[contrast.variant])
    turned = [rung for rung in rungs if rung.turned in ("no difference", "reversed")]
    if not turned:
        return f"none of {tried} alters that" if len(rungs) > 1 else f"{tried} does not alter that"
    told = _there(turned[0], ladder.rungs[0], loser)
    clause = f"with {change_in_words(turned[0], findings.recipes[contrast.variant])} {told}"
    end = "ends" if len(turned) == 1 else "end"
    return f"{clause} ({len(turned)} of {counted(len(rungs), 'single change')} of the recipe {end} that lead)"


def _awoken(loser: str, rungs: Sequence[Rung], printed: Rung, recipe: Mapping[str, Any]) -> str:
    """With which changes the objective that is behind learns in every run; for a ladder too short to show its lag."""
    epochs = counted(printed.epochs, "epoch")
    steps = [(rung, next(step for step in rung.steps if step.objective == loser)) for rung in rungs]
    awake = [change_in_words(rung, recipe) for rung, step in steps if step.learnt == step.n]
    if not awake or any(step.learnt for step in printed.steps):
        return f"after the {epochs} for which single changes of it were tried, this lead does not show on every seed"
    named = joined(awake) if len(awake) <= NAMED_AT_MOST else f"such as {joined(awake[:NAMED_AT_MOST])}"
    return (
        f"within {epochs}, when neither does on the recipe itself, {spoken(loser)} learns in every run with "
        f"{len(awake)} of {counted(len(rungs), 'single change')} of it: {named}"
    )


def _there(rung: Rung, printed: Rung, loser: str) -> str:
    """What a turned rung has to say of the objective that is behind on the printed recipe."""
    if rung.turned == "reversed":
        return f"{spoken(loser)} is the better one"
    before, now = (next(step for step in each.steps if step.objective == loser) for each in (printed, rung))
    if now.learnt == now.n and before.learnt < before.n:
        return f"{spoken(loser)} learns as well"
    return "neither is better on every seed"


def _over_settings(pair: PairedSearch, search: SearchRecord) -> str:
    wins: Wins = pair.wins
    first, second = spoken(pair.variant), spoken(pair.against)
    if wins.share is None or wins.low is None or wins.high is None:
        return f"neither {first} nor {second} learns"
    ahead = wins.share >= 0.5
    ends = (wins.low, wins.high) if ahead else (1 - wins.high, 1 - wins.low)
    level = f"{percent(1 - search.alpha)} interval {100 * ends[0]:.0f} to {share(ends[1])}"
    sentence = OVER_SETTINGS[wins.verdict].format(
        first=first,
        second=second,
        leader=first if ahead else second,
        share=share(wins.share if ahead else 1 - wins.share),
        those=f"the {wins.wins + wins.losses} in which at least one of the two learns ({level})",
        meaningful=percent(search.meaningful),
    )
    other = second if ahead else first
    decided = wins.verdict not in ("undecided", NOT_DECIDED)
    return sentence.replace("the better one", f"better than {other}", 1) if decided else sentence


def _tuned(pair: PairedSearch, comparison: Comparison) -> str:
    tuned: TunedContrast = pair.tuned
    by = ""
    if tuned.ratio is not None and tuned.low is not None and tuned.high is not None:
        ends: Sequence[float] = (tuned.ratio, tuned.low, tuned.high)
        if tuned.verdict == "worse":
            ends = (1 / tuned.ratio, 1 / tuned.high, 1 / tuned.low)
        level = f"{percent(1 - comparison.alpha)} interval {changes(ends[1], ends[2])}"
        by = f", its {comparison.metric.upper()} {change(ends[0])} ({level})"
    return TUNED[tuned.verdict].format(
        first=spoken(pair.variant),
        second=spoken(pair.against),
        by=by,
        margin=percent(round(comparison.margin - 1, 6)),
    )


def _times(factor: float) -> str:
    return f"times {factor:g}" if factor >= 1 else f"divided by {1 / factor:g}"


def _value(text: str) -> Any:
    """A rung's value, which the record has as text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
