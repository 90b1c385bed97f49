"""The loss audit on a terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(record: dict[str, Any]) -> None:
    """Print an audit's record."""
    console = Console()
    for table in (_equations(record), _penalties(record), _numerics(record), _matrix(record), _pairs(record)):
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


def _pairs(record: dict[str, Any]) -> Table:
    table = Table("pair", "verdict", "why", title="Pairs that are not simply different", show_lines=True)
    for pair in record["pairs"]:
        table.add_row(f"{pair['first']}, {pair['second']}", pair["verdict"], escape(pair["reason"]))
    return table
