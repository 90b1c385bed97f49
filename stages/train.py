"""Train all seeds of one variant: data/ to runs/<variant>/, reports/history/ and reports/training/."""

import time
from pathlib import Path

from gan import declaration, errors, guard
from gan.data import checksum, load
from gan.files import write, write_json
from gan.runs import common, gather, history_table
from gan.study import Study, Variant, load_study
from gan.trainer import code_checksum, train_variant


def main(variant: str) -> None:
    with guard.unchanged(lambda: _rules(variant)), guard.alone(f"train-{variant}"):
        study = load_study()
        _train(study, variant, study.variant(variant))


def _rules(variant: str) -> object:
    study = load_study()
    return study.variant(variant), study.train, code_checksum()


def _train(study: Study, variant: str, recipe: Variant) -> None:
    started, data = time.perf_counter(), Path("data")
    trained_on = checksum(data, "train")
    images, _ = load(data, "train")
    quantiles, store = study.train.quantiles, Path(".work/runs")
    declared = declaration.checksum(study)
    trained = train_variant(f"train {variant}", recipe, images, trained_on, quantiles, study.compute, store, declared)
    records = gather(trained.kept, Path("runs") / variant)
    write(Path(f"reports/history/{variant}.csv"), history_table(records).to_csv(index=False))
    shown = ("seed", "key", "status", "failure", "seconds", "declaration")
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
