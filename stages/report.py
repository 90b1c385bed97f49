"""The report: reports/ and models/ to reports/report.html, report.md and figures/."""

from pathlib import Path

from gan import errors
from gan.reporting import document
from gan.study.loading import load_study


def main() -> None:
    print(f"Report: {document.write(load_study(), Path())}")


if __name__ == "__main__":
    errors.run(main)
