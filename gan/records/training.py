"""reports/training/<variant>.json: how a variant's runs were trained. The stage `train` writes it."""

from dataclasses import dataclass
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
class Hardware:
    """What runs were trained on; where runs of one variant differ, a value names all."""

    device: str
    name: str
    cores: int | str
    arithmetic: str
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
