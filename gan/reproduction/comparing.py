"""Two folders of reports, the published one and that of a study that was run again: variant by variant, then verdicts.

One kind of processor and one version of torch give the same bits. On another one, runs of the same seed come out
differently, and the question is whether their scores agree within the margin of equivalence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gan.compute.tables import read_table
from gan.errors import StudyError
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.records.robustness import SearchRecord
from gan.records.training import Provenance, Training
from gan.reproduction.bits import Bits, compare_tables
from gan.reproduction.record import (
    FAULTS,
    Machine,
    Outcome,
    ReproducedTable,
    ReproducedVariant,
    ReproducedVerdict,
    Reproduction,
)
from gan.stats.inference import discordance_test, equivalence_test, mean_estimate
from gan.stats.scores import Runs, failed_alone, on_shared_seeds, read_scores, survivors_log_differences

# The tables of designed experiments, and what names a row in each.
TABLES = {
    "ladder.csv": ("rung", "objective", "seed"),
    "search/*.csv": ("configuration", "seed"),
    "finals/*.csv": ("role", "configuration", "seed"),
}


def compare_studies(published: Path, here: Path, name: str) -> Reproduction:
    """Compare the reports in `here` with those in `published`, which the record calls `name`.

    The margin of equivalence, alpha and the rule of a failed run are those of the published study.

    Raises:
        StudyError: the published folder has no results, or a file of the two is damaged.
    """
    if not (published / "comparison.json").exists():
        raise StudyError(f"{name} has no comparison.json: it has no published results to compare with")
    rules = read(Comparison, published / "comparison.json")
    variants = sorted(path.stem for path in (published / "training").glob("*.json"))
    compared = [_variant(each, published, here, rules) for each in variants]
    tables = list(_tables(published, here))
    verdicts = _verdicts(published, here, compared, tables)
    return Reproduction(
        published=name,
        published_on=_machine(published, variants),
        here_on=_machine(here, variants),
        same_rules=_preregistration(here) == rules.preregistration,
        margin=rules.margin,
        variants=compared,
        tables=tables,
        verdicts=verdicts,
        reproduced=not any(each.outcome in (*FAULTS, "not run again") for each in compared)
        and all(each.same for each in verdicts),
    )


def _variant(variant: str, published: Path, here: Path, rules: Comparison) -> ReproducedVariant:
    paths = {folder: here / folder / f"{variant}.{end}" for folder, end in (("training", "json"), ("metrics", "csv"))}
    paths["history"] = here / f"history/{variant}.csv"
    if missing := [path for path in paths.values() if not path.exists()]:
        lacking = f"{missing[0].parent.name}/{missing[0].name} is missing here"
        return ReproducedVariant(variant, "missing", 0, None, None, None, None, 0, 0, lacking)
    was, now = (read(Training, folder / f"training/{variant}.json") for folder in (published, here))
    bits = _bits(variant, published, here)
    old, new = (_last_runs(folder, variant, rules) for folder in (published, here))
    outcome, reason = _outcome(was, now, bits, old, new)
    old, new = on_shared_seeds(old, new)
    logs = survivors_log_differences(new.scored, old.scored)
    tested = outcome is None
    ratio = mean_estimate(logs, 1 - 2 * rules.alpha).exp()
    p = equivalence_test(logs, rules.margin)
    if outcome is None:
        outcome, reason = _judged(new, old, ratio.low, ratio.high, p, rules)
        reason = f"{reason}; {bits['history'].difference or bits['metrics'].difference}"
    known = len(logs) > 1
    return ReproducedVariant(
        variant=variant,
        outcome=outcome,
        n=len(logs),
        ratio=ratio.value if known else None,
        low=ratio.low if known else None,
        high=ratio.high if known else None,
        p=p if known and tested else None,
        failed=int(new.failed.sum()),
        failed_published=int(old.failed.sum()),
        reason=reason,
    )


def _bits(variant: str, published: Path, here: Path) -> dict[str, Bits]:
    places = {"history": ("seed", "epoch"), "metrics": ("seed", "epoch")}
    return {
        folder: compare_tables(published / folder / f"{variant}.csv", here / folder / f"{variant}.csv", index)
        for folder, index in places.items()
    }


def _outcome(was: Training, now: Training, bits: dict[str, Bits], old: Runs, new: Runs) -> tuple[Outcome | None, str]:
    """What needs no test; None if only a test can tell."""
    seeds = [run.seed for run in was.runs]
    lost = sorted(set(seeds).difference(run.seed for run in now.runs)) or sorted(set(old.seeds) - set(new.seeds))
    recipe = ("parameters", {key: value for key, value in was.parameters.items() if key != "seeds"})
    others = ("parameters", {key: value for key, value in now.parameters.items() if key != "seeds"})
    if recipe != others:
        changed = sorted(key for key in recipe[1] | others[1] if recipe[1].get(key) != others[1].get(key))
        return "another recipe", f"its parameters differ: {', '.join(changed)}"
    if was.checksums.data != now.checksums.data:
        return "another recipe", "it was trained on other images"
    if lost:
        return "missing", f"seed {lost[0]} is missing here" + (f", and {len(lost) - 1} more" if lost[1:] else "")
    if swapped := _swapped(was, now):
        return "different", swapped
    same = all(each.same for each in bits.values())
    # A run's time is measured to the nanosecond: training again would change it.
    times = {run.seed: run.seconds for run in now.runs}
    kept = [run.seed for run in was.runs if times[run.seed] == run.seconds]
    if len(kept) == len(was.runs):
        if same:
            return "not run again", "its record of training is the published one"
        why = next(each.difference for each in bits.values() if each.difference)
        return "different", f"it was not trained again, and yet {why}"
    if same:
        some = f"; {len(kept)} of {len(was.runs)} runs were not trained again" if kept else ""
        return "bitwise equal", f"all histories and scores are the same{some}"
    if bits["history"].same:
        return "different", f"it was trained to the same bits, and yet {bits['metrics'].difference}"
    return None, ""


def _swapped(was: Training, now: Training) -> str:
    """Says which run stands under another one's seed, by the runs' keys; empty if none does."""
    owners = {run.key: run.seed for run in was.runs}
    for run in now.runs:
        if owners.get(run.key, run.seed) != run.seed:
            return f"seed {run.seed} has the run of seed {owners[run.key]}"
    return ""


def _judged(new: Runs, old: Runs, low: float, high: float, p: float, rules: Comparison) -> tuple[Outcome, str]:
    """The outcome by tests: first whether more runs fail, then whether the scores agree within the margin."""
    alone, others = failed_alone(new, old)
    if discordance_test(alone, others) <= rules.alpha:
        return "different", f"{alone} runs failed here alone and {others} in the published study alone"
    within = f"a factor of {rules.margin:g}"
    if p <= rules.alpha:
        return "equivalent", f"the scores agree within {within}"
    if np.isfinite(high) and (low > rules.margin or high < 1 / rules.margin):
        return "different", f"the scores differ by more than {within}"
    return "undecided", f"the seeds do not settle whether the scores agree within {within}"


def _last_runs(folder: Path, variant: str, rules: Comparison) -> Runs:
    table = read_table(folder / f"metrics/{variant}.csv")
    scores = read_scores(table.assign(variant=variant), rules.metric, rules.learnt)
    by_epoch = scores.get(variant, {})
    if not by_epoch:
        raise StudyError(f"{folder / f'metrics/{variant}.csv'} has no scores")
    return by_epoch[max(by_epoch)]


def _tables(published: Path, here: Path) -> Iterable[ReproducedTable]:
    for pattern, index in TABLES.items():
        for path in sorted(published.glob(pattern)):
            name = path.relative_to(published)
            bits = compare_tables(path, here / name, index)
            yield ReproducedTable(name.as_posix(), bits.rows, bits.equal, _trained_again(name, published, here))


def _trained_again(table: Path, published: Path, here: Path) -> bool:
    """Whether the trials of a table took other times than the published ones, to the nanosecond."""
    record = "trials/ladder.json" if table.stem == "ladder" else f"trials/search-{table.stem}.json"
    if not ((published / record).exists() and (here / record).exists()):
        return False
    was, now = (read(Provenance, folder / record).seconds for folder in (published, here))
    return not set(was.values()) & set(now.values())


def _verdicts(
    published: Path, here: Path, variants: Iterable[ReproducedVariant], tables: Iterable[ReproducedTable]
) -> list[ReproducedVerdict]:
    """H and A of comparison.json, then S1 to S3 of the search's declared pair."""
    old, new = _declared(published), _declared(here)
    kept = {each.variant for each in variants if each.outcome == "not run again"}
    kept |= {_searched(Path(each.table).stem) for each in tables if not each.run_again and each.table != "ladder.csv"}
    return [
        ReproducedVerdict(
            name,
            old[name].verdict if name in old else None,
            new[name].verdict if name in new else None,
            not kept.intersection((old.get(name) or new[name]).rests_on),
        )
        for name in dict.fromkeys([*old, *new])
    ]


def _searched(objective: str) -> str:
    """What a verdict on the search rests on; a variant may have the objective's name."""
    return f"search {objective}"


@dataclass(frozen=True)
class _Declared:
    """A verdict and the two variants, or the two searched objectives, that it rests on."""

    verdict: str
    rests_on: tuple[str, str]


def _declared(folder: Path) -> dict[str, _Declared]:
    verdicts: dict[str, _Declared] = {}
    if (folder / "comparison.json").exists():
        contrasts = read(Comparison, folder / "comparison.json").contrasts
        declared = [each for each in contrasts if each.family != "exploratory"]
        verdicts |= {each.id: _Declared(each.verdict, (each.variant, each.against)) for each in declared}
    if (folder / "search.json").exists():
        for pair in read(SearchRecord, folder / "search.json").pairs:
            if pair.declared:
                questions = (pair.wins.verdict, pair.learning.verdict, pair.tuned.verdict)
                both = (_searched(pair.variant), _searched(pair.against))
                verdicts |= {f"S{number}": _Declared(each, both) for number, each in enumerate(questions, 1)}
    return verdicts


def _preregistration(here: Path) -> str | None:
    path = here / "comparison.json"
    return read(Comparison, path).preregistration if path.exists() else None


def _machine(folder: Path, variants: Iterable[str]) -> Machine:
    paths = [folder / f"training/{name}.json" for name in variants]
    records = [read(Training, path) for path in paths if path.exists()]
    names = [
        each.hardware.name if each.hardware.device == "cuda" else f"{each.hardware.name}, {each.hardware.cores} cores"
        for each in records
    ]
    return Machine(
        _all(names),
        _all(each.hardware.arithmetic for each in records),
        _all(each.versions["torch"] for each in records),
    )


def _all(values: Iterable[str]) -> str:
    return "; ".join(pd.unique(pd.Series(list(values), dtype=object))) or "nothing"
