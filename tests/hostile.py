"""Input for the tests of the readers of params.yaml and of images: valid, and spoilt in many ways."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from io import StringIO
from operator import getitem
from pathlib import Path
from typing import Any

from conftest import TESTS, idx
from ruamel.yaml import YAML

from gan.data.download import parse_idx
from gan.errors import StudyError
from gan.images import DataError
from gan.study.loading import load_study
from gan.study.schema import Study


def bomb(levels: int, key: str) -> str:
    """Lists of ten aliases each, so that `key` stands for 10^levels texts."""
    lists = [
        f"l0: &l0 [{', '.join(10 * 'x')}]",
        *(f"l{n + 1}: &l{n + 1} [{', '.join(10 * [f'*l{n}'])}]" for n in range(levels)),
    ]
    return "\n".join([*lists, f"{key}: *l{levels}"])


NO_STUDIES = [
    ("baseline: {epochs: 1, epochs: 2}", 'found duplicate key "epochs"'),
    ("variants:\n  a: {}\n  a: {}\n", 'found duplicate key "a"'),
    ("baseline: [1, 2", "line"),
    ("- 1\n- 2\n", "valid dictionary"),
    ("", "valid dictionary"),
    ("a: !!python/object/apply:os.system [true]", "tag"),
    ("a: &a [*a]\n", "data: Field required"),
    ("a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]\n", "data: Field required"),
    ("a: " + 5_000 * "[" + 5_000 * "]", "nested too deep"),
    ("a: [" + 5_000_000 * "1," + "]", "larger than 30,000 bytes, which no study needs"),
    (3_000 * "? ", "nested too deep"),
    ("a: &a {b: 1}\nc: {<<: [*a, *a]}\n", "line 2: a study has no use for the tag merge"),
    ("a: !!omap [b: 1, b: 2]", "line 1: a study has no use for the tag omap"),
    ("a: 1\nb: 2020-13-45", "line 2: a study has no use for the tag timestamp"),
    ("? [a]\n: 1", "line 1: a list or a mapping can't be a key"),
    ("a: !!int ''", "line 1: '' is no int"),
    ("a: " + 5_000 * "9", "line 1: '999.*' is no int"),
    ("data: 0x" + 5_000 * "f", "data: .*, not so large a number"),
    ("{" + 1_000 * "a" + ": 1, " + 1_000 * "a" + ": 2}", "found duplicate key"),
    (bomb(9, "data"), r"data: Input should be a valid dictionary or instance of Data, not \[\[\[\.\.\.\]"),
    ("a: \0", "special characters are not allowed"),
    ("a: 1\n---\nb: 1\n", "another document"),
]


def unshared(value: Any) -> Any:
    """A copy in which no two places are one object, as YAML's aliases make them."""
    if isinstance(value, dict):
        return {key: unshared(below) for key, below in value.items()}
    return [unshared(below) for below in value] if isinstance(value, list) else value


PARAMS = unshared(YAML(typ="safe", pure=True).load(TESTS / "params.yaml"))
HOSTILE_TEXTS = ("../../etc/passwd", "'\"", "<script>alert(1)</script>", "two\nlines", "`$(id)`", "{{ 7 * 7 }}", "")


@dataclass(frozen=True)
class Change:
    """One wrong key of params.yaml: another value, another name for it, or the key removed."""

    kind: str
    path: tuple[str | int, ...]
    key: str | int | None = None
    value: Any = None

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))} {self.kind}"

    def made(self) -> dict[str, Any]:
        """The tests' parameters with the change."""
        params = deepcopy(PARAMS)
        *parents, last = self.path
        place = reduce(getitem, parents, params)
        if self.key == last:
            place[last] = self.value
        else:
            del place[last]
            if self.key is not None:
                place[self.key] = self.value
        return params


def keys(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The paths of all keys and, in lists, of all mappings and of the first other entry."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, below in value.items():
            yield from keys(below, (*path, key))
    elif isinstance(value, list):
        for place, below in enumerate(value):
            if place == 0 or isinstance(below, dict):
                yield from keys(below, (*path, place))


def as_yaml(params: Any) -> bytes:
    text = StringIO()
    YAML(pure=True).dump(params, text)
    return text.getvalue().encode()


def as_written(study: Study) -> dict[str, Any]:
    """What a params.yaml of the study holds; in JSON, keys that are numbers would be texts."""
    params = study.model_dump(mode="json")
    params["evaluate"]["scores"] = {epoch: list(averaged) for epoch, averaged in study.evaluate.scores.items()}
    return params


def study_of(path: Path, content: bytes) -> Study | None:
    """The study in a file, or None if it is refused in one short line."""
    path.write_bytes(content)
    try:
        return load_study(path)
    except StudyError as error:
        told = str(error)
    assert told.startswith(str(path))
    assert "\n" not in told
    assert len(told) < 600
    return None


def check_idx(content: bytes) -> bool:
    """Whether the bytes are an idx file, whose array must have the same content; else one line must name the file."""
    try:
        array = parse_idx(content, "some-file")
    except DataError as error:
        told = str(error)
    else:
        assert idx(array) == content
        return True
    assert told.startswith("some-file: ")
    assert "\n" not in told
    return False
