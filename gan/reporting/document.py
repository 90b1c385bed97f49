"""The report that people read: `report.html`, `report.md` and `figures/`, made from a study's results.

Both documents show one context and share captions and glossary, in `words.j2`. Numbers are those of the files; only
the words are added here. Identical files give identical reports.
"""

import base64
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import jinja2

from gan import files, formatting
from gan.reporting import curve, sentences, tables
from gan.reporting.drawing import palette
from gan.reporting.figures import draw
from gan.reporting.headline import headline, spoken
from gan.reporting.results import Results, existing, last_summaries, measured, suffix
from gan.study.schema import Study

MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
REHEARSED = "A rehearsal decides no contrast, so there is no verdict that other choices could agree with."
OF_TRAINING = ("learning", "probabilities", "gradients", "saturation", "losses", "logits")


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
    baseline = formatting.flatten(study.baseline.model_dump(mode="json"))
    environments, environment_numbers = tables.training_environments(training)
    metrics = results.metrics
    rankings = [(standing, tables.ranking(standing, results)) for standing in comparison.standings]
    return {
        "study": study,
        "several": len(study.data_sets) > 1,
        "suffixes": {data: suffix(data, study.data_sets) for data in study.data_sets},
        "comparison": comparison,
        **tables.averaging(study),
        "followed": results.followed,
        "omitted": results.omitted,
        "confidence": formatting.percent(1 - comparison.alpha),
        "headline": headline(results.findings),
        "details": sentences.details(results.findings, results.claims, results.late_runs),
        "leading": sentences.leading(comparison),
        "spoken": spoken,
        "scope": results.scope,
        "rankings": rankings,
        # That of the most epochs on each data set.
        "first_rankings": list({standing.data: (standing, rows) for standing, rows in rankings[::-1]}.values())[::-1],
        "ladder": results.ladder,
        "rungs": tables.rungs(results),
        "search": results.search,
        "searched": tables.searched(results.search),
        "settings": tables.settings(results.search),
        "memory_note": " ".join(sentences.adams_memory(results.memory)),
        "toys": results.toys,
        "rotation": tables.rotation(results.toys),
        "ring": tables.ring(results.toys),
        # A rehearsal has no verdict that other choices could agree with.
        "agreement": REHEARSED if study.rehearsal else curve.agreement(results.specifications),
        "agreements": [] if study.rehearsal else curve_sentences(results),
        "past": tables.studies(results.past, comparison.margin),
        "pooled": results.past.pooled,
        "facts_shared": tables.claims_by_fact(results.claims),
        "claims": tables.claims_by_source(results.claims),
        "families": tables.contrasts_by_family(comparison),
        "measured": measured,
        "identities": results.identities,
        "audit": results.audit,
        "audited": tables.audit_tables(results),
        "simulation": results.simulation,
        "simulated": tables.simulation_tables(study, results.simulation),
        "sensitivity": tables.sensitivity(results),
        "sizes": tables.sizes(results),
        "variation": comparison.spread,
        # Fewer than two variants have no order.
        "order": order if order and len(order.published) > 1 else None,
        "tuned_order": sentences.tuned_order(results.search, order) if order else "",
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
        "speed": tables.speed_table(results.benchmark),
        "differences": {
            name: {
                key: value for key, value in formatting.flatten(record.parameters).items() if baseline.get(key) != value
            }
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


def curve_sentences(results: Results) -> list[str]:
    """What the specification curve says of each contrast."""
    specifications = results.specifications
    return [curve.agreement_of(specifications, each.contrast) for each in specifications.contrasts]


def escape_markdown(value: object) -> str:
    """Text for any place in a Markdown document, table cells included: nothing in it is markup."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


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
    shown = ("fixed", "interval", "percent", "share", "span", "p_value", "duration", "joined", "misfit", "score")
    environment.filters |= {name: getattr(formatting, name) for name in shown}
    environment.globals |= {"zip": zip, **names}
    return environment
