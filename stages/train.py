"""Train all seeds of one variant: data/ to runs/<variant>/, reports/history/ and reports/training/."""

import time
from pathlib import Path

from gan import errors
from gan.audit.recipes import check_study
from gan.compute import guards
from gan.compute.store import common, export_runs, history_table
from gan.compute.trainer import STORE, TrainingImages, code_checksum, run_key, train_runs
from gan.files import write, write_json
from gan.study import preregistration
from gan.study.loading import load_study
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.tracking.live import LiveRun, shown_live
from gan.training.population import RunSpec


def main(variant: str) -> None:
    with guards.unchanged(lambda: _rules(variant)), guards.alone("train"):
        study = load_study()
        _train(study, variant, study.variant(variant))


def _rules(variant: str) -> object:
    study = load_study()
    return study.variant(variant), study.train, code_checksum()


def _train(study: Study, variant: str, recipe: Variant) -> None:
    check_study(study)
    started = time.perf_counter()
    sets = TrainingImages.load([recipe.data])
    specs = [RunSpec(recipe, seed) for seed in recipe.seeds]
    declared = preregistration.checksum(study)
    quantiles, data = study.train.quantiles, sets[recipe.data].checksum
    shown_runs = [
        LiveRun.of(run_key(recipe, seed, quantiles, data), variant, recipe, seed, data) for seed in recipe.seeds
    ]
    with shown_live(shown_runs, study.tracking):
        trained = train_runs(f"train {variant}", specs, sets, quantiles, study.compute, STORE, declared)
    records = export_runs(trained.kept, Path("runs") / variant)
    write(Path(f"reports/history/{variant}.csv"), history_table(records).to_csv(index=False))
    shown = ("seed", "key", "status", "failure", "seconds", "preregistration")
    record = {
        "variant": variant,
        "parameters": recipe.model_dump(mode="json"),
        "checksums": {"code": code_checksum(), "data": sets[recipe.data].checksum},
        "hardware": {**common(of["hardware"] for of in records), "workers": trained.workers},
        "versions": common(of["versions"] for of in records),
        "seconds": time.perf_counter() - started,
        "runs": [{name: of[name] for name in shown} for of in records],
    }
    write_json(Path(f"reports/training/{variant}.json"), record)


if __name__ == "__main__":
    errors.run(main)
