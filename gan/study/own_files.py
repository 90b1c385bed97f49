"""Files of a user's own, in own/ beside params.yaml: `my_losses.py:boundary` is `boundary` of own/my_losses.py."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gan.formatting import nearest

FOLDER = "own"  # dvc.yaml has it among the dependencies of the stages that look at its files
_REFERENCE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]{0,59}\.py):([A-Za-z_][A-Za-z0-9_]{0,63})")


@dataclass(frozen=True)
class OwnFile:
    """A file of own/ as it was when params.yaml was read: its name there and its text.

    The text goes to wherever runs are trained, so an edit that comes meanwhile has no part in them.
    """

    name: str
    text: str

    @property
    def place(self) -> str:
        """Where the file lies, as messages have it."""
        return f"{FOLDER}/{self.name}"

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def parts(reference: str) -> tuple[str, str] | None:
    """The file's name and the name of what it defines; None for a name of the package's own registries."""
    match = _REFERENCE.fullmatch(reference)
    return (match[1], match[2]) if match else None


def names_a_file(reference: str) -> bool:
    """Whether a name in params.yaml is meant for something in a file, well-formed or not."""
    return ":" in reference or ".py" in reference


def read_file(name: str, root: Path) -> OwnFile:
    """The file of that name in own/ of the project at `root`; ValueError, one line, if it can't be read."""
    path = root / FOLDER / name
    try:
        return OwnFile(name, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        present = sorted(each.name for each in path.parent.glob("*.py"))
        raise ValueError(f"{FOLDER}/{name} is missing{nearest(name, present)}") from None
    except OSError as error:
        raise ValueError(f"{FOLDER}/{name} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{FOLDER}/{name} is no text in UTF-8") from None
