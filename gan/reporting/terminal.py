"""The verdict on a terminal: the ranking, what was declared, the sources' claims, and where the report is."""

from pathlib import Path
from textwrap import shorten

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gan.errors import StudyError
from gan.formatting import MISSING, three_digits
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison
from gan.records.reading import read

CLAIM_WIDTH = 58  # characters of a claim that are shown


def show(reports: Path) -> None:
    """Print what reports/comparison.json says, and claims.json if it is there; StudyError without a comparison."""
    path, claims = reports / "comparison.json", reports / "claims.json"
    if not path.exists():
        raise StudyError(f"{path} is missing: run `make study` first")
    comparison = read(Comparison, path)
    console = Console()
    for data in comparison.data_sets:
        console.print(_ranking(comparison, data))
    console.print(_verdicts(comparison))
    for untested in comparison.untested:
        console.print(f"{untested.id} not tested: {untested.reason}", markup=False)
    if claims.exists():
        console.print(_claims(read(dict[str, ClaimEntry], claims)))
    console.print(f"Report: {reports / 'report.html'}", markup=False, soft_wrap=True)


def _ranking(comparison: Comparison, data: str) -> Table:
    """A data set's variants after the most epochs. Where no run survived, the mean of all scored is in brackets."""
    metric, standing = comparison.metric.upper(), comparison.standings_on(data)[0]
    columns = (f"{metric} (lower is better)", "interval", "seeds", "failed")
    place = f" on {data}" if len(comparison.data_sets) > 1 else ""
    table = Table("variant", *columns, title=f"Ranking{place} after {standing.epochs} epochs")
    for name in standing.ranking:
        summary = standing.variants[name]
        mean = _number(summary.mean)
        if summary.mean is None and summary.scored_mean is not None:
            mean = f"{MISSING} ({_number(summary.scored_mean)} with collapsed runs)"
        interval = MISSING if summary.low is None else f"{_number(summary.low)} – {_number(summary.high)}"
        table.add_row(name, mean, interval, str(summary.n), str(summary.failed))
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


def _number(value: float | None) -> str:
    return MISSING if value is None else three_digits(value)
