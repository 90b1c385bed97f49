"""The verdict on a terminal: the answer, the ranking, what was declared, the sources' claims; and the loss audit."""

from pathlib import Path
from textwrap import fill, shorten
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from gan.errors import StudyError
from gan.formatting import MISSING, score
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.reporting.headline import headline
from gan.reporting.results import Findings, withheld

CLAIM_WIDTH = 58  # characters of a claim that are shown
HEADLINE_WIDTH = 88  # characters of the answer on one line
REHEARSAL = (
    "The study in small, on other seeds than the declared ones. It shows how everything works and decides nothing: the "
    "numbers describe these runs alone. Verdicts need the declared seeds (`make study`)."
)


def show(reports: Path, rehearsal: bool = False) -> None:
    """Print the answer, what comparison.json says, and claims.json if it is there; StudyError without the records.

    Of a `rehearsal` no verdict is printed.
    """
    path, claims = reports / "comparison.json", reports / "claims.json"
    if not path.exists():
        raise StudyError(f"{path} is missing: run `make study` first")
    findings = Findings.read(reports, rehearsal)
    comparison = findings.comparison
    console = Console()
    if rehearsal:
        console.print(Panel(REHEARSAL, title="REHEARSAL", width=HEADLINE_WIDTH, style="bold"))
    console.print(fill(headline(findings), HEADLINE_WIDTH), "", sep="\n", markup=False, style="bold")
    for data in comparison.data_sets:
        console.print(_ranking(comparison, data))
    console.print(_verdicts(comparison))
    for untested in comparison.untested:
        console.print(f"{untested.id} not tested: {untested.reason}", markup=False)
    if claims.exists():
        entries = read(dict[str, ClaimEntry], claims)
        console.print(_claims(withheld(entries) if rehearsal else entries))
    console.print(f"Report: {reports / 'report.html'}", markup=False, soft_wrap=True)


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
