"""The generator that a user asks for: of the runs in runs/, else the published one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan.compute import store
from gan.errors import StudyError
from gan.formatting import joined
from gan.networks import registry
from gan.pictures.published import load_generator
from gan.study.recipe import Variant
from gan.study.schema import Study

RUNS = Path("runs")
PUBLISHED = Path("reports/generators")


@dataclass(frozen=True, eq=False)
class Source:
    """A generator of a variant's run, the run's key, and the file that it is from."""

    recipe: Variant
    seed: int
    key: str
    epoch: int
    state: dict[str, np.ndarray]
    path: Path


def published_file(variant: str) -> Path:
    """Where the variant's published generator is, seen from the project's folder."""
    return PUBLISHED / f"{variant}.safetensors"


def kept_epochs(folder: Path, recipe: Variant, seed: int) -> list[int]:
    """The epochs, ascending, whose generators an exported run has in a variant's folder."""
    files = store.load_record(folder, seed)["files"]
    return [epoch for epoch in recipe.checkpoints if store.generator_file(epoch) in files]


def find(study: Study, variant: str, seed: int | None = None, epoch: int | None = None, root: Path = Path()) -> Source:
    """The generator after `epoch` of the run of `seed`; without them the variant's first seed and its last generator.

    StudyError, which says what there is, if the variant is unknown or there is no such generator.
    """
    recipe = study.variant(variant)
    folder = root / RUNS / variant
    if not any(folder.glob("seed-*/run.json")):
        return published(study, variant, seed, epoch, root)
    seeds = [each for each in recipe.seeds if (store.seed_folder(folder, each) / "run.json").exists()]
    seed = recipe.seeds[0] if seed is None else seed
    if seed not in seeds:
        there = joined([*map(str, seeds)]) or "none of params.yaml"
        raise StudyError(f"{folder} has no run of seed {seed}; its seeds are {there}")
    place = store.seed_folder(folder, seed)
    chosen = _chosen(epoch, kept_epochs(folder, recipe, seed), place)
    key, state = store.load_record(folder, seed)["key"], store.load_generator(folder, seed, chosen)
    source = Source(recipe, seed, key, chosen, state, place / store.generator_file(chosen))
    return _fitting(source, f"`dvc repro train@{variant}` trains it anew")


def published(
    study: Study, variant: str, seed: int | None = None, epoch: int | None = None, root: Path = Path()
) -> Source:
    """The variant's published generator; StudyError if it is not of this seed and epoch, where these are given."""
    recipe, path = study.variant(variant), root / published_file(variant)
    training = f"`make variant NAME={variant}` trains it"
    if not path.exists():
        raise StudyError(f"{variant} has no generator: there is neither {root / RUNS / variant} nor {path}; {training}")
    found = load_generator(path)
    if seed not in (None, found.origin.seed):
        runs = root / RUNS / variant
        raise StudyError(
            f"{path} is the generator of seed {found.origin.seed}, not {seed}, and there is no {runs}: {training}"
        )
    chosen = _chosen(epoch, [found.origin.epoch] if found.origin.epoch else [], path)
    return _fitting(Source(recipe, found.origin.seed, found.origin.key, chosen, found.state, path), training)


def _chosen(epoch: int | None, kept: list[int], place: Path) -> int:
    """The epoch that is asked for, or the last one; StudyError if it is not among the kept ones."""
    if not kept:
        raise StudyError(f"{place} has no generator: the run diverged before its first one was kept")
    if epoch is None:
        return kept[-1]
    if epoch not in kept:
        there = f"there {'are those of epochs' if len(kept) > 1 else 'is that of epoch'} {joined([*map(str, kept)])}"
        raise StudyError(f"{place} has no generator of epoch {epoch}; {there}")
    return epoch


def _fitting(source: Source, remedy: str) -> Source:
    """The source; StudyError if its generator has other layers than the variant."""
    layers = registry.generator(source.recipe).layers
    expected = {f"model.{layer.place}.weight": layer.weight for layer in layers}
    expected |= {f"model.{layer.place}.bias": (layer.bias,) for layer in layers}
    given = {name: part.shape for name, part in source.state.items() if name.startswith("model.")}
    if given != expected:
        raise StudyError(f"{source.path} has other layers than params.yaml now says of its variant: {remedy}")
    return source
