"""reports/claims.json and identities.json: what became of the sources' claims. The stage `claims` writes them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Numbers: TypeAlias = dict[str, float | int | str | bool | None]
Measure: TypeAlias = Literal["relative error", "share of logits"]


@dataclass(frozen=True, kw_only=True)
class ClaimEntry:
    """A claim as it was declared, the numbers that its test found, and the verdict by its rule with the reason.

    `figure` is the one of the report that shows it, if any.
    """

    kind: str
    text: str
    rule: str
    figure: str | None = None
    numbers: Numbers
    verdict: Literal["supported", "refuted", "undecided"]
    reason: str


@dataclass(frozen=True)
class Identity:
    """A statement of the sources, and whether it holds.

    `id` is the claim's. `error` is the largest relative error of what the statement equates, or the share of logits at
    which an inequality fails. A statement that does not hold refutes what it states; it is no fault of the code.
    """

    id: str
    key: str
    statement: str
    measure: Measure
    error: float
    tolerance: float
    holds: bool
