"""Test the hypotheses over all variants: reports/metrics/ to reports/comparison.json and reports/metrics.json.

The latter has, for each variant after its last epoch, the geometric mean over all runs that have a score.
"""

from pathlib import Path

import pandas as pd

from gan import errors
from gan.files import write_json
from gan.stats.comparison import compare, sensitivity
from gan.stats.literature import beside_the_published
from gan.stats.variance import sources_of_spread
from gan.study import preregistration
from gan.study.loading import load_study


def main() -> None:
    study, reports = load_study(), Path("reports")
    settings = study.compare
    everything = pd.concat([pd.read_csv(reports / f"metrics/{name}.csv") for name in study.variants])
    metrics = everything[everything["variant"].isin(study.compared)]
    found = compare(metrics, settings, preregistration.checksum(study))
    pinned = {name: variant.pinned for name, variant in study.variants.items() if variant.pinned}
    found |= {
        "sensitivity": sensitivity(metrics, settings),
        "spread": sources_of_spread(everything, settings.reference, pinned, 1 - settings.alpha),
        "literature": beside_the_published(found["standings"][-1]),
    }
    write_json(reports / "comparison.json", found)
    last = {name: of for standing in reversed(found["standings"]) for name, of in standing["variants"].items()}
    summary = {
        name: {settings.metric: of["scored_mean"], "n": of["n"], "failed": of["failed"]} for name, of in last.items()
    }
    write_json(reports / "metrics.json", summary)


if __name__ == "__main__":
    errors.run(main)
