"""A new variant in params.yaml, whose other lines and comments stay as they are."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from gan.errors import StudyError
from gan.files import write
from gan.formatting import unknown
from gan.study.loading import load_study, read_yaml, validate

WIDE = 10_000  # characters: ruamel is not to break a line


def add_variant(name: str, origin: str | None, settings: Sequence[str], path: Path = Path("params.yaml")) -> str:
    """Add the variant `name`: the settings of `origin`, if one is named, with these `key=value` laid over them.

    A key may lead into a section: `generator_optimizer.lr=1e-3`. A value is YAML. Returns the new lines.

    Raises:
        StudyError: the name is taken, `origin` or a key is unknown, or the study would not be valid. Then the file is
            as it was.
    """
    load_study(path)  # its faults are not the new variant's
    known = read_yaml(path)["variants"]
    if name in known:
        raise StudyError(f"{path}: variants has {name} already: choose another name, or edit it there")
    if origin is not None and origin not in known:
        raise StudyError(f"{path}, variants: {unknown(origin, known)}")
    entry: dict[str, Any] = dict(known[origin] or {}) if origin else {}
    for setting in settings:
        _set(entry, setting)
    text = path.read_bytes().decode("utf-8")
    line = _line(name, entry)
    changed = _inserted(text, line)
    expected = read_yaml(path)
    expected["variants"][name] = entry
    raw = _parsed(changed)
    if raw != expected:  # `variants` is on one line, or has some other form in which a line does not fit
        changed, line = _rewritten(text, name, entry), f"{name} is in `variants`\n"
        raw = _parsed(changed)
    study = validate(raw, path, path.parent)
    # It imports torch, which takes seconds; most mistakes are reported before.
    from gan.audit.recipes import check_study

    check_study(study, path)
    write(path, changed)
    return line


def _set(entry: dict[str, Any], setting: str) -> None:
    """Lay `key=value` over `entry`, which is changed."""
    key, equals, value = setting.partition("=")
    if not (equals and key.strip()):
        raise StudyError(f"--set {setting}: write key=value, such as real_label=0.9 or generator_optimizer.lr=1e-3")
    *sections, last = key.strip().split(".")
    place = entry
    for section in sections:
        below = place.get(section)
        place[section] = dict(below) if isinstance(below, dict) else {}
        place = place[section]
    try:
        place[last] = YAML(typ="safe", pure=True).load(value)
    except YAMLError as error:
        raise StudyError(f"--set {setting}: {value} is no YAML value ({str(error).splitlines()[0]})") from None


def _line(name: str, entry: dict[str, Any]) -> str:
    """`  name: {key: value}`, as the other variants are written."""
    yaml = YAML()
    yaml.width, yaml.default_flow_style = WIDE, True
    flow = CommentedMap(entry)
    flow.fa.set_flow_style()
    stream = io.StringIO()
    yaml.dump({name: flow}, stream)
    return f"  {stream.getvalue().strip().removeprefix('{').removesuffix('}')}\n"


def _inserted(text: str, line: str) -> str:
    """The file with one more line after the last variant."""
    lines = text.splitlines(keepends=True)
    top = [place for place, each in enumerate(lines) if each[:1] not in (" ", "\t", "#", "\r", "\n", "")]
    start = next((place for place in top if lines[place].startswith("variants")), len(lines))
    end = next((place for place in top if place > start), len(lines))
    while not lines[end - 1].strip() or lines[end - 1].startswith("#"):  # they belong to the next section
        end -= 1
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    return "".join([*lines[:end], line, *lines[end:]])


def _rewritten(text: str, name: str, entry: dict[str, Any]) -> str:
    """The file as ruamel writes it, which keeps comments but not the width of lines."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = WIDE, True
    document = yaml.load(text)
    document["variants"][name] = CommentedMap(entry)
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _parsed(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return None
