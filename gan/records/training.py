"""How runs were trained: reports/training/<variant>.json of a variant's, reports/trials/*.json of an experiment's.

The stage `train` writes the former, `ladder` and `search` the latter.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal


@dataclass(frozen=True)
class Failure:
    """The epoch in which a run diverged, and what stopped being finite."""

    epoch: int
    cause: str


@dataclass(frozen=True)
class TrainedRun:
    """One run; `seconds` is its share of the time, `preregistration` the checksum of what was declared then."""

    seed: int
    key: str
    status: Literal["finished", "failed"]
    failure: Failure | None
    seconds: float
    preregistration: str


@dataclass(frozen=True)
class Machine:
    """What runs were trained on; where runs of one record differ, a value names all."""

    device: str
    name: str
    cores: int | str
    arithmetic: str


@dataclass(frozen=True)
class Hardware(Machine):
    """A machine, and how many workers trained there at a time."""

    workers: int | str


@dataclass(frozen=True)
class Checksums:
    """SHA-256, in hex, of the code that decides the weights and of the training images."""

    code: str
    data: str


@dataclass(frozen=True)
class Training:
    """All runs of a variant; `parameters` are its recipe, `seconds` the wall time of its training stage."""

    variant: str
    parameters: dict[str, Any]
    checksums: Checksums
    hardware: Hardware
    versions: dict[str, str]
    seconds: float
    runs: list[TrainedRun]

    @property
    def seconds_per_epoch(self) -> float | None:
        """A run's mean time for an epoch, by which scores after so many epochs have a cost; None if none finished."""
        finished = [run.seconds for run in self.runs if run.status == "finished"]
        return fmean(finished) / self.parameters["epochs"] if finished else None


@dataclass(frozen=True)
class Provenance:
    """What an experiment's trials were trained on and with; `seconds` is how long each took, by its run's key.

    `code` is the SHA-256, in hex, of the code that decides the weights; `preregistration` is as a run's.
    """

    code: str
    hardware: Machine
    versions: dict[str, str]
    preregistration: str
    seconds: dict[str, float]
