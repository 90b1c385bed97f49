"""Results on a terminal: the whole verdict, the answer about one variant, a study that was run again, an audit."""

import json
from dataclasses import asdict
from pathlib import Path
from textwrap import fill, shorten
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from gan.errors import StudyError
from gan.formatting import MISSING, counted, interval, joined, score, unknown
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison, Contrast, Summary
from gan.records.reading import read
from gan.records.robustness import Learning, TunedContrast, Wins
from gan.reporting.headline import headline
from gan.reporting.results import Findings, measured, withheld
from gan.reproduction.record import Machine, Reproduction, sentence

CLAIM_WIDTH = 58  # characters of a claim that are shown
HEADLINE_WIDTH = 88  # characters of the answer on one line
REHEARSAL = (
    "The study in small, on other seeds than the declared ones. It shows how everything works and decides nothing: the "
    "numbers describe these runs alone. Verdicts need the declared seeds (`make study`)."
)


# What a contrast's verdict says of its first variant beside the second.
SAID = {
    ("superiority", "supported"): "{variant} is better than {against}",
    ("superiority", "refuted"): "{variant} is worse than {against}",
    ("superiority", "undecided"): "{variant} against {against}: undecided",
    ("equivalence", "supported"): "{variant} and {against} are equivalent",
    ("equivalence", "equivalent"): "{variant} and {against} are equivalent",
    ("equivalence", "detected, within the margin"): "{variant} and {against} differ, within the margin",
    ("equivalence", "refuted"): "{variant} and {against} are not equivalent",
    ("equivalence", "different"): "{variant} and {against} are different",
    ("equivalence", "undecided"): "whether {variant} and {against} are equivalent: undecided",
}


def show(reports: Path, rehearsal: bool = False) -> None:
    """Print the answer, what comparison.json says, and claims.json if it is there; StudyError without the records.

    Of a `rehearsal` no verdict is printed.
    """
    findings, claims = _findings(reports, rehearsal), reports / "claims.json"
    comparison = findings.comparison
    console = Console()
    if rehearsal:
        console.print(Panel(REHEARSAL, title="REHEARSAL", width=min(HEADLINE_WIDTH, console.width), style="bold"))
    _paragraph(console, headline(findings))
    console.print()
    for data in comparison.data_sets:
        console.print(_ranking(comparison, data))
    console.print(_verdicts(comparison))
    for untested in comparison.untested:
        console.print(f"{untested.id} not tested: {untested.reason}", markup=False)
    if entries := _entries(claims, rehearsal):
        console.print(_claims(entries))
    console.print(f"Report: {reports / 'report.html'}", markup=False, soft_wrap=True)


def _paragraph(console: Console, text: str, style: str | None = "bold") -> None:
    """Print text in lines that fit; the console itself would part a number from its unit."""
    lines = fill(text, min(HEADLINE_WIDTH, console.width))
    console.print(lines, markup=False, highlight=False, soft_wrap=True, style=style)


def verdict_json(reports: Path, rehearsal: bool = False) -> dict[str, Any]:
    """The answer, the declared verdicts, those of the search and on the claims, for other programs.

    A `rehearsal` has no verdicts.
    """
    findings, claims = _findings(reports, rehearsal), reports / "claims.json"
    comparison, pair = findings.comparison, findings.pair
    search: dict[str, Wins | Learning | TunedContrast]
    search = {"S1": pair.wins, "S2": pair.learning, "S3": pair.tuned} if pair else {}
    return {
        "answer": headline(findings),
        "contrasts": [asdict(each) for each in comparison.contrasts if each.family != "exploratory"],
        "untested": [asdict(each) for each in comparison.untested],
        "search": {name: asdict(each) for name, each in search.items()},
        "claims": {name: each.verdict for name, each in _entries(claims, rehearsal).items()},
    }


def print_json(value: Any) -> None:
    """Print a record as JSON and nothing else; dataclasses become objects."""
    print(json.dumps(value, indent=2, default=asdict))


def _entries(path: Path, rehearsal: bool) -> dict[str, ClaimEntry]:
    """The claims of claims.json; none if it is not there."""
    entries = read(dict[str, ClaimEntry], path) if path.exists() else {}
    return withheld(entries) if rehearsal else entries


def _findings(reports: Path, rehearsal: bool) -> Findings:
    path = reports / "comparison.json"
    if not path.exists():
        raise StudyError(f"{path} is missing: run `make study` first")
    return Findings.read(reports, rehearsal)


def show_variant(reports: Path, name: str, reference: str) -> None:
    """Print the answer about one variant: beside the reference, whether it learns and when, its place.

    Raises:
        StudyError: comparison.json is missing, or has no such variant.
    """
    path = reports / "comparison.json"
    if not path.exists():
        raise StudyError(f"{path} is missing: run `make study` first")
    comparison, console = read(Comparison, path), Console()
    for place, line in enumerate(variant_lines(comparison, name, reference)):
        _paragraph(console, line, "bold" if not place else None)
    console.print()


def variant_lines(comparison: Comparison, name: str, reference: str) -> list[str]:
    """What `show_variant` prints, the answer first."""
    standings = [standing for standing in comparison.standings if name in standing.variants]
    if not standings:
        known = list(dict.fromkeys(each for standing in comparison.standings for each in standing.variants))
        raise StudyError(f"the comparison has no variant {unknown(name, known)}")
    contrasts = [each for each in comparison.contrasts if name in (each.variant, each.against)]
    contrasts.sort(key=lambda each: {each.variant, each.against} != {name, reference})
    answers = [line for each in contrasts[:1] for line in _answer(each, comparison)]
    if not contrasts and name == reference:
        answers = [f"{name} is the reference that the others are compared with."]
    elif not contrasts:
        answers = [f"{name} is not compared with {reference}: it is on other data, or they share no scored epoch."]
    last = standings[0]
    learning = [
        f"{row.learnt} of {row.n} after {counted(standing.epochs, 'epoch')}{_failed(row)}"
        for standing in reversed(standings)
        for row in [standing.variants[name]]
    ]
    final = last.variants[name]
    kinds = {final.n: "learns in every run", 0: "has not learnt in any run"}
    kind = kinds.get(final.learnt, "learns in some runs")
    mean = score(final.mean if final.mean is not None else final.scored_mean)
    return [
        *answers,
        f"{name} {kind}: {joined(learning)}.",
        f"{comparison.metric.upper()} {mean} after {counted(last.epochs, 'epoch')} on {last.data}: place "
        f"{last.place(name)} of {len(last.ranking)}.",
        *(f"{each.id}: {each.verdict}. {each.reason}" for each in contrasts[1:]),
    ]


def _failed(row: Summary) -> str:
    return f" ({row.failed} failed)" if row.failed else ""


def _answer(contrast: Contrast, comparison: Comparison) -> list[str]:
    """The verdict with the ratio, then its reason."""
    names = {"variant": contrast.variant, "against": contrast.against}
    said = SAID.get((contrast.kind, contrast.verdict), "{variant} against {against}: too few runs for a verdict")
    ratio, level = measured(contrast), 100 * (1 - comparison.alpha)
    ends = interval(ratio.low, ratio.high, 2)
    numbers = "" if ratio.ratio is None else f": ratio {ratio.ratio:.2f} ({level:g} % interval {ends})"
    family = "" if contrast.family == "exploratory" else f" [{contrast.id}, {contrast.verdict}]"
    return [f"{said.format(**names)}{numbers}, after {counted(contrast.epoch, 'epoch')}{family}.", contrast.reason]


def show_reproduction(record: Reproduction) -> None:
    """Print what became of the published results: the sentence, then every variant and verdict."""
    console = Console()
    _paragraph(console, sentence(record))
    console.print()
    console.print(f"Published: {record.published}, on {_machine(record.published_on)}", markup=False)
    console.print(f"Here: on {_machine(record.here_on)}", "", sep="\n", markup=False)
    table = Table("variant", "outcome", "ratio", "interval", "pairs", "why", title="Scores here / published")
    for each in record.variants:
        ratio = MISSING if each.ratio is None else f"{each.ratio:.3f}"
        row = (each.variant, each.outcome, ratio, interval(each.low, each.high, 3), str(each.n), escape(each.reason))
        table.add_row(*row)
    console.print(table)
    for rows in record.tables:
        kept = "" if rows.run_again else ", because they were not run again"
        console.print(
            f"{rows.table}: {rows.equal} of {rows.rows} rows are the same to the last bit{kept}", markup=False
        )
    verdicts = Table("", "published", "here", "run again", title="Declared verdicts")
    for verdict in record.verdicts:
        verdicts.add_row(
            verdict.id, verdict.published or MISSING, verdict.here or MISSING, "yes" if verdict.run_again else "no"
        )
    console.print(verdicts)


def _machine(machine: Machine) -> str:
    return f"{machine.name} ({machine.arithmetic}; torch {machine.torch})"


def _ranking(comparison: Comparison, data: str) -> Table:
    """A data set's variants after the most epochs. Where no run survived, the mean of all scored is in brackets."""
    metric, standing = comparison.metric.upper(), comparison.standings_on(data)[0]
    columns = (f"{metric} (lower is better)", "interval", "seeds", "failed")
    place = f" on {data}" if len(comparison.data_sets) > 1 else ""
    table = Table("place", "variant", *columns, title=f"Ranking{place} after {standing.epochs} epochs")
    for name in standing.ranking:
        summary = standing.variants[name]
        mean = score(summary.mean)
        if summary.mean is None and summary.scored_mean is not None:
            mean = f"{MISSING} ({score(summary.scored_mean)} with failed runs)"
        interval = MISSING if summary.low is None else f"{score(summary.low)} – {score(summary.high)}"
        table.add_row(standing.place(name), name, mean, interval, str(summary.n), str(summary.failed))
    return table


def _verdicts(comparison: Comparison) -> Table:
    table = Table("", "verdict", "why", title="Declared hypotheses and controls", show_lines=True)
    for contrast in comparison.contrasts:
        if contrast.family != "exploratory":
            why = escape(f"{contrast.text} {contrast.reason}")
            table.add_row(contrast.id, contrast.verdict, why)
    return table


def _claims(claims: dict[str, ClaimEntry]) -> Table:
    table = Table("", "verdict", "claim", title="The sources' claims")
    for name, claim in claims.items():
        table.add_row(name, claim.verdict, escape(shorten(claim.text, CLAIM_WIDTH, placeholder=" …")))
    return table


def show_audit(record: dict[str, Any]) -> None:
    """Print an audit's record."""
    console = Console()
    for table in (_equations(record), _penalties(record), _numerics(record), _matrix(record), _audited_pairs(record)):
        console.print(table)


def _equations(record: dict[str, Any]) -> Table:
    table = Table("objective", "generator", "discriminator", "is it?", title="The equation of each label")
    for entry in record["equations"]:
        cells = [entry[player] or "no equation on record" for player in ("generator", "discriminator")]
        table.add_row(entry["objective"], *map(escape, cells), _outcome(entry))
    return table


def _penalties(record: dict[str, Any]) -> Table:
    table = Table("term", "of D(x) = w·x", "is it?", title="Penalties are per sample")
    for entry in record["penalties"]:
        table.add_row(entry["term"], entry["linear"] or "no closed form on record", _outcome(entry))
    return table


def _outcome(entry: dict[str, Any]) -> str:
    if entry["holds"] is None:
        return "–"
    if not entry["holds"]:
        return escape("NO: " + "; ".join(entry["faults"]))
    return f"yes, to {entry['error']:.0e}" if entry["error"] else "yes, exactly"


def _numerics(record: dict[str, Any]) -> Table:
    table = Table("losses", "float32, at |logit| up to 40", title="Numerics", show_lines=True)
    for entry in record["numerics"]:
        table.add_row(escape("; ".join(entry["losses"])), escape(entry["text"]))
    return table


def _matrix(record: dict[str, Any]) -> Table:
    """Every pair's verdict as a sign."""
    names, kinds = list(record["variants"]), record["kinds"]
    related = {frozenset((pair["first"], pair["second"])): pair["kind"] for pair in record["pairs"]}
    legend = ", ".join(f"{kind['sign']} {kind['words'].split(' from')[0]}" for kind in kinds.values())
    numbers = (str(number) for number in range(1, len(names) + 1))
    table = Table("", *numbers, title="Every pair", caption=legend, padding=0)
    for number, name in enumerate(names, 1):
        others = [related.get(frozenset((name, other)), "different") for other in names[: number - 1]]
        table.add_row(f"{number} {name}", *(kinds[kind]["sign"] for kind in others))
    return table


def _audited_pairs(record: dict[str, Any]) -> Table:
    table = Table("pair", "verdict", "why", title="Pairs that are not simply different", show_lines=True)
    for pair in record["pairs"]:
        table.add_row(f"{pair['first']}, {pair['second']}", pair["verdict"], escape(pair["reason"]))
    return table
