"""Decide the declared contrasts under other choices: reports/metrics/ and snapshots/ to reports/specifications.json."""

from pathlib import Path

from gan import errors
from gan.compute.tables import read_tables
from gan.files import write_json
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.robustness.specifications import specification_curve
from gan.study.loading import load_study


def main() -> None:
    reports = Path("reports")
    comparison = read(Comparison, reports / "comparison.json")
    names = dict.fromkeys(name for standing in comparison.standings for name in standing.variants)
    metrics, snapshots = (read_tables(reports / folder, names) for folder in ("metrics", "snapshots"))
    curve = specification_curve(metrics, snapshots, comparison, load_study().specifications)
    write_json(reports / "specifications.json", curve)


if __name__ == "__main__":
    errors.run(main)
