"""The verdict on a terminal is that of the files."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from reporting import planted
from reporting.building import PARAMS, compare, make_study, put

from gan.errors import StudyError
from gan.files import write_json
from gan.records.claims import ClaimEntry
from gan.records.comparison import Comparison, Contrast, Counts, Failures, Learnt, Ratio, Standing, Summary, Untested
from gan.reporting import terminal

BASELINE = PARAMS["baseline"]


def test_the_verdict_is_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts, ratio = Counts(9, 7), Ratio(0.8, 0.7, 0.9)
    contrast = Contrast(
        id="H1", family="declared", kind="superiority", paired=True, variant="winner", against="lost", text="A wins.",
        epoch=20, n=counts, failures=Failures(2, 7, counts, 0.1), **asdict(ratio), scored_ratio=ratio, p=0.1,
        p_adjusted=0.2, hedges_g=None, improvement=0.5,
        verdict="refuted", reason="It is [not].",
    )  # fmt: skip
    control = replace(contrast, id="A1", family="control", verdict="equivalent")
    explored = replace(contrast, id="E: x", family="exploratory", text="Seen by chance.")
    summary = Summary(
        n=9, finished=7, learnt=7, not_yet=0, never_learnt=0, mode_collapse=1, diverged=1, failed=2,
        failure_rate=0.2, failure_low=0.1, failure_high=0.3,
        mean=12.345, low=10.0, high=1097.2, median=12.0, spread=0.1, scored_mean=13.0,
    )  # fmt: skip
    lost = replace(summary, n=7, failed=7, mean=None, low=None, high=None, scored_mean=2345.6)
    comparison = Comparison(
        metric="fid", alpha=0.05, margin=1.1, learnt=Learnt(0.002, 2, 20), preregistration=None,
        standings=[
            Standing(
                "mnist", 20, [20], ["winner", "lost"], {"winner": 1, "lost": 2}, {"winner": summary, "lost": lost}
            ),
            Standing("mnist", 10, [10], ["other"], {"other": 1}, {"other": summary}),
            Standing("digits", 20, [20], ["elsewhere"], {"elsewhere": 1}, {"elsewhere": summary}),
        ],
        contrasts=[contrast, control, explored],
        untested=[Untested("H2", "declared", "no data for gone")],
    )  # fmt: skip
    write_json(tmp_path / "comparison.json", comparison)
    for name, record in planted.RECORDS.items():
        write_json(tmp_path / f"{name}.json", record())
    for name, objective in (("winner", "non_saturating"), ("lost", "minimax"), ("other", ""), ("elsewhere", "")):
        parameters = {**BASELINE, "objective": objective}
        put(tmp_path / f"training/{name}.json", {
            "variant": name, "parameters": parameters, "checksums": {"code": "", "data": ""},
            "hardware": {"device": "cpu", "name": "", "cores": 2, "workers": 2, "arithmetic": "float32"},
            "versions": {}, "seconds": 241.7, "runs": [],
        })  # fmt: skip
    terminal.show(tmp_path)
    assert "claims" not in capsys.readouterr().out
    text = "The [b]claim[/b] is " + "very " * 20 + "long."
    claim = ClaimEntry(kind="identity", text=text, rule="", numbers={}, verdict="undecided", reason="Who knows.")
    write_json(tmp_path / "claims.json", {"V1": claim})
    terminal.show(tmp_path)
    printed = capsys.readouterr().out
    opening = " ".join(printed.split("\n\n")[0].split())
    assert opening.startswith("On the tutorial's recipe (fully connected networks on MNIST, Adam with beta1 0.9, 20 ep")
    assert opening.endswith("equally good within 10 %.")
    assert max(len(line) for line in printed.split("\n\n")[0].splitlines()) <= terminal.HEADLINE_WIDTH
    for part in (" other ", "Seen by chance", "long."):
        assert part not in printed
    for part in (
        "Ranking on mnist after", "Ranking on digits after", "elsewhere",
        "│ 1 ", "winner", "12.3", "10.0 – 1097", "20 epochs", "(2346 with", "refuted", "equivalent",
        "undecided │ The [b]claim[/b] is", "It is [not].", "H2 not tested: no data for gone", "report.html",
    ):  # fmt: skip
        assert part in printed


def test_a_missing_record_is_named_in_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / "comparison.json", compare(make_study(["cewl"])))
    with pytest.raises(StudyError, match="is missing: run `dvc repro` to make it"):
        terminal.show(tmp_path)


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="run `make study` first"):
        terminal.show(tmp_path)


def one(learnt: int, failed: int = 0, mean: float | None = 400.0) -> Summary:
    return Summary(
        n=6, finished=6 - failed, learnt=learnt, not_yet=6 - learnt - failed, never_learnt=failed, mode_collapse=0,
        diverged=0, failed=failed, failure_rate=0.0, failure_low=0.0, failure_high=0.5, mean=mean, low=None,
        high=None, median=None, spread=None, scored_mean=1000.0,
    )  # fmt: skip


def explored(verdict: str = "supported", **changes: object) -> Contrast:
    counts, ratio = Counts(6, 10), Ratio(0.8, 0.7, 0.9)
    contrast = Contrast(
        id="E: softer vs base", family="exploratory", kind="superiority", paired=False, variant="softer",
        against="base", text="", epoch=8, n=counts, failures=Failures(0, 0, counts, 1.0), **asdict(ratio),
        scored_ratio=ratio, p=0.01, p_adjusted=0.02, hedges_g=None, improvement=0.9, verdict=verdict, reason="Because.",
    )  # fmt: skip
    return replace(contrast, **changes)


def with_softer(*contrasts: Contrast, last: Summary | None = None) -> Comparison:
    return Comparison(
        metric="fid", alpha=0.05, margin=1.1, learnt=Learnt(0.002, 2, 20), preregistration=None,
        standings=[
            Standing("mnist", 20, [20], ["base"], {"base": 1}, {"base": one(6)}),
            Standing(
                "mnist", 8, [8], ["softer", "base"], {"softer": 1, "base": 2},
                {"softer": last or one(6), "base": one(2)},
            ),
            Standing("mnist", 3, [3], ["softer", "base"], {"softer": 1, "base": 1}, {"softer": one(1), "base": one(0)}),
        ],
        contrasts=list(contrasts), untested=[],
    )  # fmt: skip


def test_the_answer_about_a_variant_comes_first() -> None:
    declared = explored("undecided", id="H3", family="declared", against="other")
    assert terminal.variant_lines(with_softer(declared, explored()), "softer", "base") == [
        "softer is better than base: ratio 0.80 (95 % interval 0.70 – 0.90), after 8 epochs.",
        "Because.",
        "softer learns in every run: 1 of 6 after 3 epochs and 6 of 6 after 8 epochs.",
        "FID 400 after 8 epochs on mnist: place 1 of 2.",
        "H3: undecided. Because.",
    ]


@pytest.mark.parametrize(
    ("contrast", "first"),
    [
        (explored("refuted"), "softer is worse than base: ratio 0.80"),
        (explored("undecided"), "softer against base: undecided: ratio 0.80"),
        (explored("insufficient data"), "softer against base: too few runs for a verdict: ratio 0.80"),
        (
            explored("equivalent", id="A4", family="control", kind="equivalence"),
            "softer and base are equivalent: ratio 0.80 (95 % interval 0.70 – 0.90), after 8 epochs [A4, equivalent].",
        ),
        (explored(ratio=None, low=None, high=None), "softer is better than base: ratio 0.80"),
    ],
)
def test_every_verdict_on_a_variant_has_words(contrast: Contrast, first: str) -> None:
    assert terminal.variant_lines(with_softer(contrast), "softer", "base")[0].startswith(first)


def test_a_variant_that_does_not_learn_or_is_not_compared_is_told_so() -> None:
    lines = terminal.variant_lines(with_softer(last=one(0, failed=6, mean=None)), "softer", "base")
    assert lines[0].startswith("softer is not compared with base")
    assert "softer has not learnt in any run: 1 of 6 after 3 epochs and 0 of 6 after 8 epochs (6 failed)." in lines
    assert "FID 1000 after 8 epochs on mnist: place 1 of 2." in lines
    assert terminal.variant_lines(with_softer(), "base", "base")[0].startswith("base is the reference")
    with pytest.raises(StudyError, match=r"the comparison has no variant sofer is unknown: did you mean softer\?"):
        terminal.variant_lines(with_softer(), "sofer", "base")
