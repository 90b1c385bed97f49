"""Trained runs on disk: a folder for each run with its generators and run.json, which has their checksums."""

import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save

from gan.files import (
    DamagedError,
    check,
    read_json,
    read_sealed_json,
    remove_others,
    sha256,
    write,
    write_json,
    write_sealed_json,
)
from gan.training.loop import Run


def save_run(run: Run, folder: Path, origin: dict[str, Any]) -> None:
    """Write a trained run to its folder. run.json comes last: without it the run is not complete.

    `origin` has the hardware and versions that trained it, and the preregistration's checksum when it was begun.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files = {}
    for epoch, parameters in run.generators.items():
        path = folder / generator_file(epoch)
        write(path, save(parameters))
        files[path.name] = sha256(path)
    record = asdict(run)
    del record["generators"]
    write_sealed_json(folder / "run.json", {**record, **origin, "status": run.status, "files": files})


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a run with all its files, each as recorded; a damaged file is named on stderr."""
    try:
        for name, digest in read_sealed_json(folder / "run.json")["files"].items():
            check(folder / name, digest)
    except FileNotFoundError:
        return False
    except DamagedError as damage:
        print(f"warning: {damage}: the run is trained anew", file=sys.stderr)
        return False
    return True


def is_exported(folder: Path, seed: int, key: str) -> bool:
    """Whether an exported variant's folder holds the run with this key, with all its files as recorded."""
    place = seed_folder(folder, seed)
    try:
        for name, digest in read_json(place / "run.json", "files").items():
            check(place / name, digest)
        return read_json(place / "run.json", "key") == key
    except (OSError, DamagedError):
        return False


def export_runs(kept: dict[str, Path], folder: Path) -> list[dict[str, Any]]:
    """Copy kept runs (run key to folder) into `folder`, a subfolder for each seed; return their records and keys.

    Equal runs give equal bytes there, so the copies have no durations. What an earlier export has left of other seeds
    and epochs is removed, and nothing else.
    """
    records, exported = [], set()
    for key, source in kept.items():
        record = {**read_sealed_json(source / "run.json"), "key": key}
        target = seed_folder(folder, record["seed"])
        for name in record["files"]:
            write(target / name, (source / name).read_bytes())
        shown = ("seed", "key", "status", "failure", "files")
        write_json(target / "run.json", {name: record[name] for name in shown})
        exported |= {target / name for name in (*record["files"], "run.json")}
        records.append(record)
    remove_others(folder, "seed-*/generator-*.safetensors", exported)
    remove_others(folder, "seed-*/run.json", exported)
    return records


def common(descriptions: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The value that all runs share, for each key; where they differ, all values in one string."""
    distinct: dict[str, list[Any]] = {}
    for description in descriptions:
        for name, value in description.items():
            values = distinct.setdefault(name, [])
            if value not in values:
                values.append(value)
    return {name: values[0] if len(values) == 1 else " / ".join(map(str, values)) for name, values in distinct.items()}


def history_table(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """All runs' histories, one row per seed and epoch."""
    rows = [{"seed": record["seed"], **row} for record in records for row in record["history"]]
    return pd.DataFrame(rows or {"seed": [], "epoch": []}).astype({"seed": int, "epoch": int})


def load_record(folder: Path, seed: int) -> dict[str, Any]:
    """An exported run's seed, key, status, failure and files."""
    return read_json(seed_folder(folder, seed) / "run.json")


def load_generator(folder: Path, seed: int, epoch: int) -> dict[str, np.ndarray]:
    """A generator's parameters, named as in the tutorial's module; DamagedError if the file is not the recorded one."""
    name = generator_file(epoch)
    path = seed_folder(folder, seed) / name
    if sha256(path) != read_json(path.with_name("run.json"), "files", name):
        raise DamagedError(f"{path} is damaged: remove {folder} and train again (finished runs are kept)")
    return load_file(path)


def kept_record(folder: Path) -> dict[str, Any]:
    """What is recorded of a kept run; DamagedError if it is not what was written."""
    return read_sealed_json(folder / "run.json")


def kept_generator(folder: Path, epoch: int) -> dict[str, np.ndarray]:
    """A kept run's generator, named as in the tutorial's module; DamagedError if the file is not the recorded one."""
    path = folder / generator_file(epoch)
    check(path, kept_record(folder)["files"][path.name])
    return load_file(path)


def seed_folder(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}"


def generator_file(epoch: int) -> str:
    """The name of a snapshot's file within its run's folder."""
    return f"generator-{epoch:04d}.safetensors"
