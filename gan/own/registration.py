"""Bringing what variants take from own files into the package's registries, in this process and in workers."""

import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType

from gan.errors import StudyError
from gan.formatting import unknown
from gan.own.kinds import KINDS, references
from gan.study import own_files
from gan.study.own_files import OwnFile
from gan.study.recipe import Variant


@dataclass(frozen=True)
class Definition:
    """What a file defines under a name: a key of `KINDS`, the reference in params.yaml, and the file."""

    kind: str
    reference: str
    file: OwnFile


_registered: dict[str, Definition] = {}
_modules: dict[str, tuple[OwnFile, ModuleType]] = {}


def register(variants: Iterable[Variant]) -> None:
    """Bring what the variants take from own files into the registries; StudyError, one line, for a faulty file.

    The file is as it was when params.yaml was read. A file that has changed since an earlier call takes the place of
    the earlier one.
    """
    for definition in (each for variant in variants for each in definitions(variant)):
        _define(definition)


def definitions(variant: Variant) -> list[Definition]:
    """What a variant takes from own files."""
    named = [(kind, name, own_files.parts(name)) for kind, name in references(variant)]
    return [Definition(kind, name, variant.files[parts[0]]) for kind, name, parts in named if parts]


def registered() -> list[Definition]:
    """All that own files have brought into this process's registries, to be handed on to another process."""
    return list(_registered.values())


def register_again(handed_on: Iterable[Definition]) -> None:
    """Bring what another process has registered into this one's registries."""
    for definition in handed_on:
        _define(definition)


def _define(definition: Definition) -> None:
    if _registered.get(definition.reference) == definition:
        return
    kind, file = KINDS[definition.kind], definition.file
    module, name = _module(file), definition.reference.rpartition(":")[2]
    present = [each for each, value in vars(module).items() if isinstance(value, kind.type)]
    if name not in vars(module):
        remedy = unknown(name, present) if present else f"{name} is unknown; the file defines no {kind.type.__name__}"
        raise StudyError(f"{file.place}: {remedy}")
    found = vars(module)[name]
    if not isinstance(found, kind.type):
        needed = f"gan.own.{kind.type.__name__}"
        raise StudyError(f"{file.place}: {name} is a {type(found).__name__}; {definition.kind} needs a {needed}")
    kind.registry[definition.reference] = found
    _registered[definition.reference] = definition


def _module(file: OwnFile) -> ModuleType:
    """The module that the file's text makes, made once; StudyError, one line, if it raises an error."""
    known, module = _modules.get(file.name, (None, None))
    if module and known == file:
        return module
    module = ModuleType(f"own_file_{file.name.removesuffix('.py')}")
    module.__file__ = file.place
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(file.text, file.place, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise StudyError(f"{file.place}{_line(error, file)}: {describe(error)}") from None
    _modules[file.name] = file, module
    return module


def _line(error: BaseException, file: OwnFile) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file.place]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return f", line {line}" if line else ""


def describe(error: BaseException) -> str:
    """An error of a user's code in one line: its kind and the first line of what it says."""
    first = next(iter(str(getattr(error, "msg", error)).splitlines()), "")
    return f"{type(error).__name__}{f': {first}' if first else ''}"
