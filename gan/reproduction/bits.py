"""Whether two tables have the same numbers to the last bit, and where they first differ."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from gan.errors import StudyError

# A run's key depends on the code that trains, of which a comment may have changed.
IGNORED = ("key",)

Row: TypeAlias = tuple[str, ...]
Cells: TypeAlias = dict[str, str]


@dataclass(frozen=True)
class Bits:
    """Of a published table: its rows, how many are the same here, and the first difference in words (None: none)."""

    rows: int
    equal: int
    difference: str | None

    @property
    def same(self) -> bool:
        return self.difference is None


def compare_tables(published: Path, here: Path, index: tuple[str, ...]) -> Bits:
    """Compare two CSV files cell by cell as text: a float64 is written with all the digits that it needs.

    `index` are the columns that name a row. The order of rows does not matter; columns that only one has do, but not
    `IGNORED`.

    Raises:
        StudyError: the published file is no such table.
    """
    old, columns = _read(published, index)
    if not here.exists():
        return Bits(len(old), 0, f"{here.name} is missing here")
    new, others = _read(here, index)
    if unlike := sorted(columns ^ others):
        return Bits(len(old), 0, f"only one of the two has the column {unlike[0]}")
    differences = [_difference(row, index, new.get(row), cells) for row, cells in old.items()]
    found = [difference for difference in differences if difference]
    equal = len(old) - len(found)
    if not found and len(new) > len(old):
        found = [f"there are {len(new) - len(old)} more rows here"]
    return Bits(len(old), equal, found[0] if found else None)


def _difference(row: Row, index: tuple[str, ...], cells: Cells | None, published: Cells) -> str | None:
    place = ", ".join(f"{label} {part}" for label, part in zip(index, row, strict=True))
    if cells is None:
        return f"{place} is missing here"
    for name, value in published.items():
        if cells[name] != value:
            return f"{name} of {place} is {cells[name] or 'empty'} here and {value or 'empty'} as published"
    return None


def _read(path: Path, index: tuple[str, ...]) -> tuple[dict[Row, Cells], set[str]]:
    """Each row's cells by its name, and the names of the cells."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
        rows = list(zip(*(table[name] for name in index), strict=True))
    except (ValueError, KeyError) as error:
        raise StudyError(f"{path} is no table that can be compared ({' '.join(str(error).split())})") from None
    if len(set(rows)) < len(rows):
        raise StudyError(f"{path} has two rows of the same {' and '.join(index)}")
    names = [str(name) for name in table if name not in (*index, *IGNORED)]
    cells = [dict(zip(names, values, strict=True)) for values in table[names].itertuples(index=False, name=None)]
    return dict(zip(rows, cells, strict=True)), set(names)
