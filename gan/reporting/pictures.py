"""Generated images on the page: which rows a picture has, of which epoch or seed, and the picture itself.

A strip (`reports/strips/<variant>.png`) has a row for each kept epoch and a column for each latent, the same latents
for every variant. Where there is none, or only that of a run that kept no generator, the variant's grid of samples
stands in: a row for each seed, of the last epoch.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gan.errors import StudyError
from gan.images import SIDE
from gan.pictures.record import Strip
from gan.records.reading import read
from gan.reporting.results import existing
from gan.study.schema import Study

MARGIN = 2  # pixels around the images of a grid of samples (torchvision's make_grid), not of a strip


@dataclass(frozen=True)
class Picture:
    """One image file as a page shows it: `rows` of `columns` images, and what each row is of.

    `epochs` has that of each row of a strip. Of a grid of samples, whose rows are seeds, it has the one epoch of all.
    `style` names the picture's rule in the page's style, so that the file is in the page once however often it is
    shown.
    """

    variant: str
    style: str
    uri: str
    rows: int
    columns: int
    epochs: tuple[int, ...]
    strip: bool

    @property
    def last(self) -> int:
        """The epoch of the row that is shown first."""
        return self.epochs[-1]

    def row(self, epoch: int) -> int:
        """The row of the last epoch up to this one; the first row of a grid of samples, or if there is none."""
        return max([place for place, each in enumerate(self.epochs) if each <= epoch], default=0) if self.strip else 0


@dataclass(frozen=True)
class Pictures:
    """A picture of each variant, the interpolations that there are, and all epochs that a slider goes through."""

    samples: Mapping[str, Picture]
    interpolations: Mapping[str, Picture]

    @property
    def epochs(self) -> list[int]:
        """The epochs of all strips, rising."""
        return sorted({epoch for each in self.samples.values() if each.strip for epoch in each.epochs})

    def common(self, names: Sequence[str]) -> int | None:
        """The last epoch that the pictures of these variants have in common; None if there is none."""
        epochs = [set(self.samples[name].epochs) for name in names]
        return max(set.intersection(*epochs), default=None) if epochs else None


def read_pictures(study: Study, names: Sequence[str], reports: Path) -> Pictures:
    """The pictures of these variants.

    Raises:
        StudyError: a grid of samples is missing, or a strip is not what its record says.
    """
    samples, interpolations = {}, {}
    for place, name in enumerate(names):
        record = reports / "strips" / f"{name}.json"
        strip = read(Strip, record) if record.is_file() else None
        if strip and strip.epochs:
            samples[name] = _picture(strip, record, f"strip-{place}")
        else:
            path = existing(reports / "samples" / f"{name}.png")
            shape = _grid(path)
            samples[name] = Picture(name, f"strip-{place}", _uri(path), *shape, (study.variants[name].epochs,), False)
        path = reports / "interpolations" / f"{name}.png"
        if path.is_file():
            width, height = _size(path)
            shape = (height // SIDE, width // SIDE)
            epochs = (study.variants[name].epochs,)
            interpolations[name] = Picture(name, f"between-{place}", _uri(path), *shape, epochs, False)
    return Pictures(samples, interpolations)


def _picture(strip: Strip, record: Path, style: str) -> Picture:
    path, rows, columns = existing(record.with_suffix(".png")), len(strip.epochs), strip.columns
    if _size(path) != (columns * strip.side, rows * strip.side):
        raise StudyError(f"{path} is not the strip that {record} says: run `dvc repro` to make both anew")
    return Picture(strip.variant, style, _uri(path), rows, columns, tuple(strip.epochs), True)


def _grid(path: Path) -> tuple[int, int]:
    """Rows and columns of a grid of samples, which has a margin around each image."""
    width, height = _size(path)
    return height // (SIDE + MARGIN), width // (SIDE + MARGIN)


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
