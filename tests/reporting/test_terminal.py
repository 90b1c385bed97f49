"""The verdict on a terminal is that of the files."""

import json
from pathlib import Path

import pytest

from gan.errors import StudyError
from gan.reporting import terminal


def test_the_verdict_is_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contrast = {"id": "H1", "family": "declared", "verdict": "refuted", "text": "A wins.", "reason": "It is [not]."}
    control = contrast | {"id": "A1", "family": "control", "verdict": "equivalent"}
    explored = contrast | {"id": "E: x", "family": "exploratory", "text": "Seen by chance."}
    summary = {"n": 9, "failed": 2, "mean": 12.345, "low": 10.0, "high": 1097.2, "scored_mean": 13.0}
    lost = {"n": 7, "failed": 7, "mean": None, "low": None, "high": None, "scored_mean": 2345.6}
    comparison = {
        "metric": "fid",
        "standings": [
            {"epochs": 20, "ranking": ["winner", "lost"], "variants": {"winner": summary, "lost": lost}},
            {"epochs": 10, "ranking": ["other"], "variants": {"other": summary}},
        ],
        "contrasts": [contrast, control, explored],
        "untested": [{"id": "H2", "family": "declared", "missing": ["gone"], "reason": "no data for gone"}],
    }
    (tmp_path / "comparison.json").write_text(json.dumps(comparison))
    terminal.show(tmp_path)
    assert "claims" not in capsys.readouterr().out
    claim = {"text": "The [b]claim[/b] is " + "very " * 20 + "long.", "verdict": "undecided", "reason": "Who knows."}
    (tmp_path / "claims.json").write_text(json.dumps({"V1": claim}))
    terminal.show(tmp_path)
    printed = capsys.readouterr().out
    for part in ("other", "Seen by chance", "long."):
        assert part not in printed
    for part in (
        "winner", "12.3", "10 – 1097", "20 epochs", "(2346 with", "refuted", "equivalent",
        "undecided │ The [b]claim[/b] is", "It is [not].", "H2 not tested: no data for gone", "report.html",
    ):  # fmt: skip
        assert part in printed


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="run `make study` first"):
        terminal.show(tmp_path)
