"""Score all seeds of one variant: runs/<variant>/ to reports/metrics/, reports/snapshots/ and reports/samples/."""

from pathlib import Path

from gan import errors
from gan.compute import guards
from gan.compute.executors import local_executor
from gan.evaluation.classifier import load_classifiers
from gan.evaluation.scoring import ForwardPasses, Scorer, evaluate_variant, metrics_table, sample_grid, snapshots_table
from gan.files import room_checksum, write
from gan.images import load
from gan.study.loading import load_study
from gan.study.schema import Study
from gan.training import networks

PASSES = ForwardPasses(networks.generate, networks.reconstruct)


def main(variant: str) -> None:
    with guards.unchanged(lambda: (load_study().evaluate, room_checksum("evaluation"))):
        _evaluate(load_study(), variant, Path("reports"))


def _evaluate(study: Study, variant: str, reports: Path) -> None:
    recipe = study.variant(variant)
    images, _ = load(Path("data"), "test")
    executor = local_executor(study.compute)
    scorer = Scorer.of(load_classifiers(Path("models")), images, study.evaluate, executor.device)
    scored = evaluate_variant(variant, recipe, Path("runs") / variant, scorer, PASSES, executor)
    write(reports / f"metrics/{variant}.csv", metrics_table(scored, scorer.other_names).to_csv(index=False))
    write(reports / f"snapshots/{variant}.csv", snapshots_table(variant, scored).to_csv(index=False))
    write(reports / f"samples/{variant}.png", sample_grid(scored, study.evaluate.grid_seeds))


if __name__ == "__main__":
    errors.run(main)
