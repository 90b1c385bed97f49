"""The tables of `reports/`: a CSV file for each variant. Everybody reads them with these functions."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from gan.errors import StudyError
from gan.formatting import joined

# These columns are text even where they look like a number, a truth value or a missing value.
TEXT = dict.fromkeys(
    ("variant", "data", "averaged", "key", "status", "failure", "rung", "objective", "role"),
    str,
)

# What every table in these folders has, whatever else the runs record.
NEEDED = {
    "metrics": (
        *("variant", "data", "seed", "epoch", "averaged", "status", "fid", "coverage", "digits"),
        *("failed_epoch", "failure", "key"),
    ),
    "snapshots": ("variant", "seed", "epoch", "fid"),
    "history": ("seed", "epoch"),
    "search": ("configuration", "seed", "epoch", "status", "fid", "coverage", "digits", "key"),
    "finals": ("configuration", "role", "seed", "epoch", "status", "fid", "coverage", "digits", "key"),
    "reports": ("rung", "objective", "seed", "epoch", "status", "fid", "coverage", "digits", "key"),
}

# The states of a run at an epoch, and those that are failures.
STATES = ("learnt", "not yet", "never learnt", "mode collapse", "diverged")
FAILURES = ("never learnt", "mode collapse", "diverged")


class Learnt(Protocol):
    """What params.yaml and comparison.json have as the rule by which a run has learnt."""

    @property
    def coverage(self) -> float: ...
    @property
    def digits(self) -> int: ...
    @property
    def epochs(self) -> int: ...


def read_table(path: Path) -> pd.DataFrame:
    """One variant's table; FileNotFoundError if it is not there. A text is empty only where the file has none.

    Raises:
        StudyError: the file is no table, or lacks a column that all tables in a folder of its name have.
    """
    try:
        columns = pd.read_csv(path, nrows=0, encoding="utf-8").columns
        texts = {name: kind for name, kind in TEXT.items() if name in columns}
        numbers = [name for name in columns if name not in texts]
        missing = {name: ["", "nan"] for name in numbers}
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=missing, encoding="utf-8")
    except ValueError as error:  # pandas' own errors are such, and so are bytes that are no text
        raise StudyError(f"{path} is no table ({' '.join(str(error).split())}): {_remedy(path)}") from None
    if lacking := [name for name in NEEDED.get(path.parent.name, ()) if name not in columns]:
        raise StudyError(f"{path} has no column {joined(lacking)}: {_remedy(path)}")
    if wrong := [name for name in numbers if not pd.api.types.is_numeric_dtype(table[name]) and len(table)]:
        raise StudyError(f"{path}, column {wrong[0]}: not all are numbers: {_remedy(path)}")
    return table


def read_tables(folder: Path, variants: Iterable[str]) -> pd.DataFrame:
    """The tables of these variants in `folder`, one below the other, with the column `variant`.

    StudyError if one of them, with a row or more, has other columns than the first.
    """
    tables = {name: read_table(folder / f"{name}.csv").assign(variant=name) for name in variants}
    filled = {name: table for name, table in tables.items() if len(table)}
    for name, table in filled.items():
        first = next(iter(filled))
        if differing := set(table).symmetric_difference(filled[first]):
            both = f"{folder / name}.csv and {first}.csv"
            raise StudyError(f"{both}: only one has {joined(sorted(map(str, differing)))}: {_remedy(folder / name)}")
    return pd.concat((filled or tables).values(), ignore_index=True)  # the columns of an empty table have no types


def states(metrics: pd.DataFrame, learnt: Learnt) -> pd.Series:
    """The state of each run at its row's epoch, `[row]` of `STATES`.

    `metrics` has `status`, `epoch`, `coverage` and `digits` (of the classes, how many its images show). A run that is
    not `finished` there has *diverged*. One whose images cover at least `learnt.coverage` of the test images has
    *learnt* if they show more than `learnt.digits` digits, else it is a *mode collapse*. One that covers less has
    *never learnt* after `learnt.epochs` epochs or more, and before has *not yet*, which is no failure.

    Precision has no say: images that all look alike, such as the mean of all, can lie among real ones and cover none.
    """
    covered = metrics["coverage"].astype(float) >= learnt.coverage
    diverse = metrics["digits"].astype(float) > learnt.digits
    lasted = metrics["epoch"] >= learnt.epochs
    conditions = [metrics["status"] != "finished", covered & diverse, covered, lasted]
    kinds = np.select(conditions, ["diverged", "learnt", "mode collapse", "never learnt"], "not yet")
    return pd.Series(kinds, metrics.index, dtype=object)


def _remedy(path: Path) -> str:
    if path.stem == "ladder":
        return "`dvc repro --force --single-item ladder` makes it anew"
    stages = {"history": "train", "search": "search", "finals": "search"}
    stage = stages.get(path.parent.name, "evaluate")
    return f"`dvc repro --force --single-item {stage}@{path.stem}` makes it anew"
