"""Download the data set: mirrors to data/."""

from pathlib import Path

from gan import errors
from gan.data.download import download
from gan.study.loading import load_study


def main() -> None:
    data = load_study().data
    mirrors = () if data.name == "digits" else data.mirrors[data.name]
    download(data.name, mirrors, data.timeout_seconds, Path("data"))


if __name__ == "__main__":
    errors.run(main)
