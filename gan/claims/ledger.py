"""Every claim of claims.yaml with what its test found."""

import math
from collections.abc import Mapping
from typing import Any

from gan.claims.evidence import Evidence, UntestedError
from gan.claims.finding import Finding
from gan.claims.rules import RULES
from gan.formatting import joined
from gan.records.claims import ClaimEntry
from gan.study.preregistration import Claim, claims


def ledger(evidence: Evidence) -> dict[str, ClaimEntry]:
    """Every claim's entry by its id: what was declared, numbers, verdict and reason."""
    declared = claims()
    entries = {}
    for name, claim in declared.items():
        try:
            finding = RULES[name](evidence, **claim.thresholds)
            reason = f"{finding.sentence} {_shared(claim, declared, evidence)}".strip()
        except UntestedError as missing:
            reason = f"Not tested: this study has no {missing}."
            finding = Finding("undecided", reason, {})
        entries[name] = ClaimEntry(
            kind=claim.kind,
            text=claim.text,
            rule=claim.stated,
            figure=claim.figure,
            numbers={key: _plain(value) for key, value in finding.numbers.items()},
            verdict=finding.verdict,
            reason=reason,
            shared_fact=claim.shared_fact,
        )
    return entries


def _shared(claim: Claim, declared: Mapping[str, Claim], evidence: Evidence) -> str:
    """What fact this claim rests on, and which others and declared hypotheses do; empty for one that shares none."""
    variant = claim.shared_fact
    if variant is None:
        return ""
    names = [name for name, each in declared.items() if each.shared_fact == variant]
    hypotheses = [
        contrast.id
        for contrast in evidence.comparison.contrasts
        if contrast.family == "declared" and variant in (contrast.variant, contrast.against)
    ]
    runs = evidence.runs(variant)
    counts = [f"{count} {state}" for state, count in runs["state"].value_counts().items()]
    return (
        f"{joined([*names, *hypotheses])} rest on one fact: of the {len(runs)} runs of {variant}, after "
        f"{runs['epoch'].iloc[0]} epochs, {joined(counts)}."
    )


def _plain(value: Any) -> float | int | str | bool | None:
    """JSON knows no NaN, no infinity and none of NumPy's numbers."""
    if isinstance(value, str | bool) or value is None:
        return value
    number = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None
