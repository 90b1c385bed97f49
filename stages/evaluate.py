"""Score all seeds of one variant: runs/<variant>/ to reports/metrics/, reports/snapshots/ and reports/samples/."""

from pathlib import Path

from gan import classifier, errors, evaluation, guard, metrics, pixels, randomness
from gan.classifier import load_classifiers
from gan.data import load
from gan.evaluation import Judge, evaluate_variant, metrics_table, sample_grid, snapshots_table
from gan.files import sources_checksum, write
from gan.study import Study, load_study
from gan.workers import local_crew

SCORING_SOURCES = (classifier, evaluation, metrics, pixels, randomness)


def main(variant: str) -> None:
    with guard.unchanged(lambda: (load_study().evaluate, sources_checksum(SCORING_SOURCES))):
        _evaluate(load_study(), variant, Path("reports"))


def _evaluate(study: Study, variant: str, reports: Path) -> None:
    recipe = study.variant(variant)
    images, _ = load(Path("data"), "test")
    crew = local_crew(study.compute)
    judge = Judge.of(load_classifiers(Path("models")), images, study.evaluate, crew.device)
    scored = evaluate_variant(variant, recipe, Path("runs") / variant, judge, images.shape[-1], crew)
    write(reports / f"metrics/{variant}.csv", metrics_table(scored, judge.other_names).to_csv(index=False))
    write(reports / f"snapshots/{variant}.csv", snapshots_table(variant, scored).to_csv(index=False))
    write(reports / f"samples/{variant}.png", sample_grid(scored, study.evaluate.grid_seeds))


if __name__ == "__main__":
    errors.run(main)
