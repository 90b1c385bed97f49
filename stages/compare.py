"""Test the hypotheses over all variants: reports/metrics/ to reports/comparison.json and reports/metrics.json."""

from dataclasses import replace
from pathlib import Path

from gan import errors
from gan.compute.tables import read_tables
from gan.files import write_json
from gan.stats.comparison import compare, key_figures, sensitivity
from gan.stats.literature import compare_with_published
from gan.stats.variance import sources_of_variation
from gan.study import preregistration
from gan.study.loading import load_study


def main() -> None:
    study, reports = load_study(), Path("reports")
    settings = study.compare
    metrics = read_tables(reports / "metrics", study.variants)
    compared = metrics[metrics["variant"].isin(study.compared)]
    data = study.variants[settings.reference].data
    beside_reference = {name: variant for name, variant in study.variants.items() if variant.data == data}
    pinned = {name: variant.pinned for name, variant in beside_reference.items() if variant.pinned}
    variation = sources_of_variation(metrics, settings.reference, pinned, 1 - settings.alpha)
    comparison = compare(compared, settings, preregistration.checksum(study))
    comparison = replace(
        comparison,
        sensitivity=sensitivity(compared, settings),
        spread=variation,
        literature=compare_with_published(comparison.standings),
    )
    write_json(reports / "comparison.json", comparison)
    write_json(reports / "metrics.json", key_figures(comparison))


if __name__ == "__main__":
    errors.run(main)
