"""Publish what one variant's generators draw: runs/<variant>/ to reports/generators/, strips/ and interpolations/."""

from pathlib import Path

import torch

from gan import errors
from gan.compute import store
from gan.files import write, write_json
from gan.images import SIDE
from gan.pictures import drawing
from gan.pictures.published import Origin, save_generator
from gan.pictures.record import Strip
from gan.pictures.sources import RUNS, kept_epochs
from gan.study.loading import load_study


def main(variant: str) -> None:
    publish(variant, Path("reports"))


def publish(variant: str, reports: Path) -> None:
    """The first seed's last generator, its images over the epochs, and those between four pairs of latents."""
    torch.set_num_threads(1)  # as in the workers: the last digits depend on the order of additions
    recipe, folder = load_study().variant(variant), RUNS / variant
    seed = recipe.seeds[0]
    epochs = kept_epochs(folder, recipe, seed)
    states = [store.load_generator(folder, seed, epoch) for epoch in epochs]
    last, final = (epochs[-1], states[-1]) if epochs else (0, {})
    origin = Origin(
        variant=variant,
        seed=seed,
        epoch=last,
        key=store.load_record(folder, seed)["key"],
        data=recipe.data,
        networks=recipe.networks,
        latent_dim=recipe.latent_dim,
        generator_hidden=list(recipe.generator_hidden),
    )
    save_generator(reports / f"generators/{variant}.safetensors", origin, final)
    strip = drawing.strip(recipe, states)
    write(reports / f"strips/{variant}.png", drawing.png(strip))
    record = Strip(variant, seed, recipe.data, SIDE, strip.shape[1], epochs)
    write_json(reports / f"strips/{variant}.json", record)
    write(reports / f"interpolations/{variant}.png", drawing.png(drawing.interpolations(recipe, final)))


if __name__ == "__main__":
    errors.run(main)
