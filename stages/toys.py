"""Try the objectives where the truth is known: params.yaml to reports/toys.json."""

from pathlib import Path

from gan import errors
from gan.audit.recipes import check_study
from gan.compute.executors import process_executor
from gan.files import write_json
from gan.records.toys import Toys
from gan.study.loading import load_study
from gan.toys import dirac, ring


def main() -> None:
    study = load_study()
    check_study(study)
    settings = study.toys
    learnt = ring.measure(settings.ring, study.baseline, process_executor(study.compute))
    write_json(Path("reports/toys.json"), Toys(dirac.measure(settings.dirac), learnt))


if __name__ == "__main__":
    errors.run(main)
