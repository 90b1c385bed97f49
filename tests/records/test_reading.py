"""A record is read as it was written, and a file that is none is refused in one line that names the key."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from gan.files import DamagedError, write_json
from gan.records.claims import ClaimEntry
from gan.records.reading import read

ENTRY = ClaimEntry(
    kind="outcome",
    text="",
    rule="",
    figure=None,
    numbers={"runs": 8, "low": 0.5, "works": True, "none": None, "contrast": "H1"},
    verdict="supported",
    reason="",
)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    write_json(path, {"V1": ENTRY})
    assert json.loads(path.read_text()) == {"V1": asdict(ENTRY)}
    read_again = read(dict[str, ClaimEntry], path)
    assert read_again == {"V1": ENTRY}
    written = path.read_bytes()
    write_json(path, read_again)
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"V1": asdict(ENTRY) | {"verdict": "so-so"}}, r"V1\.verdict: Input should be 'supported', "),
        ({"V1": {"kind": "outcome"}}, r"V1\.text: Field required"),
        ([], "Input should be an object"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(tmp_path: Path, content: object, named: str) -> None:
    path = tmp_path / "claims.json"
    write_json(path, content)
    with pytest.raises(DamagedError, match=rf"claims\.json is damaged or outdated \({named}") as caught:
        read(dict[str, ClaimEntry], path)
    assert "\n" not in str(caught.value)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DamagedError, match="damaged or outdated"):
        read(dict[str, ClaimEntry], path)
