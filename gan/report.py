"""The report that people read: the study's files in, `report.html`, `report.md` and `figures/` out.

Both documents show one context and share captions and glossary, in `words.j2`. Numbers are those of the
files; what is added here is their wording. Identical files give identical reports.
"""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from gan import figures, files
from gan.errors import StudyError

if TYPE_CHECKING:
    from gan.study import Study

MISSING = "–"
PERCENT = "\N{NO-BREAK SPACE}%"
MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
NAMED_AT_MOST = 3  # variants that a sentence lists by name
# What the leader is, beside others.
BETTER, EXPLORED = "better than {names}", "better than {names} (exploratory)"
EQUIVALENT = "equivalent to {names} (within a factor of {margin:g})"
WORSE, UNDECIDED = "worse, seed by seed, than {names}", "not told apart from {names}"
TOO_FEW, UNTESTED = "on too few seeds to be judged against {names}", "not tested against {names}"
HISTORY = (
    "discriminator_loss",
    "generator_loss",
    "real_probability",
    "fake_probability",
    "generator_gradient_norm",
)


@dataclass(frozen=True)
class Results:
    """What the report is made from, of the study's variants and no others, in their order.

    `metrics` has a row per run, `snapshots` and `history` one per run and epoch, with a column `failed` that
    tells a failed run's rows.
    """

    comparison: dict[str, Any]
    floor: dict[str, Any]
    classifier: dict[str, Any]
    training: dict[str, dict[str, Any]]
    benchmark: dict[str, dict[str, Any]]
    metrics: pd.DataFrame
    snapshots: pd.DataFrame
    history: pd.DataFrame

    @classmethod
    def read(cls, variants: Sequence[str], root: Path) -> "Results":
        """Read `reports/` and `models/` below `root`.

        Raises:
            StudyError: a file is missing, or the comparison was made for other variants.
        """
        reports = root / "reports"
        for name in variants:
            _existing(reports / "samples" / f"{name}.png")

        def table(folder: str) -> pd.DataFrame:
            paths = {name: _existing(reports / folder / f"{name}.csv") for name in variants}
            tables = [pd.read_csv(path).assign(variant=name) for name, path in paths.items()]
            return pd.concat([each for each in tables if len(each)] or tables)  # empty ones have no types

        comparison = _json(reports / "comparison.json")
        if set(comparison["variants"]) != set(variants):
            compared = ", ".join(comparison["variants"])
            raise StudyError(
                f"{reports / 'comparison.json'} compares {compared}, but the study's variants are "
                f"{', '.join(variants)}: run `dvc repro` to compare these"
            )
        metrics, history = table("metrics"), table("history")
        failed = metrics.assign(failed=metrics["status"] == "failed")[["variant", "seed", "failed"]]
        if history.empty:  # then it doesn't know its columns either
            history = history.reindex(columns=[*history.columns, *HISTORY])
        return cls(
            comparison=comparison,
            floor=_json(reports / "floor.json"),
            classifier=_json(root / "models" / "classifier.json"),
            training={name: _json(reports / "training" / f"{name}.json") for name in variants},
            benchmark=_json(reports / "benchmark.json"),
            metrics=metrics,
            snapshots=table("snapshots").merge(failed, how="left"),
            history=history.merge(failed, how="left"),
        )


def write(study: "Study", root: Path) -> Path:
    """Write `reports/report.html`, `report.md` and `figures/` below `root`; return the path of the first.

    Raises:
        StudyError: an input is missing, or the comparison was made for other variants than the study's.
    """
    reports = root / "reports"
    results = Results.read(list(study.variants), root)
    colours = figures.palette(list(study.variants))
    draw(results, colours, reports / "figures")
    content = context(study, results) | {"colours": colours}

    html = _environment(autoescape=True, embed=lambda path: embed(reports / path))
    markdown = _environment(finalize=escape_markdown)
    for name, environment in (("report.html", html), ("report.md", markdown)):
        files.write(reports / name, environment.get_template(f"{name}.j2").render(content))
    return reports / "report.html"


def draw(results: Results, colours: Mapping[str, str], folder: Path) -> None:
    """Save every figure into `folder`, which holds nothing else afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    for outdated in folder.glob("*.svg"):
        outdated.unlink()
    comparison, history = results.comparison, results.history
    summary = [{"variant": name, **comparison["variants"][name]} for name in comparison["ranking"]]
    quantiles = [name for name in history.columns if name.startswith("fake_logit_q")]
    drawn = {
        "seeds": figures.seeds(results.metrics, pd.DataFrame(summary), results.floor["fid"], colours),
        "learning": figures.learning(results.snapshots, colours),
        "probabilities": figures.probabilities(history, colours),
        "gradients": figures.gradients(history, colours),
        "saturation": figures.saturation(history, colours),
        "losses": figures.losses(history, colours),
        "logits": figures.logits(history, quantiles, colours),
        "digits": figures.digits(results.metrics, results.floor["digit_shares"], colours),
    }
    if comparison["contrasts"]:
        contrasts = pd.DataFrame(comparison["contrasts"])
        contrasts["label"] = [contrast_label(contrast) for contrast in comparison["contrasts"]]
        drawn["ratios"] = figures.ratios(contrasts, comparison["margin"], colours)
    for name, figure in drawn.items():
        figures.save(figure, folder / f"{name}.svg")


def context(study: "Study", results: Results) -> dict[str, Any]:
    """All that the templates show, except for the figures."""
    baseline = flatten(study.baseline.model_dump(mode="json"))
    failures = results.metrics[results.metrics["status"] == "failed"]
    return {
        "study": study,
        "comparison": results.comparison,
        "confidence": percent(1 - results.comparison["alpha"]),
        "verdict": verdict(results.comparison),
        "floor": results.floor,
        "failures": failures.to_dict("records"),
        "collapsed": results.metrics.query("digits <= 1").groupby("variant", sort=False).size().to_dict(),
        "baseline": baseline,
        "training": results.training,
        "benchmark": results.benchmark,
        "differences": {
            name: {key: value for key, value in flatten(record["parameters"]).items() if baseline.get(key) != value}
            for name, record in results.training.items()
        },
        "classifier": results.classifier,
    }


def verdict(comparison: Mapping[str, Any]) -> list[str]:
    """Two to four sentences: who leads, by how much, what became of the hypotheses, which runs failed."""
    sentences = [_standing(comparison), _size(comparison), _hypotheses(comparison), _failures(comparison)]
    return [sentence for sentence in sentences if sentence]


def _standing(comparison: Mapping[str, Any]) -> str:
    best, *others = comparison["ranking"]
    if not comparison["variants"][best]["finished"]:
        return "No run finished, so no variant can be called better."
    if not others:
        return f"{best} is the only variant, so there is nothing to set it against."
    groups: dict[str, list[str]] = {}
    for other in others:
        groups.setdefault(_relation(best, other, comparison["contrasts"]), []).append(other)

    def clauses(*relations: str) -> str:
        found = [relation for relation in relations if relation in groups]
        return _joined([each.format(names=_listed(groups[each]), margin=comparison["margin"]) for each in found])

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
        return BETTER if contrast["declared"] else EXPLORED
    if not both:
        return UNTESTED
    return UNDECIDED if any(contrast["verdict"] == "undecided" for contrast in both) else TOO_FEW


def _size(comparison: Mapping[str, Any]) -> str:
    best, *others = comparison["ranking"]
    summary = comparison["variants"][best]
    if not summary["finished"]:
        return ""
    level = f"{percent(1 - comparison['alpha'])} interval"
    average = f"Its {comparison['metric'].upper()} averages {fixed(summary['mean'], 2)}"
    average += f" over {summary['finished']} seed{'s' * (summary['finished'] > 1)}"
    if not others and summary["low"] is not None:
        return f"{average} ({level} {interval(summary, 2)})."
    differences = []
    for other in others[:NAMED_AT_MOST]:
        ratio, low, high = _ratio(best, other, comparison["contrasts"])
        if ratio is not None:
            within = f" ({level} {changes(low, high)})" if low is not None and high is not None else ""
            differences.append(f"{change(ratio)} than with {other}{within}")
    return f"{', '.join([average, *([_joined(differences)] if differences else [])])}."


def _ratio(best: str, other: str, contrasts: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """Ratio best / other with its interval, None where no contrast has measured it."""
    for contrast in contrasts:
        ratio, low, high = contrast["ratio"], contrast["low"], contrast["high"]
        if (contrast["variant"], contrast["against"]) == (best, other):
            return [ratio, low, high]
        if (contrast["variant"], contrast["against"]) == (other, best):
            return [value and 1 / value for value in (ratio, high, low)]
    return [None, None, None]


def _hypotheses(comparison: Mapping[str, Any]) -> str:
    declared = {each["id"]: each["verdict"] for each in comparison["contrasts"] if each["declared"]}
    declared |= {each["id"]: "untested" for each in comparison["untested"]}
    if not declared:
        exploratory = "No hypothesis was declared beforehand: every contrast is exploratory."
        return exploratory if comparison["contrasts"] else ""
    outcomes = []
    for word in ("supported", "refuted", "undecided", "descriptive only", "untested"):
        if ids := [name for name, outcome in declared.items() if outcome == word]:
            outcomes.append(f"{_joined(ids)} {'is' if len(ids) == 1 else 'are'} {word}")
    sentence = f"As to the hypotheses declared beforehand, {_joined(outcomes)}"
    if {"supported", "refuted", "undecided"} & set(declared.values()):
        sentence += f"; the risk of any false alarm among them is held at {percent(comparison['alpha'])}"
    return f"{sentence}."


def _failures(comparison: Mapping[str, Any]) -> str:
    variants = comparison["variants"]
    runs = sum(summary["n"] for summary in variants.values())
    failed = {name: summary["failed"] for name, summary in variants.items() if summary["failed"]}
    if not failed:
        return f"All {runs} runs finished." if runs > 1 else "The one run finished."
    whose = ", ".join(f"{count} of {name}" for name, count in failed.items())
    total = sum(failed.values())
    return f"{total} of {runs} runs failed ({whose}); failed runs count as worse than any that finished."


def change(ratio: float) -> str:
    """A ratio in words: 0.8 is 20 % lower, 1.013 is 1.3 % higher."""
    size = 100 * abs(ratio - 1)
    return f"{size:.{0 if size >= 9.95 else 1}f}{PERCENT} {'lower' if ratio < 1 else 'higher'}"


def changes(low: float, high: float) -> str:
    """An interval of ratios in words, the smaller change first where both ends point the same way."""
    if high < 1:
        return f"{change(high).removesuffix(' lower')} to {change(low)}"
    return f"{change(low).removesuffix(' higher')} to {change(high)}"


def _listed(names: Sequence[str]) -> str:
    return _joined(names) if len(names) <= NAMED_AT_MOST else f"{len(names)} others"


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def contrast_label(contrast: Mapping[str, Any]) -> str:
    """`H1  variant / against`, without an id for a contrast that nobody declared."""
    pair = f"{contrast['variant']} / {contrast['against']}"
    return f"{contrast['id']}  {pair}" if contrast["declared"] else pair


def fixed(value: float | None, decimals: int) -> str:
    """`value` with so many decimals and a real minus sign; a dash for a missing one."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:z,.{decimals}f}".replace("-", "−")


def interval(bounds: Mapping[str, Any], decimals: int) -> str:
    """`low` and `high`; a dash where the sample is too small for them."""
    if bounds["low"] is None:
        return MISSING
    return f"{fixed(bounds['low'], decimals)} – {fixed(bounds['high'], decimals)}"


def percent(share: float) -> str:
    return f"{100 * share:g}{PERCENT}"


def p_value(p: float) -> str:
    """Four decimals, or that it is less than they can show."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would use."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def escape_markdown(value: object) -> str:
    """Text for any place in a Markdown document, table cells included: nothing in it is markup."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `section.key: value`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def embed(path: Path) -> str:
    """An image file as a data URI."""
    content = base64.b64encode(_existing(path).read_bytes()).decode()
    return f"data:{MEDIA_TYPES[path.suffix]};base64,{content}"


def _environment(
    autoescape: bool = False, finalize: Callable[[object], object] | None = None, **names: Any
) -> Environment:
    environment = Environment(
        loader=PackageLoader("gan"),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "fixed": fixed,
        "interval": interval,
        "percent": percent,
        "p_value": p_value,
        "duration": duration,
    }
    environment.globals |= names
    return environment


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise StudyError(f"{path} is missing: run `dvc repro` to make it")
    return path


def _json(path: Path) -> dict[str, Any]:
    return files.read_json(_existing(path))
