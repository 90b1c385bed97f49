"""Test the sources' claims on what the study measured: reports/ to reports/claims.json."""

from pathlib import Path

import pandas as pd

from gan import errors
from gan.claims.ledger import Evidence, ledger
from gan.files import read_json, write_json
from gan.study.loading import load_study


def main() -> None:
    study, reports = load_study(), Path("reports")

    def table(folder: str) -> pd.DataFrame:
        tables = {name: pd.read_csv(reports / folder / f"{name}.csv") for name in study.variants}
        return pd.concat([rows.assign(variant=name) for name, rows in tables.items()])

    records = {name: read_json(reports / f"{name}.json") for name in ("audit", "mechanism", "comparison", "floor")}
    write_json(reports / "claims.json", ledger(Evidence(**records, metrics=table("metrics"), history=table("history"))))


if __name__ == "__main__":
    errors.run(main)
