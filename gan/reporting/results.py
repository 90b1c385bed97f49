"""All that the report is made from: the study, and what its stages left in `reports/` and `models/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import pandas as pd

from gan.compute.tables import read_tables, states
from gan.errors import StudyError
from gan.files import read_json
from gan.formatting import counted, interval, score
from gan.records.claims import ClaimEntry, Identity
from gan.records.comparison import Comparison, Contrast, Ratio, Retest, Summary
from gan.records.mechanism import Mechanism
from gan.records.memory import Memory
from gan.records.reading import read
from gan.records.robustness import History, LadderRecord, PairedSearch, Scope, SearchRecord
from gan.records.simulation import Simulation
from gan.records.specifications import SpecificationCurve
from gan.records.toys import Toys
from gan.records.training import Training
from gan.reproduction.record import Reproduction
from gan.study.schema import Study

HISTORY = (
    "discriminator_loss",
    "generator_loss",
    "real_probability",
    "fake_probability",
    "generator_gradient_norm",
)
DRAWN_AT_MOST = 40  # variants; nobody reads more panels than these
NOT_DECIDED = "not decided here"  # in place of every verdict of a rehearsal
Record = TypeVar("Record")


@dataclass(frozen=True)
class Findings:
    """The records that the answer is made from; `recipes` has the settings of each compared variant."""

    comparison: Comparison
    ladder: LadderRecord
    search: SearchRecord
    scope: Scope
    recipes: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, reports: Path, rehearsal: bool = False) -> Self:
        """Read them below `reports`, those of a rehearsal without verdicts; StudyError if a file is missing."""
        comparison = read(Comparison, existing(reports / "comparison.json"))
        paths = {name: existing(reports / "training" / f"{name}.json") for name in last_summaries(comparison)}
        findings = cls(
            comparison,
            read(LadderRecord, existing(reports / "ladder.json")),
            read(SearchRecord, existing(reports / "search.json")),
            read(Scope, existing(reports / "scope.json")),
            {name: read(Training, path).parameters for name, path in paths.items()},
        )
        return withheld(findings) if rehearsal else findings

    @property
    def contrast(self) -> Contrast | None:
        """The declared contrast of the scope's two objectives on the printed recipe, if there is one."""
        pair = (self.scope.variant, self.scope.against)
        for each in self.comparison.contrasts:
            objectives = tuple(self.recipes[name]["objective"] for name in (each.variant, each.against))
            if each.family == "declared" and objectives == pair:
                return each
        return None

    @property
    def pair(self) -> PairedSearch | None:
        """The search's contrast of the scope's two objectives, if there is one."""
        both = (self.scope.variant, self.scope.against)
        return next((each for each in self.search.pairs if (each.variant, each.against) == both), None)


@dataclass(frozen=True, eq=False)
class Results:
    """A study and its results, of its variants and no others, in their order.

    `metrics` has a row per run and scored epoch, with a column `state`. `snapshots` and `history` have a row per
    run and epoch, with a column `failed`: whether the run diverged, then or later. `training` has a record per variant,
    `floor` and `classifiers` have one per data set.
    """

    study: Study
    comparison: Comparison
    ladder: LadderRecord
    search: SearchRecord
    scope: Scope
    toys: Toys
    memory: Memory
    specifications: SpecificationCurve
    past: History
    claims: dict[str, ClaimEntry]
    identities: list[Identity]
    audit: dict[str, Any]
    mechanism: Mechanism
    simulation: Simulation
    floor: dict[str, dict[str, Any]]
    benchmark: dict[str, dict[str, Any]]
    classifiers: dict[str, dict[str, Any]]
    training: dict[str, Training]
    metrics: pd.DataFrame
    snapshots: pd.DataFrame
    history: pd.DataFrame
    reproduction: Reproduction | None

    @classmethod
    def read(cls, study: Study, root: Path) -> Self:
        """Read `reports/` and `models/` below `root`; if the study is a rehearsal, without verdicts.

        Raises:
            StudyError: a file is missing, or the comparison was made for other variants.
        """
        reports = root / "reports"
        for name in study.variants:
            existing(reports / "samples" / f"{name}.png")
        comparison = read(Comparison, existing(reports / "comparison.json"))
        compared = list(last_summaries(comparison))
        if set(compared) != set(study.compared):
            raise StudyError(
                f"{reports / 'comparison.json'} compares {', '.join(compared)}, but the study's variants are "
                f"{', '.join(study.compared)}: run `dvc repro` to compare these"
            )
        metrics, snapshots, history = (_tables(reports / name, study) for name in ("metrics", "snapshots", "history"))
        diverged = metrics["status"].eq("failed").groupby([metrics["variant"], metrics["seed"]]).any()
        failed = diverged.rename("failed").reset_index()
        if history.empty:  # then its columns are missing too
            history = history.reindex(columns=list(dict.fromkeys([*history.columns, *HISTORY])))
        records = ("audit", "floor", "benchmark")
        shown = withheld if study.rehearsal else lambda record: record
        return cls(
            study=study,
            comparison=shown(comparison),
            ladder=read(LadderRecord, existing(reports / "ladder.json")),
            search=shown(read(SearchRecord, existing(reports / "search.json"))),
            scope=shown(read(Scope, existing(reports / "scope.json"))),
            toys=read(Toys, existing(reports / "toys.json")),
            memory=read(Memory, existing(reports / "memory.json")),
            specifications=read(SpecificationCurve, existing(reports / "specifications.json")),
            past=read(History, existing(reports / "history.json")),
            claims=shown(read(dict[str, ClaimEntry], existing(reports / "claims.json"))),
            mechanism=read(Mechanism, existing(reports / "mechanism.json")),
            simulation=read(Simulation, existing(reports / "simulation.json")),
            identities=read(list[Identity], existing(reports / "identities.json")),
            **{name: _json(reports / f"{name}.json") for name in records},
            classifiers={name: _json(root / "models" / name / "classifiers.json") for name in study.data_sets},
            training={name: read(Training, existing(reports / "training" / f"{name}.json")) for name in study.variants},
            metrics=metrics.assign(state=states(metrics, comparison.learnt)),
            snapshots=snapshots.merge(failed, how="left"),
            history=history.merge(failed, how="left"),
            # `gan reproduced` makes it, and no stage.
            reproduction=read(Reproduction, path) if (path := reports / "reproduced.json").exists() else None,
        )

    @cached_property
    def findings(self) -> Findings:
        """What the headline is made from."""
        recipes = {name: record.parameters for name, record in self.training.items()}
        return Findings(self.comparison, self.ladder, self.search, self.scope, recipes)

    @cached_property
    def omitted(self) -> set[str]:
        """Where there are very many variants: those that only tables show, neither named in `compare` nor leading."""
        compare, variants = self.study.compare, self.study.variants
        order = dict.fromkeys([*compare.named, compare.reference, *last_summaries(self.comparison), *variants])
        return set(variants).difference([*order][:DRAWN_AT_MOST], compare.named)

    @cached_property
    def followed(self) -> list[str]:
        """The variants whose training is drawn.

        On each data set: those of hypotheses and controls, or without any there all compared ones.
        """
        named = self.study.compare.named
        return [
            name
            for data in self.study.data_sets
            for name in [each for each in self.compared_on(data) if each in named] or self.drawn(self.compared_on(data))
        ]

    def compared_on(self, data: str) -> list[str]:
        """The compared variants on one data set."""
        return [name for name in self.study.compared if self.study.variants[name].data == data]

    def drawn(self, variants: Sequence[str]) -> list[str]:
        """Those of `variants` that figures show."""
        return [name for name in variants if name not in self.omitted]

    @cached_property
    def late_runs(self) -> dict[str, int]:
        """How many runs of a variant were trained under another preregistration than the comparison's, if any were."""
        preregistration = self.comparison.preregistration
        counts = {
            name: sum(run.preregistration != preregistration for run in record.runs)
            for name, record in self.training.items()
        }
        return {name: count for name, count in counts.items() if count and preregistration}

    @cached_property
    def plain_losses(self) -> list[str]:
        """The variants' adversarial losses as their sources write them: neither scaled nor with softened labels."""
        objectives = {entry["objective"] for entry in self.audit["equations"]}
        names = dict.fromkeys(variant["adversarial_losses"] for variant in self.audit["variants"].values())
        return [name for name in names if name in objectives] or list(names)


def withheld(record: Record) -> Record:
    """A rehearsal's record, with `NOT_DECIDED` in place of every verdict in it, at any depth; its numbers stay.

    A verdict needs the declared seeds, and a rehearsal has others. The reason beside a verdict becomes a description of
    these runs. Identities keep theirs: algebra decides them, whatever the seeds.
    """
    if isinstance(record, dict):
        return cast(Record, {key: withheld(value) for key, value in record.items()})
    if isinstance(record, list):
        return cast(Record, [withheld(value) for value in record])
    if not is_dataclass(record) or isinstance(record, type) or (isinstance(record, ClaimEntry) and not record.measured):
        return record
    parts: dict[str, Any] = {field.name: withheld(getattr(record, field.name)) for field in fields(record)}
    if "verdict" in parts:
        parts["verdict"] = NOT_DECIDED
    if isinstance(record, Contrast):
        parts["reason"] = _described(record)
    elif isinstance(record, ClaimEntry):
        parts["reason"] = f"Seen in these runs, which decide nothing: {record.reason}"
    return cast(Record, replace(record, **parts))


def _described(contrast: Contrast) -> str:
    """What a rehearsal saw of a contrast: `It needs the declared seeds. Seen here: ratio 0.5 (0.4 – 0.6), ...`."""
    shown, n, failed = measured(contrast), contrast.n, contrast.failures
    seen = "no ratio, as no run has a score"
    if shown.ratio is not None:
        seen = f"{contrast.variant} / {contrast.against} is {score(shown.ratio)}"
        seen += f" ({interval(shown.low, shown.high, 2)})" if shown.low is not None else ""
    return (
        f"It needs the declared seeds. Seen here: {seen}; {failed.variant} of {counted(n.variant, 'run')} "
        f"of {contrast.variant} failed, {failed.against} of {n.against} of {contrast.against}."
    )


def last_summaries(comparison: Comparison) -> dict[str, tuple[int, Summary]]:
    """Every compared variant's last scored epoch and its summary there."""
    summaries: dict[str, tuple[int, Summary]] = {}
    for standing in comparison.standings:
        for name in standing.ranking:
            summaries.setdefault(name, (standing.epochs, standing.variants[name]))
    return summaries


def suffix(data: str, data_sets: Sequence[str]) -> str:
    """What follows a figure's name if it is one of several: nothing for the first of the data sets."""
    return "" if data == data_sets[0] else f"-{data}"


def measured(contrast: Contrast | Retest) -> Contrast | Retest | Ratio:
    """What has a contrast's `ratio`, `low` and `high`: the contrast itself, of runs that survived.

    Where no runs are left to compare, it is the contrast's `scored_ratio`, of all runs, failed ones included.
    """
    return contrast if contrast.ratio is not None else contrast.scored_ratio


def existing(path: Path) -> Path:
    """`path`; StudyError if no file is there."""
    if not path.is_file():
        raise StudyError(f"{path} is missing: run `dvc repro` to make it")
    return path


def _json(path: Path) -> Any:
    return read_json(existing(path))


def _tables(folder: Path, study: Study) -> pd.DataFrame:
    for name in study.variants:
        existing(folder / f"{name}.csv")
    return read_tables(folder, study.variants)
