"""Hostile input: params.yaml with every key wrong, files that are no study, pickles instead of weights."""

import math
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hostile import HOSTILE_TEXTS, NO_STUDIES, PARAMS, Change, keys

from gan import errors
from gan.audit.recipes import check_study
from gan.compute.checkpoints import begun
from gan.compute.store import generator_file, load_generator, seed_folder
from gan.errors import StudyError
from gan.evaluation.classifier import load_classifiers
from gan.files import sha256, write_json, write_sealed
from gan.images import load
from gan.study.loading import load_study

NAMED = {PARAMS["compare"]["reference"], PARAMS["mechanism"]["variant"]} | {
    contrast[side]
    for family in ("hypotheses", "controls")
    for contrast in PARAMS["compare"][family]
    for side in ("variant", "against")
}


def changes() -> Iterator[Change]:
    for path, value in keys(PARAMS):
        last = path[-1]
        if isinstance(last, str):
            yield Change("removed", path)
            yield Change("misspelt", path, last[:-1] + ("x" if last[-1] != "x" else "y"), value)
        yield Change("of a wrong type", path, last, ["wrong"] if isinstance(value, dict) else {"wrong": "type"})
        if type(value) in (int, float):
            yield from (Change(str(number), path, last, number) for number in ("1e-3", math.nan, math.inf, -1))
        if isinstance(value, str):
            yield from (Change(f"is {text!r}", path, last, text) for text in HOSTILE_TEXTS)
        if path[0] == "variants" and len(path) == 2:
            yield from (Change(f"is named {text!r}", path, text, value) for text in HOSTILE_TEXTS)


def is_allowed(change: Change) -> bool:
    """Whether the change makes another valid study."""
    if change.path[:2] == ("ladder", "rungs") and len(change.path) > 2:  # a rung is its own to name, and may be less
        return change.kind == "removed" or (change.kind == "misspelt" and len(change.path) == 3)
    if change.kind == "removed" and change.path[0] == "variants":
        recipe = reduce(getitem, change.path[:2], PARAMS) if len(change.path) > 1 else {}
        needs_terms = "encoder_hidden" in recipe or recipe.get("adversarial") == 0
        essential = {"terms", "encoder_hidden"} if needs_terms else set()
        match change.path:
            case (_, name):
                return name not in NAMED
            case (_, _, key):
                return key not in essential
            case (_, _, "terms" | "pinned" as key, _):
                return key not in essential
        return False
    if change.kind == "removed":
        *above, last = change.path  # the images are MNIST's
        return tuple(above) in (("data", "mirrors"), ("classify", "least_accuracy")) and last != "mnist"
    if change.kind == "misspelt":
        return change.path[0] == "variants" and len(change.path) == 2 and change.path[1] not in NAMED
    return change.value in HOSTILE_TEXTS[:-1] and (change.path[-1] == "text" or "mirrors" in change.path)


def shuffled(allowed: bool) -> list[Change]:
    chosen = [change for change in changes() if is_allowed(change) == allowed]
    return random.Random(0).sample(chosen, len(chosen))


REFUSED, ALLOWED = shuffled(allowed=False), shuffled(allowed=True)
Write = Callable[[dict[str, Any]], Path]


@pytest.mark.fault(
    "params.yaml amiss at one key", full=len(REFUSED), short=40, note="is refused, in one line that names the key"
)
def test_what_is_wrong_is_refused_by_name(write_params: Write, injection: int) -> None:
    change = REFUSED[injection]
    with pytest.raises(StudyError) as caught:
        check_study(load_study(write_params(change.made())))
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 600
    *above, last = map(str, change.path)
    if above == ["variants"] and last in NAMED:
        above = []  # what names the variant is wrong now
    names = {last, " ".join(str(last if change.key is None else change.key).split())}
    if last == "name" and above[-1].endswith("_optimizer"):
        names.add("momentum")  # without its name SGD reads as the baseline's Adam, which has none
    assert any(all(part in told for part in (*above, name)) for name in names), told


@pytest.mark.fault(
    "params.yaml that is another study", full=len(ALLOWED), short=10, note="is taken: a variant renamed, an odd text"
)
def test_what_is_another_study_is_taken(write_params: Write, injection: int) -> None:
    check_study(load_study(write_params(ALLOWED[injection].made())))


@pytest.mark.fault(
    "params.yaml that is no study",
    full=len(NO_STUDIES),
    short=3,
    note="is refused by the command line in one line, be it a bomb or 10 MB",
)
def test_what_is_no_study_is_one_line_on_stderr(tmp_path: Path, injection: int) -> None:
    text, _ = NO_STUDIES[injection]
    (tmp_path / "params.yaml").write_text(text)
    command, environment = [sys.executable, "-m", "gan", "check"], {"PYTHONPATH": str(ROOT), "PATH": ""}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: params.yaml")
    assert ended.stderr.count("\n") == 1


class Fire:
    """A pickle of it leaves a file behind when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable, tuple[Path]]:
        return Path.touch, (self.path,)


def in_data(folder: Path, content: bytes) -> Callable[[], Any]:
    path = folder / "train.safetensors"
    path.write_bytes(content)
    write_json(folder / "data.json", {"sha256": {"train": sha256(path)}})
    return lambda: load(folder, "train")


def in_classifier(folder: Path, content: bytes) -> Callable[[], Any]:
    path = folder / "classifier-0.safetensors"
    path.write_bytes(content)
    write_json(folder / "classifiers.json", {"sha256": {path.name: sha256(path)}})
    return lambda: load_classifiers(folder)


def in_generator(folder: Path, content: bytes) -> Callable[[], Any]:
    path = seed_folder(folder, 0) / generator_file(1)
    path.parent.mkdir()
    path.write_bytes(content)
    write_json(path.parent / "run.json", {"files": {path.name: sha256(path)}})
    return lambda: load_generator(folder, 0, 1)


WEIGHTS = (in_data, in_classifier, in_generator)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.fault(
    "a pickle for weights or images, its checksum recorded",
    full=len(WEIGHTS) * len(PROTOCOLS),
    short=len(WEIGHTS),
    note="is refused unexecuted, in one line",
)
def test_a_pickle_is_refused_unexecuted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], injection: int
) -> None:
    protocol, place = divmod(injection, len(WEIGHTS))
    command = WEIGHTS[place](tmp_path, pickle.dumps(Fire(tmp_path / "fire"), protocol))
    monkeypatch.setattr(sys, "argv", ["gan"])
    with pytest.raises(SystemExit) as ended:
        errors.run(command)
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("error: a file of weights or images is no safetensors")
    assert told.count("\n") == 1
    assert not (tmp_path / "fire").exists()


@pytest.mark.fault(
    "a pickle for a checkpoint, sealed", full=len(PROTOCOLS), note="is removed unexecuted, and its runs start anew"
)
def test_a_sealed_pickle_is_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str], injection: int) -> None:
    path = tmp_path / "0.checkpoint"
    write_sealed(path, pickle.dumps(Fire(tmp_path / "fire"), injection))
    assert begun(tmp_path, ["0"]) == {"0": 0}
    assert capsys.readouterr().err == f"warning: {path} is damaged: its run starts anew\n"
    assert not list(tmp_path.iterdir())
