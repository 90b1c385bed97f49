"""The report that people read: `report.html`, `report.md` and `figures/`, made from a study's results.

Both documents show one context and share captions and glossary, in `words.j2`. Numbers are those of the files; only
the words are added here. Identical files give identical reports.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gan import files, formatting
from gan.reporting import audit_tables, curve, sentences, tables, terms
from gan.reporting.figures.draw import Drawn, colours_of, draw
from gan.reporting.figures.inlining import STYLE, inline
from gan.reporting.headline import answer, headline, spoken
from gan.reporting.pictures import Pictures, read_pictures
from gan.reporting.results import Results, last_summaries, measured, suffix
from gan.reproduction.record import sentence
from gan.study.schema import Study

OF_TRAINING = ("learning", "probabilities", "gradients", "saturation", "losses", "logits", "cost")
REHEARSED = "A rehearsal decides no contrast, so there is no verdict that other choices could agree with."
SHOWN_FIRST = 4  # variants whose images stand beside the answer, at most
TEMPLATES = Path(__file__).parent / "templates"


def write(study: Study, root: Path) -> Path:
    """Write `reports/report.html`, `report.md` and `figures/` below `root`; return the path of the first.

    Of a rehearsal both say so in large letters, and give no verdict.

    Raises:
        StudyError: an input is missing, or the comparison was made for other variants than the study's.
    """
    reports = root / "reports"
    results = Results.read(study, root)
    drawn = draw(results, reports / "figures")
    pictures = read_pictures(study, results.drawn(list(results.training)), reports)
    content = context(results) | illustrations(results, drawn, pictures)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    content |= {"script": script, "script_hash": f"sha256-{digest}", "figure_style": STYLE}

    environment = _environment(autoescape=True, inline=lambda *told: Markup(inline(*told)))
    page = environment.get_template("report.html.j2").render(content)
    words: Any = environment.get_template("words.j2").make_module(content)
    glossary = [(str(term), str(meaning)) for term, meaning in words.glossary]
    files.write(reports / "report.html", terms.explain(page, glossary))
    markdown = _environment(finalize=escape_markdown).get_template("report.md.j2").render(content)
    files.write(reports / "report.md", markdown)
    return reports / "report.html"


def illustrations(results: Results, drawn: dict[str, Drawn], pictures: Pictures) -> dict[str, Any]:
    """What the templates show of figures and of generated images."""
    study = results.study
    declared = [name for name in study.compare.declared if name in pictures.samples]
    first = sorted(declared or list(pictures.samples), key=list(study.variants).index)[:SHOWN_FIRST]
    return {
        "colours": colours_of(results),
        "drawn": drawn,
        "of_training": [(name, data) for name in OF_TRAINING for data in study.data_sets],
        "pictures": pictures,
        "pictured": [*pictures.samples.values(), *pictures.interpolations.values()],
        "compared_first": first,
        "several_pictured": len({study.variants[name].data for name in pictures.samples}) > 1,
        "common": pictures.common(first),
    }


def context(results: Results) -> dict[str, Any]:
    """All that the templates show, except for figures and images."""
    study, comparison, training = results.study, results.comparison, results.training
    order = comparison.literature
    baseline = formatting.flatten(study.baseline.model_dump(mode="json"))
    environments, environment_numbers = tables.training_environments(training)
    metrics = results.metrics
    yours = tables.yours(results)
    parts = {
        "answer": "The answer",
        "yours": "Your variants" if yours else "",
        "samples": "The images",
        "practice": "In practice",
        "sure": "How sure?",
        "why": "Why?",
        "claims": "The claims",
        "appendix": "Appendix",
        "reading": "Terms",
    }
    rankings = [(standing, tables.ranking(standing, results)) for standing in comparison.standings]
    return {
        "study": study,
        "parts": [(id, text) for id, text in parts.items() if text],
        "yours": yours,
        "answer": "" if study.rehearsal else answer(results.findings),
        "practice": sentences.practice(results.findings),
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
        "memory_note": sentences.adams_memory(results.memory),
        "toys": results.toys,
        "rotation": tables.rotation(results.toys),
        "ring": tables.ring(results.toys),
        # A rehearsal has no verdict that other choices could agree with.
        "reproduced": sentence(results.reproduction) if results.reproduction else "",
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
        "audited": audit_tables.audit_tables(results),
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
    environment.filters["anchor"] = terms.anchor
    environment.globals |= {"zip": zip, **names}
    return environment
