"""Checkpoints of runs in training, a sealed file for each, so that an interruption costs little.

A run's checkpoint knows nothing of the runs that were trained beside it, so it goes on in any population. Its `origin`
is the preregistration's checksum when it was begun, and all hardware and versions that trained it.
"""

import json
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gan.compute.store import common
from gan.files import DamagedError, read_sealed, write_json, write_sealed
from gan.training.loop import Checkpoint, Run

SHOWING = 0.01  # of the training's time that it may take to show how far the runs are
RECORD = "record"  # the tensor that holds, as JSON, everything that is no tensor


class CheckpointFolder:
    """A `gan.training.loop.Saver` of the runs with these keys; their checkpoints are renewed after `seconds`.

    What a run has measured so far lies beside its checkpoint, for those who follow the training. It is renewed after an
    epoch, unless that would take a noticeable share of the time. `origin` is the origin of runs that begin now. All the
    runs, or none, have a checkpoint, after the same epoch.
    """

    def __init__(self, folder: Path, keys: Sequence[str], seconds: float, origin: dict[str, Any]) -> None:
        self._paths = [_path(folder, key) for key in keys]
        self._seconds = seconds
        self._here = origin
        self._origins: list[list[dict[str, Any]]] = [[origin] for _ in keys]
        self._renewed = time.monotonic()
        self._folder, self._keys = folder, keys
        self._show_again = 0.0

    def load(self) -> Checkpoint | None:
        if not all(path.exists() for path in self._paths):
            self._show([[] for _ in self._keys])
            return None
        parts = [_read(path) for path in self._paths]
        for place, (_, origins) in enumerate(parts):
            self._origins[place] = origins if self._here in origins else [*origins, self._here]
        checkpoints = [checkpoint for checkpoint, _ in parts]
        runs = [run for checkpoint in checkpoints for run in checkpoint.runs]
        self._show([run.history for run in runs])
        return Checkpoint(checkpoints[0].epoch, runs, [state for each in checkpoints for state in each.states])

    @property
    def origins(self) -> list[dict[str, Any]]:
        """Each run's preregistration's checksum when it was begun, and all hardware and versions that trained it."""
        return [
            first | {name: common(origin[name] for origin in (first, *later)) for name in ("hardware", "versions")}
            for first, *later in self._origins
        ]

    def save(self, take: Callable[[], Checkpoint]) -> None:
        started = time.monotonic()
        is_due = started - self._renewed >= self._seconds
        if not is_due and started < self._show_again:
            return
        checkpoint = take()
        self._show([run.history for run in checkpoint.runs])
        now = time.monotonic()
        self._show_again = now + (now - started) / SHOWING
        if not is_due:
            return
        for path, run, state, origins in zip(
            self._paths, checkpoint.runs, checkpoint.states, self._origins, strict=True
        ):
            write_sealed(path, pack(checkpoint.epoch, run, state, origins))
        self._renewed = time.monotonic()

    def _show(self, histories: Sequence[list[dict[str, float]]]) -> None:
        with suppress(OSError):  # a full disk: nothing else is lost
            for key, history in zip(self._keys, histories, strict=True):
                write_json(self._folder / history_file(key), history)


def history_file(key: str) -> str:
    """The name of the file with a row for each epoch that a run in training has completed."""
    return f"{key}.history.json"


def begun(folder: Path, keys: Collection[str]) -> dict[str, int]:
    """How many epochs each of these runs has been trained, by its checkpoint in `folder`; 0 without one.

    Damaged checkpoints are removed with a warning: their runs start anew.
    """
    epochs = dict.fromkeys(keys, 0)
    for key in keys:
        try:
            epochs[key] = _read(_path(folder, key))[0].epoch
        except FileNotFoundError:
            continue
        except DamagedError as damage:
            print(f"warning: {damage}: its run starts anew", file=sys.stderr)
            remove(folder, key)
    return epochs


def remove(folder: Path, key: str) -> None:
    """Remove a run's checkpoint and what it has shown, if there is any."""
    for path in (_path(folder, key), folder / history_file(key)):
        path.unlink(missing_ok=True)


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.checkpoint"


def _read(path: Path) -> tuple[Checkpoint, list[dict[str, Any]]]:
    try:
        return unpack(read_sealed(path))
    except (SafetensorError, KeyError):
        raise DamagedError(f"{path} is damaged") from None


def pack(epoch: int, run: Run, state: dict[str, Tensor], origins: list[dict[str, Any]]) -> bytes:
    """A safetensors file: the state, the generators kept so far, and the rest as JSON. Reading it executes nothing."""
    tensors = {f"state/{name}": tensor for name, tensor in state.items()}
    for kept, parameters in run.generators.items():
        tensors |= {f"{kept}/{name}": torch.from_numpy(values) for name, values in parameters.items()}
    values = {name: value for name, value in vars(run).items() if name != "generators"}
    record = json.dumps({"epoch": epoch, "run": values, "origins": origins}).encode()
    return save({**tensors, RECORD: torch.frombuffer(bytearray(record), dtype=torch.uint8)})


def unpack(content: bytes) -> tuple[Checkpoint, list[dict[str, Any]]]:
    """What `pack` has packed, as a checkpoint of one run, and its origins; KeyError if something is missing."""
    tensors = load(content)
    record = json.loads(tensors.pop(RECORD).numpy().tobytes())
    run, state = Run(**record["run"]), {}
    for name, tensor in tensors.items():
        owner, parameter = name.split("/", 1)
        if owner == "state":
            state[parameter] = tensor
        else:
            run.generators.setdefault(int(owner), {})[parameter] = tensor.numpy()
    return Checkpoint(record["epoch"], [run], [state]), record["origins"]
