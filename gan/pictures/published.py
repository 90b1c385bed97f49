"""The generator of a variant that is published: a small file that a clone has, so that it can draw without training."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gan.files import DamagedError, write

ORIGIN = "origin"  # the entry of the header; one alone, because safetensors writes several in any order


@dataclass(frozen=True)
class Origin:
    """Where a published generator comes from: the run's variant, seed and key, and the epoch after which it was kept.

    `data` is what it was trained on; `networks`, `latent_dim` and `generator_hidden` say what it is. The epoch is 0,
    and the file has no weights, if the run has kept no generator.
    """

    variant: str
    seed: int
    epoch: int
    key: str
    data: str
    networks: str
    latent_dim: int
    generator_hidden: list[int]


@dataclass(frozen=True, eq=False)
class Published:
    """A published generator; `state` has its parameters in float32, named and shaped as in the tutorial's module."""

    origin: Origin
    state: dict[str, np.ndarray]


def save_generator(path: Path, origin: Origin, state: Mapping[str, np.ndarray]) -> None:
    """Write a generator and its origin; equal ones give equal bytes. Other networks in `state` are left out."""
    weights = {name: np.ascontiguousarray(part) for name, part in state.items() if name.startswith("model.")}
    write(path, save(weights, metadata={ORIGIN: json.dumps(asdict(origin))}))


def load_generator(path: Path) -> Published:
    """A published generator; DamagedError if the file is not one, FileNotFoundError if there is none."""
    if not path.exists():
        raise FileNotFoundError(2, "No such file", str(path))
    try:
        with safe_open(path, "numpy") as file:
            origin = TypeAdapter(Origin).validate_json((file.metadata() or {})[ORIGIN], strict=True)
            return Published(origin, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, KeyError, ValidationError):
        raise DamagedError(
            f"{path} is damaged: `git checkout {path}`, or `dvc repro --force --single-item publish@{path.stem}`"
        ) from None
