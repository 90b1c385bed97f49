"""Train all seeds of one variant: data/ to runs/<variant>/, reports/history/ and reports/training/."""

import time
from pathlib import Path

from gan import errors
from gan.audit.recipes import check_study
from gan.compute import guards
from gan.compute.store import common, export_runs, history_table
from gan.compute.trainer import code_checksum, train_variant
from gan.files import write, write_json
from gan.images import checksum, load
from gan.study import preregistration
from gan.study.loading import load_study
from gan.study.schema import Study, Variant


def main(variant: str) -> None:
    with guards.unchanged(lambda: _rules(variant)), guards.alone(f"train-{variant}"):
        study = load_study()
        _train(study, variant, study.variant(variant))


def _rules(variant: str) -> object:
    study = load_study()
    return study.variant(variant), study.train, code_checksum()


def _train(study: Study, variant: str, recipe: Variant) -> None:
    check_study(study)
    started, data = time.perf_counter(), Path("data")
    trained_on = checksum(data, "train")
    images, _ = load(data, "train")
    quantiles, store = study.train.quantiles, Path(".work/runs")
    declared = preregistration.checksum(study)
    trained = train_variant(f"train {variant}", recipe, images, trained_on, quantiles, study.compute, store, declared)
    records = export_runs(trained.kept, Path("runs") / variant)
    write(Path(f"reports/history/{variant}.csv"), history_table(records).to_csv(index=False))
    shown = ("seed", "key", "status", "failure", "seconds", "preregistration")
    record = {
        "variant": variant,
        "parameters": recipe.model_dump(mode="json"),
        "checksums": {"code": code_checksum(), "data": trained_on},
        "hardware": {**common(of["hardware"] for of in records), "workers": trained.workers},
        "versions": common(of["versions"] for of in records),
        "seconds": time.perf_counter() - started,
        "runs": [{name: of[name] for name in shown} for of in records],
    }
    write_json(Path(f"reports/training/{variant}.json"), record)


if __name__ == "__main__":
    errors.run(main)
