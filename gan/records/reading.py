"""Records from their files; `gan.files.write_json` writes them."""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from gan.files import DamagedError

Record = TypeVar("Record")


def read(kind: type[Record], path: Path) -> Record:
    """The record in a JSON file; keys that `kind` does not have are left out.

    Raises:
        DamagedError: the file is no JSON, or a value is missing or of another type; the message names its key.
        FileNotFoundError: there is no file.
    """
    content = path.read_bytes()
    try:
        return TypeAdapter(kind).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        fault = f"{key}: {first['msg']}" if key else first["msg"]
        raise DamagedError(f"{path} is damaged or outdated ({fault}): make it anew with `dvc repro`") from None
