"""reports/claims.json and identities.json: what became of the sources' claims. The stage `claims` writes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Numbers: TypeAlias = dict[str, float | int | str | bool | None]
Measure: TypeAlias = Literal["relative error", "share of logits"]
Verdict: TypeAlias = Literal["supported", "refuted", "undecided"]
Kind: TypeAlias = Literal["identity", "mechanism", "outcome"]


@dataclass(frozen=True, kw_only=True)
class ClaimEntry:
    """A claim as it was declared, the numbers that its test found, and the verdict by its rule with the reason.

    An `identity` is decided by algebra or autograd before anything is trained; a `mechanism` is measured inside
    training, and an `outcome` on what was trained. `figure` is the one of the report that shows the claim, if any.
    `shared_fact` names the variant whose learning, one fact, also decides other claims.
    """

    kind: Kind
    text: str
    rule: str
    figure: str | None = None
    numbers: Numbers
    verdict: Verdict
    reason: str
    shared_fact: str | None = None

    @property
    def measured(self) -> bool:
        """Whether it took a training to decide it."""
        return self.kind != "identity"


@dataclass(frozen=True)
class Tally:
    """How many claims there are, and how many of them have each verdict."""

    claims: int
    supported: int
    refuted: int
    undecided: int


def tally(entries: Iterable[ClaimEntry], *, measured: bool) -> Tally:
    """The verdicts on the measured claims, or on the identities."""
    verdicts = [entry.verdict for entry in entries if entry.measured == measured]
    return Tally(len(verdicts), *(verdicts.count(word) for word in get_args(Verdict)))


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
