"""Download the data set: mirrors to data/."""

from pathlib import Path

from gan import errors
from gan.download import download
from gan.study.loading import load_study


def main() -> None:
    download(load_study().data, Path("data"))


if __name__ == "__main__":
    errors.run(main)
