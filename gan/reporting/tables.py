"""What the report's tables show: rows and columns from the records, in the order in which they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd

from gan import formatting
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison, Contrast, Retest, Standing, Summary
from gan.records.robustness import History, PastContrast, SearchRecord
from gan.records.simulation import Simulation
from gan.records.toys import Toys
from gan.records.training import Hardware, Training
from gan.reporting.headline import change_in_words, spoken
from gan.reporting.results import Results
from gan.study.schema import Study

SOURCES = {
    "V": "The text on the vanilla GAN's loss functions",
    "T": "The tutorial",
    "Q": "The questions and answers on binary cross-entropy",
}
FAMILIES = {
    "declared": "Declared hypotheses",
    "control": "Controls: one algorithm in several forms",
    "exploratory": "Exploratory: nobody declared these beforehand",
}
# What the published study compares. A variant with another name is its user's: the page tells it near the top. Whoever
# publishes another study lists its variants here.
PUBLISHED = frozenset({
    "minimax", "non_saturating", "cewl", "non_saturating_logits", "minimax_logits", "minimax_rescaled", "pixel_mse",
    "pixel_mae", "feature_matching", "vae", "vae_gan", "lsgan", "wgan", "wgan_gp", "hinge",
})  # fmt: skip
STATES = ("learnt", "not_yet", "never_learnt", "mode_collapse", "diverged")


def averaging(study: Study) -> dict[str, list[str]]:
    """The snapshots that scores are means over, and the declared epochs at which no run is scored."""
    scored = [study.evaluate.scored(variant) for variant in study.variants.values()]
    snapshots = sorted({(epoch, averaged) for epochs in scored for epoch, averaged in epochs.items()})
    unscored = sorted(set(study.evaluate.scores) - {epoch for epoch, _ in snapshots})
    return {
        "averaged": [
            f"{formatting.joined(list(map(str, averaged)))} after {epoch} {'epoch' if epoch == 1 else 'epochs'}"
            for epoch, averaged in snapshots
            if len(averaged) > 1
        ],
        "unscored": [str(epoch) for epoch in unscored],
    }


def speed_table(benchmark: Mapping[str, dict[str, Any]]) -> list[dict[str, str]]:
    """A row for each entry of benchmark.json, its cells by their column; a dash for what was not measured."""

    def seconds(of: dict[str, Any] | None) -> str:
        return f"{formatting.fixed(of['seconds_per_run_epoch']['median'], 2)} s" if of else formatting.MISSING

    def ratio(of: dict[str, float] | None, decimals: int) -> str:
        if not of:
            return formatting.MISSING
        ends = formatting.interval(of["low"], of["high"], decimals)
        return f"{formatting.fixed(of['median'], decimals)} ({ends})"

    return [
        {
            "hardware": kind,
            "products": entry["engine"].get("path", formatting.MISSING),
            **{name: seconds(entry.get(name)) for name in ("tutorial", "peer", "engine", "floor")},
            "tutorial / engine": ratio(entry.get("ratio_to_tutorial"), 1),
            "peer / engine": ratio(entry.get("ratio_to_peer"), 2),
            "engine / floor": ratio(entry["ratio_to_floor"], 2),
            "memory": f"{formatting.fixed(entry['engine']['peak_mib'], 0)} MiB",
            "MiB per run": formatting.fixed(entry["mib_per_run"], 1),
        }
        for kind, entry in benchmark.items()
    ]


def claims_by_source(claims: Mapping[str, ClaimEntry]) -> dict[str, dict[str, ClaimEntry]]:
    """The claims of each source by its title, each source's by number."""
    ids = sorted(claims, key=lambda name: (int(name[1:].rstrip(ascii_lowercase)), name))
    letters = dict.fromkeys([*SOURCES, *(name[0] for name in ids)])
    grouped = {letter: {name: claims[name] for name in ids if name[0] == letter} for letter in letters}
    return {SOURCES.get(letter, letter): entries for letter, entries in grouped.items() if entries}


def contrasts_by_family(comparison: Comparison) -> list[dict[str, Any]]:
    """The families that have contrasts, each with its title."""
    grouped = {name: [each for each in comparison.contrasts if each.family == name] for name in FAMILIES}
    return [{"name": name, "title": FAMILIES[name], "contrasts": each} for name, each in grouped.items() if each]


def simulation_tables(study: Study, simulation: Simulation) -> dict[str, Any]:
    """The simulation study's scenarios by what a table can show of them, with its columns, and the bounds not kept."""
    scenarios = simulation.scenarios
    powers = {name for scenario in scenarios for name in scenario.power}
    return {
        "kinds": list(dict.fromkeys(kind for scenario in scenarios for kind in scenario.errors)),
        "ids": [each.id for each in (*study.compare.hypotheses, *study.compare.controls) if each.id in powers],
        "with_errors": [scenario for scenario in scenarios if scenario.errors],
        "with_power": [scenario for scenario in scenarios if scenario.power],
        "without_truth": [scenario for scenario in scenarios if not scenario.errors and not scenario.power],
        "broken": [
            f"{kind} in “{scenario.name}” ({formatting.share(error.rate, 1)})"
            for scenario in scenarios
            for kind, error in scenario.errors.items()
            if not error.kept
        ],
    }


@dataclass(frozen=True)
class ByClassifier:
    """A declared hypothesis as one classifier has it; `agree` is None for the classifier that counts."""

    classifier: str
    accuracy: float
    tested: Contrast | Retest
    agree: bool | None


def sensitivity(results: Results) -> list[ByClassifier]:
    """The declared contrasts, each by the classifier that counts and then by the others.

    Empty where only one classifier has scored the runs.
    """
    by_column, rows = results.comparison.sensitivity, []
    for contrast in results.comparison.contrasts:
        if by_column and contrast.family == "declared":
            data = results.study.variants[contrast.variant].data
            accuracies = results.classifiers[data]["accuracy"]
            seeds = list(accuracies)
            rows.append(ByClassifier(seeds[0], accuracies[seeds[0]], contrast, None))
            for column, retests in by_column.items():
                seed = seeds[int(column.rsplit("_", 1)[1])]
                rows += [
                    ByClassifier(seed, accuracies[seed], retest, retest.agree)
                    for retest in retests
                    if retest.id == contrast.id
                ]
    return rows


def sizes(results: Results) -> dict[str, list[dict[str, Any]]]:
    """FID by all images and by half as many, of each data set's floor and its first standing's variants.

    Those of variants are geometric means over runs.
    """
    return {data: _sizes(results, data) for data in results.comparison.data_sets}


def _sizes(results: Results, data: str) -> list[dict[str, Any]]:
    standing, floor, metrics = results.comparison.standings_on(data)[0], results.floor[data], results.metrics
    scored = (metrics["data"] == data) & (metrics["epoch"] == standing.epochs)
    last = metrics[scored & (metrics["status"] == "finished")]
    logs = pd.DataFrame(np.log(last[["fid_last", "fid_half"]].astype(float)))
    means = pd.DataFrame(np.exp(logs.groupby(last["variant"]).mean()))
    columns = ("fid_last", "fid_half")
    rows: dict[object, dict[str, Any]] = {
        name: {column: fids[column] for column in columns} for name, fids in means.iterrows()
    }
    rows["training images"] = {"fid_last": floor["fid"], "fid_half": floor["fid_half"]}
    return [{"name": name, **rows[name]} for name in ("training images", *standing.ranking) if name in rows]


@dataclass(frozen=True)
class Environment:
    """What runs were trained with, and the checksum of the code."""

    hardware: Hardware
    versions: dict[str, str]
    code: str


def training_environments(training: Mapping[str, Training]) -> tuple[list[Environment], dict[str, int]]:
    """The machines, versions and code that runs were trained with, and the number of each variant's, from 1 on."""
    environments: list[Environment] = []
    numbers = {}
    for name, record in training.items():
        environment = Environment(record.hardware, record.versions, record.checksums.code)
        if environment not in environments:
            environments.append(environment)
        numbers[name] = 1 + environments.index(environment)
    return environments, numbers


@dataclass(frozen=True)
class Ranked:
    """A row of a ranking: one variant after so many epochs; `seconds` is what a run costs until then."""

    place: str
    name: str
    summary: Summary
    runs: str
    seconds: float | None


def ranking(standing: Standing, results: Results) -> list[Ranked]:
    """A standing's variants, the best first; what the data do not tell apart shares a place."""
    rows = []
    for name in standing.ranking:
        summary, epoch = standing.variants[name], results.training[name].seconds_per_epoch
        seconds = None if epoch is None else epoch * standing.epochs
        rows.append(Ranked(standing.place(name), name, summary, in_states(summary), seconds))
    return rows


def in_states(summary: Summary) -> str:
    """How many runs are in each state, `9 learnt, 1 mode collapse`."""
    counts = {name: getattr(summary, name) for name in STATES}
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def claims_by_fact(claims: Mapping[str, ClaimEntry]) -> dict[str, list[str]]:
    """The claims that one fact decides together, by the variant whose learning it is; none that stands alone."""
    facts: dict[str, list[str]] = {}
    for name, claim in claims.items():
        if claim.shared_fact:
            facts.setdefault(claim.shared_fact, []).append(name)
    return {fact: names for fact, names in facts.items() if len(names) > 1}


def rungs(results: Results) -> list[dict[str, Any]]:
    """The ladder, the printed recipe first: the change, each objective's runs, and who is better."""
    ladder, baseline = results.ladder, results.study.baseline.model_dump(mode="json")
    rows = []
    for rung in ladder.rungs:
        better = rung.contrast.better if rung.contrast else None
        words = change_in_words(rung, baseline)
        rows.append(
            {
                "name": rung.name,
                "change": "nothing" if rung is ladder.rungs[0] else words if words != rung.name else "",
                "epochs": rung.epochs,
                "steps": {step.objective: step for step in rung.steps},
                "ratio": rung.contrast,
                "better": (better or "neither") + (f" ({rung.turned})" if rung.turned else ""),
            }
        )
    return rows


def settings(search: SearchRecord) -> list[dict[str, Any]]:
    """Where to start from with each objective, and how much tuning it forgives."""
    rows = []
    for name, searched in search.objectives.items():
        best, tuned = searched.best_of_k, searched.tuned
        rows.append(
            {
                "name": name,
                "settings": {
                    "generator's rate": f"{tuned.settings['generator_lr']:.2g}",
                    "discriminator's rate": f"{tuned.settings['generator_lr'] * tuned.settings['rate_ratio']:.2g}",
                    "beta1": f"{tuned.settings['beta1']:g}",
                    "beta2": f"{tuned.settings['beta2']:g}",
                    "real label": f"{tuned.settings['real_label']:g}",
                },
                "searched": searched,
                "tuned": tuned,
                "one": best.expected[0],
                "most": best.k[-1],
                "best": best.expected[-1],
            }
        )
    return rows


def searched(search: SearchRecord) -> list[list[str]]:
    """The search's tests in words: for each pair of objectives, the question, the answer, p and the verdict."""
    rows = []
    for pair in search.pairs:
        first, second = spoken(pair.variant), spoken(pair.against)
        wins, learning, tuned = pair.wins, pair.learning, pair.tuned
        decided = wins.wins + wins.losses
        share = f"{wins.wins} of {decided}"
        if wins.share is not None and wins.low is not None and wins.high is not None:
            share += f" ({formatting.share(wins.share)}, {formatting.span(wins.low, wins.high)})"
        ratio = "no run of one of the two survived"
        if tuned.ratio is not None:
            ratio = f"ratio {formatting.fixed(tuned.ratio, 2)} ({formatting.interval(tuned.low, tuned.high, 2)})"
        role = "declared" if pair.declared else "described"
        rows += [
            [
                role,
                f"In how many settings in which either learns is {first} better than {second}?",
                share,
                formatting.p_value(wins.p_adjusted),
                wins.verdict,
            ],
            [
                role,
                f"How many of {learning.n} settings does {first} not learn in, and how many {second}?",
                f"{learning.variant} and {learning.against}; "
                f"{learning.variant_alone} and {learning.against_alone} alone",
                formatting.p_value(learning.p_adjusted),
                learning.verdict,
            ],
            [
                role,
                f"Each at its best setting, on fresh seeds: {first} beside {second}?",
                f"{ratio}; {sum(tuned.failed.values())} of {tuned.variant + tuned.against} runs failed",
                formatting.p_value(tuned.p_adjusted),
                tuned.verdict,
            ],
        ]
    return rows


def ring(toys: Toys) -> list[dict[str, Any]]:
    """The ring of Gaussians after the last step: by beta1 and objective, means over the runs that did not diverge."""
    last = max((run.step for run in toys.ring.runs), default=0)
    runs = pd.DataFrame([run for run in toys.ring.runs if run.step == last])
    rows = []
    for (beta1, objective), own in runs.groupby(["beta1", "objective"], sort=False) if len(runs) else ():
        finished = own[own["score"].notna()]
        means = {
            name: float(finished[name].mean()) if len(finished) else None for name in ("modes", "quality", "score")
        }
        diverged = len(own) - len(finished)
        rows.append({"beta1": beta1, "objective": objective, "n": len(own), "diverged": diverged, **means})
    return rows


def rotation(toys: Toys) -> list[dict[str, Any]]:
    """Dirac-GAN at its equilibrium: each objective's eigenvalue, by autograd and in closed form, and its steps."""
    moduli = {(each.objective, each.order): each.modulus for each in toys.dirac.updates}
    return [
        {
            "objective": each.objective,
            "measured": each.eigenvalues[0],
            "closed": each.closed_form[0],
            "simultaneous": moduli.get((each.objective, "simultaneous")),
            "alternating": moduli.get((each.objective, "alternating")),
        }
        for each in toys.dirac.equilibrium
    ]


def studies(past: History, margin: float) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """The pairs that earlier studies and this one compared, and a row for each study.

    A row has the study's contrast of each pair and what its interval says: better or worse where it lies on one side of
    1, equivalent where it lies within `margin`, else undecided.
    """
    pairs = list(dict.fromkeys((each.variant, each.against) for each in past.pooled))

    def of(contrasts: Sequence[PastContrast], pair: tuple[str, str]) -> PastContrast | None:
        return next((each for each in contrasts if (each.variant, each.against) == pair), None)

    def verdict(contrast: PastContrast | None) -> str:
        if contrast is None:
            return ""
        if contrast.low > 1 / margin and contrast.high < margin:
            return "equivalent"
        return "better" if contrast.high < 1 else "worse" if contrast.low > 1 else "undecided"

    rows = []
    for study in past.studies:
        found = [of(study.contrasts, pair) for pair in pairs]
        rows.append({"study": study, "contrasts": [(each, verdict(each)) for each in found]})
    return pairs, rows


@dataclass(frozen=True)
class Own:
    """A variant that the published study does not have, and what is to be said of it."""

    name: str
    sentences: list[str]


def yours(results: Results) -> list[Own]:
    """The variants that neither the published study has nor a hypothesis or control names, in their order."""
    known = PUBLISHED | set(results.study.compare.named) | {results.study.compare.reference}
    return [Own(name, _told(name, results)) for name in results.study.variants if name not in known]


def _told(name: str, results: Results) -> list[str]:
    comparison, told = results.comparison, []
    for standing in comparison.standings:
        if name in standing.ranking:
            summary = standing.variants[name]
            ends = (
                "" if summary.low is None else f" ({formatting.score(summary.low)} – {formatting.score(summary.high)})"
            )
            place = f"place {standing.place(name)} of {len(standing.ranking)}"
            told.append(
                f"After {standing.epochs} epochs on {standing.data}: {place}, {comparison.metric.upper()} "
                f"{formatting.score(summary.mean)}{ends}; runs: {in_states(summary)}."
            )
    told += [each.reason for each in comparison.contrasts if name in (each.variant, each.against)]
    return told or ["Its seeds share random streams, so it is compared with no other."]
