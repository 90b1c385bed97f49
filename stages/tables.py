"""What `dvc plots` draws: all variants in one table each, and the search's curves, in reports/tables/.

DVC draws a chart per file, so variants that are to share a chart have to share a file.
"""

from pathlib import Path

import pandas as pd

from gan import errors
from gan.compute.tables import read_tables
from gan.files import write
from gan.records.reading import read
from gan.records.robustness import SearchRecord
from gan.study.loading import load_study

# What the charts need of each folder's tables.
COLUMNS = {
    "metrics": ["variant", "data", "seed", "epoch", "status", "fid"],
    "snapshots": ["variant", "seed", "epoch", "fid"],
    "history": ["variant", "seed", "epoch", "generator_gradient_norm"],
}


def main() -> None:
    study, reports = load_study(), Path("reports")
    for folder, columns in COLUMNS.items():
        _save(read_tables(reports / folder, study.variants)[columns], reports / f"tables/{folder}.csv")
    curves = {
        name: pd.DataFrame(vars(searched.best_of_k))
        for name, searched in read(SearchRecord, reports / "search.json").objectives.items()
    }
    _save(pd.concat(curves, names=["objective"]).reset_index("objective"), reports / "tables/search.csv")


def _save(table: pd.DataFrame, path: Path) -> None:
    write(path, table.to_csv(index=False, float_format="%.6g"))  # as exact as a chart can show


if __name__ == "__main__":
    errors.run(main)
