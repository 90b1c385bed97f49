"""The tables of `reports/`: a CSV file for each variant. Everybody reads them with these functions."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

# These columns are text even where they look like a number, a truth value or a missing value.
TEXT = {"variant": str, "key": str, "status": str, "failure": str}


def read_table(path: Path) -> pd.DataFrame:
    """One variant's table; FileNotFoundError if it is not there. A text is empty only where the file has none."""
    columns = pd.read_csv(path, nrows=0).columns
    texts = {name: kind for name, kind in TEXT.items() if name in columns}
    numbers = [name for name in columns if name not in texts]
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values={name: ["", "nan"] for name in numbers})


def read_tables(folder: Path, variants: Iterable[str]) -> pd.DataFrame:
    """The tables of these variants in `folder`, one below the other, with the column `variant`."""
    tables = [read_table(folder / f"{name}.csv").assign(variant=name) for name in variants]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled or tables, ignore_index=True)  # the columns of an empty table have no types


def collapsed(metrics: pd.DataFrame, most_digits: int) -> pd.Series:
    """Whether each run has collapsed: the classifier sees at most so many digits among its images, `[row]` of bool.

    With 0, or in a table without digits, no run has. A run that diverged has no digits and has not collapsed.
    """
    if most_digits == 0 or "digits" not in metrics:
        return pd.Series(False, metrics.index)
    return metrics["digits"].astype(float) <= most_digits
