"""The verdict on a terminal is that of the files."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gan.errors import StudyError
from gan.files import write_json
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison, Contrast, Counts, Failures, Ratio, Standing, Summary, Untested
from gan.reporting import terminal


def test_the_verdict_is_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts, ratio = Counts(9, 7), Ratio(0.8, 0.7, 0.9)
    contrast = Contrast(
        id="H1", family="declared", kind="superiority", paired=True, variant="winner", against="lost", text="A wins.",
        epoch=20, n=counts, failures=Failures(2, 7, counts, 0.1), **asdict(ratio), scored_ratio=ratio, p=0.1,
        p_adjusted=0.2, p_difference=None, p_difference_adjusted=None, hedges_g=None, improvement=0.5,
        verdict="refuted", reason="It is [not].",
    )  # fmt: skip
    control = replace(contrast, id="A1", family="control", verdict="equivalent")
    explored = replace(contrast, id="E: x", family="exploratory", text="Seen by chance.")
    summary = Summary(
        n=9, finished=7, collapsed=1, diverged=1, failed=2, failure_rate=0.2, failure_low=0.1, failure_high=0.3,
        mean=12.345, low=10.0, high=1097.2, median=12.0, spread=0.1, scored_mean=13.0,
    )  # fmt: skip
    lost = replace(summary, n=7, failed=7, mean=None, low=None, high=None, scored_mean=2345.6)
    comparison = Comparison(
        metric="fid", alpha=0.05, margin=1.1, collapse=2, preregistration=None,
        standings=[
            Standing("mnist", 20, ["winner", "lost"], {"winner": summary, "lost": lost}),
            Standing("mnist", 10, ["other"], {"other": summary}),
            Standing("digits", 20, ["elsewhere"], {"elsewhere": summary}),
        ],
        contrasts=[contrast, control, explored],
        untested=[Untested("H2", "declared", "no data for gone")],
    )  # fmt: skip
    write_json(tmp_path / "comparison.json", comparison)
    terminal.show(tmp_path)
    assert "claims" not in capsys.readouterr().out
    text = "The [b]claim[/b] is " + "very " * 20 + "long."
    claim = ClaimEntry(kind="", text=text, rule="", numbers={}, verdict="undecided", reason="Who knows.")
    write_json(tmp_path / "claims.json", {"V1": claim})
    terminal.show(tmp_path)
    printed = capsys.readouterr().out
    for part in ("other", "Seen by chance", "long."):
        assert part not in printed
    for part in (
        "Ranking on mnist after", "Ranking on digits after", "elsewhere",
        "winner", "12.3", "10 – 1097", "20 epochs", "(2346 with", "refuted", "equivalent",
        "undecided │ The [b]claim[/b] is", "It is [not].", "H2 not tested: no data for gone", "report.html",
    ):  # fmt: skip
        assert part in printed


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="run `make study` first"):
        terminal.show(tmp_path)
