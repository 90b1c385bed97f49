"""The verdict on a terminal: ranking, contrasts and where the report is."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gan.errors import StudyError
from gan.files import read_json


def show(reports: Path) -> None:
    """Print what reports/comparison.json says; StudyError if there is none yet."""
    path = reports / "comparison.json"
    if not path.exists():
        raise StudyError(f"{path} is missing: run `make study` first")
    comparison = read_json(path)
    console = Console()
    console.print(_ranking(comparison))
    console.print(_verdicts(comparison))
    for untested in comparison["untested"]:
        console.print(f"{untested['id']} not tested: no data for {', '.join(untested['missing'])}", markup=False)
    console.print(f"Report: {reports / 'report.html'}", markup=False, soft_wrap=True)


def _ranking(comparison: dict) -> Table:
    metric = comparison["metric"].upper()
    table = Table("variant", *(f"{metric} (lower is better)", "interval", "seeds", "failed"), title="Ranking")
    for name in comparison["ranking"]:
        of = comparison["variants"][name]
        interval = f"{_number(of['low'])} – {_number(of['high'])}"
        table.add_row(name, _number(of["mean"]), interval, str(of["n"]), str(of["failed"]))
    return table


def _verdicts(comparison: dict) -> Table:
    table = Table("", "verdict", "why", title="Verdicts", show_lines=True)
    for contrast in comparison["contrasts"]:
        kind = contrast["id"] if contrast["declared"] else "explored"
        table.add_row(kind, contrast["verdict"], escape(f"{contrast['text']} {contrast['reason']}"))
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"
