"""Score all seeds of one variant: runs/<variant>/ to reports/metrics/, reports/snapshots/ and reports/samples/."""

from pathlib import Path

from gan import errors
from gan.compute import guards
from gan.compute.executors import local_executor
from gan.evaluation.classifier import load_classifiers
from gan.evaluation.scoring import (
    Further,
    Scorer,
    evaluate_variant,
    metrics_table,
    sample_grid,
    snapshots_table,
)
from gan.files import room_checksum, write
from gan.images import load
from gan.own.registration import register
from gan.study.loading import load_study
from gan.study.schema import Study


def main(variant: str) -> None:
    with guards.unchanged(
        lambda: (load_study().evaluate, _further(load_study(), variant), room_checksum("evaluation", "networks"))
    ):
        _evaluate(load_study(), variant, Path("reports"))


def _evaluate(study: Study, variant: str, reports: Path) -> None:
    recipe = study.variant(variant)
    register([recipe])
    images, _ = load(Path("data") / recipe.data, "test")
    executor, further = local_executor(study.compute, most_gpus=1), _further(study, variant)
    classifiers = load_classifiers(Path("models") / recipe.data)
    used = classifiers if further.confirmed else classifiers[:1]
    scorer = Scorer.of(used, images, study.evaluate, executor.device)
    scored = evaluate_variant(variant, recipe, Path("runs") / variant, scorer, executor, further)
    write(reports / f"metrics/{variant}.csv", metrics_table(scored, len(classifiers) - 1).to_csv(index=False))
    write(reports / f"snapshots/{variant}.csv", snapshots_table(variant, scored).to_csv(index=False))
    write(reports / f"samples/{variant}.png", sample_grid(scored, study.evaluate.grid_seeds))


def _further(study: Study, variant: str) -> Further:
    """Hypotheses are decided again by the other classifiers; how much latents matter is measured on the reference."""
    return Further(confirmed=variant in study.compare.declared, repeated=variant == study.compare.reference)


if __name__ == "__main__":
    errors.run(main)
