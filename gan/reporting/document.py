"""The report that people read: `report.html`, `report.md` and `figures/`, made from a study's results.

Both documents show one context and share captions and glossary, in `words.j2`. Numbers are those of the files; only
the words are added here. Identical files give identical reports.
"""

import base64
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from gan import files, formatting
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison, Contrast, Retest
from gan.records.simulation import Simulation
from gan.records.training import Hardware, Training
from gan.reporting import sentences
from gan.reporting.drawing import palette
from gan.reporting.figures import draw
from gan.reporting.results import Results, existing, last_summaries, measured, suffix
from gan.study.schema import Study

MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
SOURCES = {
    "V": "The text on the vanilla GAN's loss functions",
    "T": "The tutorial",
    "Q": "The questions and answers on binary cross-entropy",
}
OF_TRAINING = ("learning", "probabilities", "gradients", "saturation", "losses", "logits")
FAMILIES = {
    "declared": "Declared hypotheses",
    "control": "Controls: the same mathematics in two forms",
    "exploratory": "Exploratory: nobody declared these beforehand",
}


def write(study: Study, root: Path) -> Path:
    """Write `reports/report.html`, `report.md` and `figures/` below `root`; return the path of the first.

    Raises:
        StudyError: an input is missing, or the comparison was made for other variants than the study's.
    """
    reports = root / "reports"
    results = Results.read(study, root)
    colours = palette(list(study.variants))
    drawn = draw(results, colours, reports / "figures")
    content = context(results) | {"colours": colours, "drawn": drawn, "pictured": pictured(study.data_sets, drawn)}

    html = _environment(autoescape=True, embed=lambda path: embed(reports / path))
    markdown = _environment(finalize=escape_markdown)
    for name, environment in (("report.html", html), ("report.md", markdown)):
        files.write(reports / name, environment.get_template(f"{name}.j2").render(content))
    return reports / "report.html"


def pictured(data_sets: Sequence[str], drawn: Collection[str]) -> list[tuple[str, str]]:
    """The figures of training that were drawn, each for one data set after the other."""
    return [(name, data) for name in OF_TRAINING for data in data_sets if f"{name}{suffix(data, data_sets)}" in drawn]


def context(results: Results) -> dict[str, Any]:
    """All that the templates show, except for the figures."""
    study, comparison, training = results.study, results.comparison, results.training
    order = comparison.literature
    baseline = flatten(study.baseline.model_dump(mode="json"))
    environments, environment_numbers = training_environments(training)
    metrics = results.metrics
    return {
        "study": study,
        "several": len(study.data_sets) > 1,
        "suffixes": {data: suffix(data, study.data_sets) for data in study.data_sets},
        "comparison": comparison,
        **averaging(study),
        "followed": results.followed,
        "omitted": results.omitted,
        "confidence": formatting.percent(1 - comparison.alpha),
        "verdict": sentences.verdict(comparison, results.claims, results.late_runs),
        "claims": claims_by_source(results.claims),
        "families": contrasts_by_family(comparison),
        "measured": measured,
        "identities": results.identities,
        "audit": results.audit,
        "audited": audit_tables(results),
        "simulation": results.simulation,
        "simulated": simulation_tables(study, results.simulation),
        "sensitivity": sensitivity(results),
        "sizes": sizes(results),
        "variation": comparison.spread,
        # Fewer than two variants have no order.
        "order": order if order and len(order.published) > 1 else None,
        "floors": results.floor,
        "failing": {name: last for name, last in last_summaries(comparison).items() if last[1].failed},
        "diverged": metrics[metrics["status"] == "failed"].drop_duplicates(["variant", "seed"]).to_dict("records"),
        "late": formatting.joined([f"{count} of {name}" for name, count in results.late_runs.items()]),
        "runs": sum(len(record.runs) for record in training.values()),
        "baseline": baseline,
        "training": training,
        "environments": environments,
        "environment_numbers": environment_numbers,
        "benchmark": results.benchmark,
        "speed": speed_table(results.benchmark),
        "differences": {
            name: {key: value for key, value in flatten(record.parameters).items() if baseline.get(key) != value}
            for name, record in training.items()
        },
        "classifiers": results.classifiers,
        "weights": {
            data: [
                (*accuracy, *checksum)
                for accuracy, checksum in zip(record["accuracy"].items(), record["sha256"].items(), strict=True)
            ]
            for data, record in results.classifiers.items()
        },
    }


def averaging(study: Study) -> dict[str, list[str]]:
    """Where scores are means over fewer snapshots than declared, and the declared epochs at which no run is scored."""
    scored = [study.evaluate.scored(variant) for variant in study.variants.values()]
    counts = sorted({(epoch, len(averaged)) for epochs in scored for epoch, averaged in epochs.items()})
    unscored = sorted(set(study.evaluate.epochs) - {epoch for epoch, _ in counts})
    fewer = [(epoch, count) for epoch, count in counts if count < study.evaluate.average]
    return {
        "fewer": [f"{count} after {epoch} {'epoch' if epoch == 1 else 'epochs'}" for epoch, count in fewer],
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
    ids = sorted(claims, key=lambda name: int(name[1:]))
    letters = dict.fromkeys([*SOURCES, *(name[0] for name in ids)])
    grouped = {letter: {name: claims[name] for name in ids if name[0] == letter} for letter in letters}
    return {SOURCES.get(letter, letter): entries for letter, entries in grouped.items() if entries}


def contrasts_by_family(comparison: Comparison) -> list[dict[str, Any]]:
    """The families that have contrasts, each with its title."""
    grouped = {name: [each for each in comparison.contrasts if each.family == name] for name in FAMILIES}
    return [{"name": name, "title": FAMILIES[name], "contrasts": each} for name, each in grouped.items() if each]


def audit_tables(results: Results) -> dict[str, Any]:
    """What tables and lists show of the audit, without the omitted variants.

    `departures` are sentences by losses. `twins` are groups of variants whose losses have the same name, too. `related`
    has the pairs of other losses that are not simply different, each once. `matrix` has each variant's name and its
    sign beside every variant above it, `legend` each sign and its meaning.
    """
    audit, plain_losses = results.audit, results.plain_losses
    names = results.drawn(list(audit["variants"]))
    departures: dict[str, list[str]] = {}
    for entry in audit["numerics"]:
        if departing := [name for name in entry["losses"] if name in plain_losses]:
            departures.setdefault(formatting.joined(departing), []).append(entry["text"])
    losses = {name: variant["losses"] for name, variant in audit["variants"].items()}
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(losses[name], []).append(name)
    kinds = {frozenset((pair["first"], pair["second"])): pair["kind"] for pair in audit["pairs"]}
    signs = {name: kind["sign"] for name, kind in audit["kinds"].items()}
    firsts = {group[0] for group in alike.values()}
    return {
        "departures": departures,
        "twins": [group for group in alike.values() if len(group) > 1],
        "related": [
            {**pair, "losses": (losses[pair["first"]], losses[pair["second"]])}
            for pair in audit["pairs"]
            if {pair["first"], pair["second"]} <= firsts
        ],
        "matrix": [
            (name, [signs[kinds.get(frozenset((name, other)), "different")] for other in names[:place]])
            for place, name in enumerate(names)
        ],
        "legend": [(kind["sign"], kind["words"].split(" from")[0]) for kind in audit["kinds"].values()],
    }


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


def escape_markdown(value: object) -> str:
    """Text for any place in a Markdown document, table cells included: nothing in it is markup."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `section.key: value`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def embed(path: Path) -> str:
    """An image file as a data URI."""
    content = base64.b64encode(existing(path).read_bytes()).decode()
    return f"data:{MEDIA_TYPES[path.suffix]};base64,{content}"


def _environment(
    autoescape: bool = False, finalize: Callable[[object], object] | None = None, **names: Any
) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gan.reporting"),
        autoescape=autoescape,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = ("fixed", "interval", "percent", "share", "span", "p_value", "duration", "joined", "misfit")
    environment.filters |= {name: getattr(formatting, name) for name in shown}
    environment.globals |= {"zip": zip, **names}
    return environment
