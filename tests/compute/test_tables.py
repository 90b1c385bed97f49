"""The tables of reports/ are read alike by everybody."""

from pathlib import Path

import pytest

from gan.compute.tables import read_table, read_tables
from gan.errors import StudyError


def test_texts_stay_texts_and_numbers_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("variant,seed,key,failure,fid\nNA,1,1e5,,inf\nTrue,2,007,None,\n")
    table = read_table(tmp_path / "a.csv")
    assert table["variant"].tolist() == ["NA", "True"]
    assert table["key"].tolist() == ["1e5", "007"]
    assert table["failure"].tolist() == ["", "None"]
    assert table["fid"].tolist() == [float("inf"), pytest.approx(float("nan"), nan_ok=True)]


def test_tables_without_rows_change_no_types(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("seed,epoch\n")
    (tmp_path / "b.csv").write_text("seed,epoch\n3,1\n")
    table = read_tables(tmp_path, ["a", "b"])
    assert table.to_dict("records") == [{"seed": 3, "epoch": 1, "variant": "b"}]
    assert table["seed"].dtype == int


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no table"),
        (b"seed,epoch\n1,2\n3,4,5\n", "is no table"),
        (b"seed,epoch\n1,\xff\n", "is no table"),
        (b"seed,loss\n1,2\n", "has no column epoch"),
        (b"seed,epoch,loss\n1,2,<<<<<<< ours\n", "column loss: not all are numbers"),
        (b"seed,epoch,loss,more\n1,2,3,4\n", "only one has more"),
        (b"seed,epoch\n1,2\n", "only one has loss"),
    ],
)
def test_a_damaged_table_is_one_line_that_says_how_to_mend_it(tmp_path: Path, content: bytes, told: str) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"seed,epoch,loss\n1,2,3\n")
    (folder / "b.csv").write_bytes(content)
    with pytest.raises(StudyError, match=told) as caught:
        read_tables(folder, ["a", "b"])
    assert str(caught.value).startswith(str(folder / "b.csv"))
    assert "`dvc repro --force --single-item train@b`" in str(caught.value)
    assert "\n" not in str(caught.value)
