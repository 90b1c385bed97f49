"""Every claim of claims.yaml with what its test found."""

import math
from typing import Any

from gan.claims.evidence import Evidence, UntestedError
from gan.claims.rules import RULES, Finding
from gan.records.claims import ClaimEntry
from gan.study.preregistration import claims


def ledger(evidence: Evidence) -> dict[str, ClaimEntry]:
    """Every claim's entry by its id: what was declared, numbers, verdict and reason."""
    entries = {}
    for name, claim in claims().items():
        try:
            finding = RULES[name](evidence, **claim.thresholds)
        except UntestedError as missing:
            finding = Finding("undecided", f"Not tested: this study has no {missing}.", {})
        entries[name] = ClaimEntry(
            kind=claim.kind,
            text=claim.text,
            rule=claim.stated,
            figure=claim.figure,
            numbers={key: _plain(value) for key, value in finding.numbers.items()},
            verdict=finding.verdict,
            reason=finding.sentence,
        )
    return entries


def _plain(value: Any) -> float | int | str | bool | None:
    """JSON knows no NaN, no infinity and none of NumPy's numbers."""
    if isinstance(value, str | bool) or value is None:
        return value
    number = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None
