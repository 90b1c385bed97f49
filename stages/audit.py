"""Audit every loss before any training: the study's variants to reports/audit.json."""

from pathlib import Path

from gan import errors
from gan.audit.recipes import check_study
from gan.audit.record import audit, refuse_faults
from gan.files import write_json
from gan.study.loading import load_study


def main() -> None:
    study = load_study()
    check_study(study)
    record = audit(study)
    refuse_faults(record)
    write_json(Path("reports/audit.json"), record)


if __name__ == "__main__":
    errors.run(main)
