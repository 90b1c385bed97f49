"""Checkpoints of populations in training, a sealed file for each, so that an interruption costs little.

A run's `origin` is the preregistration's checksum when it was begun, and all hardware and versions that trained it.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from gan.compute.store import common
from gan.files import DamagedError, read_sealed, write_sealed
from gan.training.loop import Checkpoint, Run

RECORD = "record"  # the tensor that holds, as JSON, everything that is no tensor


class CheckpointFile:
    """A `gan.training.loop.Saver` that keeps a population's last checkpoint in `folder` and renews it after `seconds`.

    `origin` is the origin of runs that begin now.
    """

    def __init__(self, folder: Path, seeds: Sequence[int], seconds: float, origin: dict[str, Any]) -> None:
        name = hashlib.sha256(json.dumps(list(seeds)).encode()).hexdigest()[:16]
        self._path = folder / f"{name}.checkpoint"
        self._seconds = seconds
        self._origins = [origin]
        self._renewed = time.monotonic()

    def load(self) -> Checkpoint | None:
        if not self._path.exists():
            return None
        checkpoint, origins = _read(self._path)
        self._origins = [*origins, *(origin for origin in self._origins if origin not in origins)]
        return checkpoint

    @property
    def origin(self) -> dict[str, Any]:
        """The preregistration's checksum when the runs were begun, and all hardware and versions that trained them."""
        first, *_ = self._origins
        trained_by = {name: common(origin[name] for origin in self._origins) for name in ("hardware", "versions")}
        return {**first, **trained_by}

    def save(self, take: Callable[[], Checkpoint]) -> None:
        if time.monotonic() - self._renewed >= self._seconds:
            write_sealed(self._path, pack(take(), self._origins))
            self._renewed = time.monotonic()


def unfinished(folder: Path, missing: Collection[int]) -> list[list[int]]:
    """The seeds of each population in `folder` that has a checkpoint and a missing run; other checkpoints are removed.

    Damaged checkpoints are removed with a warning: their runs start anew.
    """
    populations = []
    for path in sorted(folder.glob("*.checkpoint")):
        try:
            seeds = [run.seed for run in _read(path)[0].runs]
        except DamagedError as damage:
            print(f"warning: {damage}: its runs start anew", file=sys.stderr)
            seeds = []
        if set(seeds) & set(missing):
            populations.append(seeds)
        else:
            path.unlink()
    return populations


def _read(path: Path) -> tuple[Checkpoint, list[dict[str, Any]]]:
    try:
        return unpack(read_sealed(path))
    except (SafetensorError, KeyError):
        raise DamagedError(f"{path} is damaged") from None


def pack(checkpoint: Checkpoint, origins: list[dict[str, Any]]) -> bytes:
    """A safetensors file: the state, the generators kept so far, and the rest as JSON. Reading it executes nothing."""
    tensors = {f"state/{name}": tensor for name, tensor in checkpoint.state.items()}
    for place, run in enumerate(checkpoint.runs):
        for epoch, parameters in run.generators.items():
            tensors |= {f"{place}/{epoch}/{name}": torch.from_numpy(values) for name, values in parameters.items()}
    runs = [{name: value for name, value in vars(run).items() if name != "generators"} for run in checkpoint.runs]
    record = json.dumps({"epoch": checkpoint.epoch, "runs": runs, "origins": origins}).encode()
    return save({**tensors, RECORD: torch.frombuffer(bytearray(record), dtype=torch.uint8)})


def unpack(content: bytes) -> tuple[Checkpoint, list[dict[str, Any]]]:
    """What `pack` has packed; KeyError if something is missing."""
    tensors = load(content)
    record = json.loads(tensors.pop(RECORD).numpy().tobytes())
    runs = [Run(**values) for values in record["runs"]]
    state = {}
    for name, tensor in tensors.items():
        owner, rest = name.split("/", 1)
        if owner == "state":
            state[rest] = tensor
        else:
            epoch, parameter = rest.split("/")
            runs[int(owner)].generators.setdefault(int(epoch), {})[parameter] = tensor.numpy()
    return Checkpoint(record["epoch"], runs, state), record["origins"]
