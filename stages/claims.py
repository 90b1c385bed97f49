"""Test the sources' claims on what the study measured: reports/ to reports/identities.json and reports/claims.json."""

from pathlib import Path

from gan import errors
from gan.claims.evidence import Evidence
from gan.claims.identities import identities
from gan.claims.ledger import ledger
from gan.compute.tables import read_tables
from gan.files import read_json, write_json
from gan.records.comparison import Comparison
from gan.records.mechanism import Mechanism
from gan.records.reading import read
from gan.study.loading import load_study


def main() -> None:
    study, reports = load_study(), Path("reports")
    evidence = Evidence(
        identities(),
        mechanism=read(Mechanism, reports / "mechanism.json"),
        comparison=read(Comparison, reports / "comparison.json"),
        floor=read_json(reports / "floor.json"),
        metrics=read_tables(reports / "metrics", study.variants),
        history=read_tables(reports / "history", study.variants),
        snapshots=read_tables(reports / "snapshots", study.variants),
    )
    write_json(reports / "identities.json", list(evidence.identities.values()))
    write_json(reports / "claims.json", ledger(evidence))


if __name__ == "__main__":
    errors.run(main)
