"""What the report shows of the audit: sentences, related pairs, and the losses as groups of equals."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan import formatting
from gan.reporting.results import Results

# From the strongest kind of a relation to the weakest that is still one.
RELATED = ("same", "numerics", "size")


def audit_tables(results: Results) -> dict[str, Any]:
    """What tables and lists show of the audit, without the omitted variants.

    `departures` are sentences by losses. `twins` are groups of variants whose losses have the same name, too. `related`
    has the pairs of other losses that are not simply different, each once, and `groups` the variants as `equals`.
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
    firsts = {group[0] for group in alike.values()}
    return {
        "departures": departures,
        "twins": [group for group in alike.values() if len(group) > 1],
        "related": [
            {**pair, "losses": (losses[pair["first"]], losses[pair["second"]])}
            for pair in audit["pairs"]
            if {pair["first"], pair["second"]} <= firsts
        ],
        "groups": equals(names, audit["pairs"]),
    }


def equals(names: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> list[list[list[list[str]]]]:
    """The variants as groups in groups in groups: one direction, one mathematics, one arithmetic.

    Innermost are variants whose losses are the same; those that only rounding sets apart share the next group, and
    those whose gradients point the same way at another size the outermost. `pairs` has the kind of each pair. A variant
    joins a group if it is so related to all that the group has, so that every two of a group are what it says.
    """
    kinds = {frozenset((pair["first"], pair["second"])): pair["kind"] for pair in pairs}

    def grouped(members: Sequence[str], level: int) -> list[list[str]]:
        groups: list[list[str]] = []
        for name in members:
            for group in groups:
                if all(kinds.get(frozenset((name, other))) in RELATED[: level + 1] for other in group):
                    group.append(name)
                    break
            else:
                groups.append([name])
        return groups

    return [[grouped(middle, 0) for middle in grouped(outer, 1)] for outer in grouped(names, 2)]
