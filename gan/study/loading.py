"""From params.yaml to a valid `Study`; every defect becomes one line that names the key."""

import re
import reprlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from gan.errors import StudyError
from gan.formatting import nearest
from gan.study.recipe import OPTIMIZERS, Variant, complete
from gan.study.schema import Study

# No study needs a larger or deeper file: 300 variants have 23,000 bytes. The parser takes little more than a second for
# the worst file of this size.
MOST_BYTES = 30_000
MOST_LEVELS = 20


class _Short(reprlib.Repr):
    """Short, and without addresses, which may hold passwords."""

    def repr_str(self, value: str, level: int) -> str:
        return super().repr_str(_private(value), level)


_SHORT = _Short()
_SHORT.maxlevel = 2


class _Constructor(SafeConstructor):
    """Reads mappings, lists and scalars; every defect has a line number.

    The rest of YAML is refused: some of it fails with errors that name no line, and merge keys (<<) could take hours.
    """

    _KINDS = ("map", "seq", "str", "int", "float", "bool", "null")

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if kind not in self._KINDS:
            raise ConstructorError(problem=f"a study has no use for the tag {kind}", problem_mark=node.start_mark)
        if isinstance(node, MappingNode) and not all(isinstance(key, ScalarNode) for key, _ in node.value):
            raise ConstructorError(problem="a list or a mapping can't be a key", problem_mark=node.start_mark)
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError):
            raise ConstructorError(problem=f"{_shown(node.value)} is no {kind}", problem_mark=node.start_mark) from None

    def flatten_mapping(self, node: Node) -> None:
        """Leave merge keys where they are; `construct_object` refuses them."""


def load_study(path: Path = Path("params.yaml")) -> Study:
    """Read and validate a study; StudyError, one line that names the file and the key, if something is wrong."""
    return validate(read_yaml(path), path, path.parent)


def read_yaml(path: Path) -> Any:
    """The content of a small YAML file; StudyError, one line that names the file, if it can't be read."""
    content = _read(path)
    try:
        # The pure parser reads YAML 1.2, as DVC does: 1e-3 is a number, and a key given twice is an error.
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        yaml.max_depth = MOST_LEVELS
        return yaml.load(content)
    except MaxDepthExceededError:
        raise StudyError(f"{path}: nested too deep") from None
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise StudyError(f"{path}{line}: {_cut(_private(_one_line(str(error.problem))), 300)}") from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise StudyError(f"{path}: {_cut(_one_line(str(error)), 300)}") from None


def validate(raw: Any, path: Path, folder: Path) -> Study:
    """The study that `raw`, read from `path`, describes, to be run in `folder`.

    StudyError, one line that names the file and the key, if it is not valid.
    """
    try:
        return Study.model_validate(raw, context={"folder": folder})
    except ValidationError as error:
        raise StudyError(f"{path}: {_describe(error)}") from None


def load_variant(path: Path, name: str, changes: Mapping[str, Any]) -> Variant:
    """A variant of the study in `path`, with other values for some keys of its recipe; StudyError as `load_study`."""
    raw = read_yaml(path)
    validate(raw, path, path.parent).variant(name)
    recipe = complete(complete(raw["baseline"], raw["variants"][name]), dict(changes))
    try:
        return Variant.model_validate(recipe, context={"folder": path.parent})
    except ValidationError as error:
        raise StudyError(f"{path}: {_describe(error, ('variants', name))}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise StudyError(f"{path}: can't be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise StudyError(f"{path}: larger than {MOST_BYTES:,} bytes, which no study needs")
    return content


def _describe(error: ValidationError, place: tuple[str, ...] = ()) -> str:
    """The first defect that pydantic has found, in one line; `place` are the keys above the section that it read."""
    first, *others = error.errors(include_url=False)
    # A misspelt key is also one that is missing, and the misspelling says more.
    for other in others:
        if (first["type"], other["type"]) == ("missing", "extra_forbidden"):
            (*here, wrong), (*there, right) = other["loc"], first["loc"]
            if here == there and nearest(str(wrong), [str(right)]):
                first = other
    # Pydantic adds the chosen member of a union to the path, after its key.
    path = [_private(str(part)) for part in (*place, *first["loc"]) if part != "[key]"]
    keys = [
        part for before, part in pairwise(["", *path]) if not (before.endswith("_optimizer") and part in OPTIMIZERS)
    ]
    key = f"{_cut('.'.join(keys), 200)}: " if keys else ""
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"unknown key{nearest(path[-1], _siblings(path))}"
    known = first["type"] in ("missing", "extra_forbidden") or isinstance(first["input"], dict | BaseModel)
    given = "" if known else f", not {_shown(first['input'])}"
    more = f" (and {len(others)} more)" if others else ""
    return _one_line(f"{key}{message}{given}{more}")


def _siblings(path: list[str]) -> list[str]:
    """The keys that params.yaml may have at the end of this path."""
    models: list[type[BaseModel]] = [Study]
    for part in path[:-1]:
        fields = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        # A key of a mapping, a place in a list and a member of a union lead to the same models.
        models = [model for field in fields for model in _models(field)] or models
    return [name for model in models for name in model.model_fields]


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The sections in a field's type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _shown(value: Any) -> str:
    """A short form, even of a list that contains itself, or a billion others through its aliases."""
    try:
        return _cut(_SHORT.repr(value), 80)
    except ValueError:  # Python prints no integer of thousands of digits
        return "so large a number"


def _private(text: str) -> str:
    """`text` to be shown; of an address only its scheme, because what follows may hold a password, be it malformed."""
    return re.sub(r"(//|:(?=[^/]*@)).*", r"\1…", text, count=1, flags=re.DOTALL)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _one_line(text: str) -> str:
    return " ".join(text.split())
