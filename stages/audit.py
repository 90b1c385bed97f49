"""Audit every loss before any training: the study's variants to reports/audit.json."""

from pathlib import Path

from gan import errors
from gan.audit import audit, refuse_faults
from gan.files import write_json
from gan.study import load_study


def main() -> None:
    record = audit(load_study())
    refuse_faults(record)
    write_json(Path("reports/audit.json"), record)


if __name__ == "__main__":
    errors.run(main)
