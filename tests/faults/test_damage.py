"""Damage on disk is noticed before use, and mended or refused; a full disk costs nothing that was there."""

import os
import random
import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Pipeline, contents

from gan.compute.store import is_whole, load_generator
from gan.environment import own
from gan.errors import StudyError
from gan.evaluation.classifier import Classifier, load_classifiers
from gan.files import read_sealed_json
from gan.images import load

pytestmark = pytest.mark.slow  # they need a small study

KINDS = ("a flipped byte", "a missing byte")


def damage(path: Path, injection: int) -> None:
    """Flip a bit of one byte, or take the byte out, at a random place."""
    content, chance = bytearray(path.read_bytes()), random.Random(injection)
    place = chance.randrange(len(content))
    if injection % len(KINDS):
        del content[place]
    else:
        content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def read_data(folder: Path) -> list[torch.Tensor]:
    return [tensor for split in ("train", "test") for tensor in load(folder, split)]


def read_classifiers(folder: Path) -> list[torch.Tensor]:
    return [tensor for model in load_classifiers(folder) for tensor in Classifier.state_dict(model).values()]


def read_generators(folder: Path) -> list[np.ndarray]:
    return [of for seed in (0, 1) for epoch in (40, 120) for of in load_generator(folder, seed, epoch).values()]


@pytest.mark.fault(
    "a byte flipped or missing in images, classifier or generator",
    full=300,
    short=30,
    note="refused by name, unless what was read is what was written",
)
def test_damage_to_what_is_loaded(finished: Pipeline, tmp_path: Path, injection: int, record_property) -> None:
    places = {"data/digits": read_data, "models/digits": read_classifiers, "runs/minimax": read_generators}
    place = sorted(places)[injection % len(places)]
    folder = shutil.copytree(finished.folder / place, tmp_path / "x")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = random.Random(injection).choice(files)
    damage(path, injection)
    told = ""
    try:
        found = places[place](folder)
    except (StudyError, FileNotFoundError) as refusal:
        told = str(refusal)
    if told:
        assert str(folder) in told
        assert "\n" not in told
    else:
        assert path.suffix == ".json"  # what it records beside the checksums decides nothing
        assert all(map(np.array_equal, found, places[place](finished.folder / place)))
    record_property("identical", True)


@pytest.mark.fault(
    "a byte flipped or missing in a kept run", full=100, short=10, note="named, and the run is trained anew"
)
def test_damage_to_a_kept_run(
    finished: Pipeline, tmp_path: Path, injection: int, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = sorted(path.parent for path in finished.folder.glob(".work/runs/*/*/run.json"))
    folder = shutil.copytree(random.Random(injection).choice(kept), tmp_path / "run")
    record = read_sealed_json(folder / "run.json")
    path = random.Random(injection).choice(sorted(folder.iterdir()))
    damage(path, injection)
    if is_whole(folder):
        assert read_sealed_json(folder / "run.json") == record  # white space was hit
    else:
        assert capsys.readouterr().err == f"warning: {path} is damaged: the run is trained anew\n"


@pytest.mark.fault(
    "a byte flipped or missing in anything that a finished study has",
    full=8,
    note="`dvc repro` makes it anew; what it decides comes out the same",
)
def test_damage_to_a_finished_study(finished: Pipeline, tmp_path: Path, injection: int, record_property) -> None:
    study = finished.copy(tmp_path / "project")
    places = ("data", "models", "runs", "reports/metrics", "reports/history", "reports/snapshots", "reports/samples")
    place = study.folder / places[injection % len(places)]
    path = random.Random(injection).choice(sorted(path for path in place.rglob("*") if path.is_file()))
    damage(path, injection)
    assert re.search(r"Running stage '|' is cached - skipping run", study.reproduce("compare"))
    assert study.results() == finished.results()
    record_property("identical", True)


@pytest.mark.fault(
    "a byte flipped or missing in a checkpoint", short=0, full=4, note="named and removed; its runs start anew"
)
def test_damage_to_a_checkpoint(
    begun: Pipeline, finished: Pipeline, tmp_path: Path, injection: int, record_property
) -> None:
    study = begun.copy(tmp_path / "project")
    trainer = study.start(sys.executable, "-m", "stages.train", "minimax")
    while not (checkpoints := list(study.folder.glob(".work/runs/*/checkpoints/*/*.checkpoint"))):
        assert trainer.poll() is None, "it was too quick"
    os.killpg(trainer.pid, signal.SIGKILL)
    trainer.communicate()
    damage(checkpoints[0], injection)
    assert "checkpoint is damaged: its run starts anew" in study.reproduce("compare")
    assert study.results() == finished.results()
    record_property("identical", True)


# Imported by every Python that starts with this on its path: the disk is full at so many writes.
FULL_DISK = """
import errno, os
written, fsync = 0, os.fsync
def full(file):
    global written
    written += 1
    if written == {}:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    fsync(file)
os.fsync = full
"""


@pytest.mark.fault(
    "a full disk at a random write of training",
    full=6,
    note="one line names the file, of which nothing is left; the next call goes on",
)
def test_a_full_disk(begun: Pipeline, finished: Pipeline, tmp_path: Path, injection: int, record_property) -> None:
    study = begun.copy(tmp_path / "project")
    (tmp_path / "sitecustomize.py").write_text(FULL_DISK.format(random.Random(injection).randint(1, 15)))
    train = (sys.executable, "-m", "stages.train", "minimax")
    trainer = study.start(*train, env=own(os.environ) | {"PYTHONPATH": str(tmp_path)})
    printed, _ = trainer.communicate()
    assert trainer.returncode == 1, printed
    *_, told = printed.splitlines()
    assert re.fullmatch("error: [^ ]+: No space left on device: free some space, then run it again", told)
    assert not list(study.folder.rglob(".*.part"))
    for place in ("data", "models"):
        assert contents(study.folder / place) == contents(begun.folder / place)
    trainer = study.start(*train)
    printed, _ = trainer.communicate()
    assert trainer.returncode == 0, printed
    assert contents(study.folder / "runs/minimax") == contents(finished.folder / "runs/minimax")
    record_property("identical", True)
