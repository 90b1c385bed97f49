"""reports/reproduced.json: the published results beside those of another run. `gan reproduced` writes it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gan.formatting import counted, joined

Outcome: TypeAlias = Literal[
    "bitwise equal", "equivalent", "undecided", "different", "another recipe", "missing", "not run again"
]
FAULTS: tuple[Outcome, ...] = ("different", "another recipe", "missing")


@dataclass(frozen=True)
class Machine:
    """What a study was trained on: the device's name with its cores, the arithmetic, the version of torch.

    Where variants were trained on several, a value names all.
    """

    name: str
    arithmetic: str
    torch: str


@dataclass(frozen=True)
class ReproducedVariant:
    """A variant's runs beside the published ones of the same seeds, after its last epoch.

    `n` counts pairs that have a score in both. `ratio` is that of the geometric means of the metric, here / published,
    with the interval that belongs to two one-sided tests, and `p` theirs; None for fewer than two pairs or if all are
    the same. `failed` counts the runs that failed here and there. `reason` says what the outcome rests on.
    """

    variant: str
    outcome: Outcome
    n: int
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    failed: int
    failed_published: int
    reason: str


@dataclass(frozen=True)
class ReproducedTable:
    """A table of a designed experiment: how many of its published rows are bitwise the same here.

    `run_again` tells whether its trials were trained again; if not, the rows are the published ones.
    """

    table: str
    rows: int
    equal: int
    run_again: bool


@dataclass(frozen=True)
class ReproducedVerdict:
    """A declared verdict; None where one of the two has none of that id.

    `run_again` tells whether all that it rests on was; else it is the same as the published one because its runs are.
    """

    id: str
    published: str | None
    here: str | None
    run_again: bool

    @property
    def same(self) -> bool:
        return self.published == self.here


@dataclass(frozen=True)
class Reproduction:
    """A study that was run again, beside the published one.

    `published` names that: a revision of git or a folder. `same_rules` tells whether both have one preregistration.
    The study is `reproduced` if every variant was run again, none is different, missing or of another recipe, and all
    verdicts are the same.
    """

    published: str
    published_on: Machine
    here_on: Machine
    same_rules: bool
    margin: float
    variants: list[ReproducedVariant]
    tables: list[ReproducedTable]
    verdicts: list[ReproducedVerdict]
    reproduced: bool

    def having(self, *outcomes: Outcome) -> list[str]:
        """The variants with one of these outcomes."""
        return [each.variant for each in self.variants if each.outcome in outcomes]

    @property
    def run_again(self) -> bool:
        """Whether anything was: without it the files are the published ones, and equal to themselves."""
        return len(self.having("not run again", "missing")) < len(self.variants)


def sentence(record: Reproduction) -> str:
    """The outcome for a reader of the report: where, how many variants, how many verdicts, and what differs."""
    if not record.run_again:
        return "The results here are the published ones: nothing was run again."
    variants = len(record.variants)
    equal, close = len(record.having("bitwise equal")), len(record.having("equivalent"))
    counts = [f"{equal} to the last bit"] * (equal > 0)
    counts += [f"{close} within {100 * (record.margin - 1):.3g} %"] * (close > 0)
    for outcome in ("undecided", "not run again"):
        if names := record.having(outcome):
            counts.append(f"{len(names)} {outcome}")
    counts += [f"{each.variant} {each.outcome}" for each in record.variants if each.outcome in FAULTS]
    changed = [
        f"{each.id} is {each.here or 'without a verdict'} instead of {each.published or 'without one'}"
        for each in record.verdicts
        if not each.same
    ]
    same = len(record.verdicts) - len(changed)
    if changed:
        verdicts = f"{same} of {len(record.verdicts)} verdicts are the same; {joined(changed)}"
    else:
        kinds = {0: "there is no verdict to compare", 1: "the verdict is the same"}
        verdicts = kinds.get(same, f"all {same} verdicts are the same")
    if kept := [each.id for each in record.verdicts if not each.run_again]:
        verdicts += f" ({joined(kept)} without new runs)"
    partly = not changed and not record.having(*FAULTS)
    word = "Reproduced" if record.reproduced else "Reproduced in part" if partly else "Not reproduced"
    rules = "" if record.same_rules else " The two were run under different rules."
    return f"{word} on {record.here_on.name}: of {counted(variants, 'variant')} {joined(counts)}; {verdicts}.{rules}"
