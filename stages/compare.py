"""Test the hypotheses over all variants: reports/metrics/ to reports/comparison.json and reports/metrics.json."""

from pathlib import Path

import pandas as pd

from gan import errors
from gan.comparison import compare
from gan.files import write_json
from gan.study import load_study


def main() -> None:
    study, reports = load_study(), Path("reports")
    settings = study.compare
    metrics = pd.concat([pd.read_csv(reports / f"metrics/{name}.csv") for name in study.variants])
    found = compare(metrics, settings.hypotheses, settings.reference, settings.alpha, settings.margin, settings.metric)
    write_json(reports / "comparison.json", found)
    summary = {
        name: {settings.metric: of["mean"], "n": of["n"], "failed": of["failed"]}
        for name, of in found["variants"].items()
    }
    write_json(reports / "metrics.json", summary)


if __name__ == "__main__":
    errors.run(main)
