"""Pictures that a user asks for: images of one generator, and those on the way from one latent to another."""

from io import BytesIO
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import torch

from gan.errors import StudyError
from gan.files import write
from gan.formatting import counted
from gan.pictures import drawing
from gan.pictures.sources import Source, find
from gan.study.loading import load_study

FOLDER = Path(".scratch/pictures")  # git and DVC ignore it, and `make clean` removes it


def sample(
    variant: str, epoch: int | None, seed: int | None, count: int, latents: int, output: Path | None, arrays: bool
) -> None:
    """Draw `count` images from the latents of the seed `latents`, in rows about as many as columns.

    With `arrays`, a file of the same name but for .npz has `images` float32 `[image, height, width]` in [-1, 1] and
    their `latents` `[image, latent_dim]`.
    """
    source = _found(variant, seed, epoch)
    path = output or FOLDER / f"{variant}-seed-{source.seed}-epoch-{source.epoch}.png"
    _check_name(path)
    shown = drawing.latents(source.recipe.latent_dim, latents, count)
    images = drawing.draw(source.recipe, source.state, shown)
    _save(path, drawing.png(drawing.in_rows(images, ceil(sqrt(count)))))
    if arrays:
        content = BytesIO()
        np.savez_compressed(content, images=images.numpy(), latents=shown.numpy())
        _save(path.with_suffix(".npz"), content.getvalue())


def interpolate(
    variant: str, epoch: int | None, seed: int | None, ends: tuple[int, int], steps: int, output: Path | None
) -> None:
    """Draw a row of `steps` images on the way between the latents of two seeds, `ends`."""
    source = _found(variant, seed, epoch)
    start, end = ends
    name = f"{variant}-seed-{source.seed}-epoch-{source.epoch}-from-{start}-to-{end}.png"
    path = output or FOLDER / name
    _check_name(path)
    _save(path, drawing.png(drawing.interpolations(source.recipe, source.state, [ends], steps)))


def _found(variant: str, seed: int | None, epoch: int | None) -> Source:
    """The generator, which is named on stdout."""
    torch.set_num_threads(1)  # as the published pictures are drawn: the last digits depend on the order of additions
    source = find(load_study(), variant, seed, epoch)
    print(f"{variant}, seed {source.seed}, after {counted(source.epoch, 'epoch')}, from {source.path}")
    return source


def _check_name(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise StudyError(f"{path}: a picture's name ends in .png")


def _save(path: Path, content: bytes) -> None:
    write(path, content)
    print(f"Written to {path}")
