"""The values in params.yaml: their types, bounds and rules."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
)

from gan.data.mirrors import folder, is_url
from gan.study import own_files


def no_duplicates(values: tuple) -> tuple:
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value} appears twice")
        seen.add(value)
    return values


def rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must rise from one to the next")
    return values


def distinct_files(variants: dict[str, Any]) -> dict[str, Any]:
    """Some file systems do not distinguish Minimax from minimax."""
    no_duplicates(tuple(name.casefold() for name in variants))
    return variants


def _reachable(mirror: str) -> str:
    if "\0" in mirror:
        raise ValueError("a mirror's name has no zero byte")
    if not is_url(mirror):
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", mirror):
            raise ValueError("a mirror is a folder, or a URL that starts with http:// or https://")
        return mirror
    try:
        parts = urlsplit(mirror)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # it would show the address, and with it a password
        whole = False
    if not whole:
        raise ValueError("a URL needs a host, a port if any, and special characters of a password like %40 for @")
    return mirror


def _outside(mirror: str, info: ValidationInfo) -> str:
    """Refuse a mirror in a folder where the commands write and remove files."""
    if is_url(mirror):
        return mirror
    root = Path((info.context or {}).get("folder", "")).resolve()
    with suppress(OSError, RuntimeError):  # no such home, no permission, a loop of links: the download says so
        place = root / folder(mirror)
        # As it is written, and where its links lead.
        places = {Path(os.path.normpath(place)), place.resolve()}
        for name in OUTPUTS:
            if any(_within(each, root / name) for each in places):
                raise ValueError(f"must not lie in {name}/, where the study removes files: put yours into mirror/")
    return mirror


def _within(path: Path, above: Path) -> bool:
    """Whether a path is a folder or in it; also where links, or upper and lower case, give the folder another name."""
    parents = (path, *path.parents)
    return above in parents or (above.exists() and any(each.exists() and each.samefile(above) for each in parents))


def _auto_or_count(value: Any) -> Any:
    if value != "auto" and not (type(value) is int and 0 < value <= MOST):
        raise ValueError("must be auto or a whole number above 0")
    return value


def _quoted(name: Any) -> Any:
    """YAML reads 1e3, true and null without quotes as other things than text."""
    if name is None or isinstance(name, bool | int | float):
        raise ValueError('must be text: put a name that looks like something else in quotes, as in "1e3"')
    return name


def _registered(name: Any) -> Any:
    if isinstance(name, str) and own_files.parts(name):
        raise ValueError("a file of your own is named by objective, terms and networks of a variant alone")
    return name


def _part(name: str, info: ValidationInfo) -> str:
    if own_files.names_a_file(name):
        if not (parts := own_files.parts(name)):
            raise ValueError(f"must be my_file.py:name, for what the file {own_files.FOLDER}/my_file.py defines")
        own_files.read_file(parts[0], Path((info.context or {}).get("folder", "")))
    elif not re.fullmatch(NAME, name):
        raise ValueError("must be a name of letters, digits, _ and -")
    return name


# YAML has lists, a frozen study has tuples.
FROM_LIST = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)

# Folders beside params.yaml where the pipeline or `make clean` removes files.
OUTPUTS = (
    *("data", "models", "reports", "runs", ".dvc", ".work", ".scratch", ".venv", "mlartifacts", "mlruns"),
    *(".pytest_cache", ".mypy_cache", ".ruff_cache"),
)

Option = TypeVar("Option")
# At least one, none twice.
Options = Annotated[tuple[Option, ...], FROM_LIST, Field(min_length=1), AfterValidator(no_duplicates)]

DIGITS = 10
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
# A larger number is a typing error or an attack.
MOST = 1_000_000
MOST_SECONDS = 86_400

Positive = Annotated[int, Field(gt=0, le=MOST)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[tuple[Seed, ...], FROM_LIST, Field(min_length=1), AfterValidator(no_duplicates)]
Widths = Annotated[tuple[Positive, ...], FROM_LIST]
Epochs = Annotated[tuple[Positive, ...], FROM_LIST, AfterValidator(no_duplicates)]
Betas = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]], FROM_LIST]
Name = Annotated[str, BeforeValidator(_quoted), BeforeValidator(_registered), StringConstraints(pattern=rf"^{NAME}$")]
# A name in one of the package's registries, or what a file of the user's own defines.
Part = Annotated[str, BeforeValidator(_quoted), AfterValidator(_part)]
Label = Annotated[str, BeforeValidator(_quoted), StringConstraints(pattern=r"^[^\x00-\x1f$]{1,60}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Mirror = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_reachable),
    AfterValidator(_outside),
]
AutoOrCount = Annotated[Literal["auto"] | int, BeforeValidator(_auto_or_count)]
Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]
DataSet = Literal["mnist", "fashion_mnist", "digits"]
Stream = Literal["generator", "discriminator", "encoder", "order", "latents", "terms"]
