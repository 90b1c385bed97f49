"""Runs as the trainer would export them, with untrained generators; the pixels of a picture."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from gan.compute.store import export_runs, save_run
from gan.networks import registry
from gan.networks.architecture import Network
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.training.loop import Run

ORIGIN = {"hardware": {}, "versions": {}, "preregistration": "declared"}


def keep(variant: Variant, name: str, root: Path, *seeds: int, epochs: tuple[int, ...] | None = None) -> None:
    """Runs of these seeds in `root`/runs, with a generator after each of `epochs`, or all that the variant keeps."""
    kept = {}
    for seed in seeds or variant.seeds:
        generators = {}
        for epoch in variant.checkpoints if epochs is None else epochs:
            network = Network(registry.generator(variant), [random_generator(seed, f"epoch {epoch}")])
            generators[epoch] = {part: values.numpy() for part, values in network.state(0).items()}
        failure = None if variant.epochs in generators else {"epoch": 2, "cause": "generator_loss not finite"}
        folder = root / f"kept/{name}-{seed}"
        save_run(Run(seed=seed, seconds=0.0, history=[], generators=generators, failure=failure), folder, ORIGIN)
        kept[f"key of {name} {seed}"] = folder
    export_runs(kept, root / "runs" / name)


def pixels(png: bytes | Path) -> np.ndarray:
    """The gray values `[row, column]` of a picture or its file."""
    content = png.read_bytes() if isinstance(png, Path) else png
    image = Image.open(BytesIO(content))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)
