"""The tables of `reports/`: a CSV file for each variant. Everybody reads them with these functions."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from gan.errors import StudyError
from gan.formatting import joined

# These columns are text even where they look like a number, a truth value or a missing value.
TEXT = {"variant": str, "data": str, "key": str, "status": str, "failure": str}

# What every table in these folders has, whatever else the runs record.
NEEDED = {
    "metrics": ("variant", "data", "seed", "epoch", "status", "fid", "digits", "failed_epoch", "failure", "key"),
    "snapshots": ("variant", "seed", "epoch", "fid"),
    "history": ("seed", "epoch"),
}


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


def collapsed(metrics: pd.DataFrame, most_digits: int) -> pd.Series:
    """Whether each run has collapsed: the classifier sees at most so many digits among its images, `[row]` of bool.

    With 0, or in a table without digits, no run has. A run that diverged has no digits and has not collapsed.
    """
    if most_digits == 0 or "digits" not in metrics:
        return pd.Series(False, metrics.index)
    return metrics["digits"].astype(float) <= most_digits


def _remedy(path: Path) -> str:
    stage = "train" if path.parent.name == "history" else "evaluate"
    return f"`dvc repro --force --single-item {stage}@{path.stem}` makes it anew"
