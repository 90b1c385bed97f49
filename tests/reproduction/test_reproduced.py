"""A re-run beside the published study: what is planted in one of the two is found, and nothing else is."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reporting.planted import FIRST, RECORDS, SECOND

from gan.commands.reproduced import reproduced
from gan.errors import StudyError
from gan.files import write, write_json
from gan.records.comparison import Comparison, Contrast, Counts, Failures, Learnt, Ratio
from gan.records.reading import read
from gan.reproduction.bits import compare_tables
from gan.reproduction.comparing import compare_studies
from gan.reproduction.record import ReproducedVariant, Reproduction, sentence

SEEDS = range(500, 508)
VARIANTS = ("first", "second")


def contrast(verdict: str) -> Contrast:
    return Contrast(
        id="H1", family="declared", kind="superiority", paired=True, variant="first", against="second", text="",
        epoch=20, n=Counts(8, 8), failures=Failures(0, 0, alone=Counts(0, 0), p=1.0), ratio=0.8, low=0.7, high=0.9,
        scored_ratio=Ratio(0.8, 0.7, 0.9), p=0.01, p_adjusted=0.01, hedges_g=None, improvement=1.0, verdict=verdict,
        reason="",
    )  # fmt: skip


def write_study(reports: Path, verdict: str = "supported", seconds: float = 10.0, machine: str = "A processor") -> None:
    """Two variants of eight runs and a verdict; `seconds` is what a run took, which no second training repeats."""
    random = np.random.default_rng(0)
    for variant in VARIANTS:
        runs = [
            {"seed": seed, "key": f"{variant}{seed}", "status": "finished", "failure": None,
             "seconds": seconds + seed / 1000, "preregistration": "rules"}
            for seed in SEEDS
        ]  # fmt: skip
        write_json(reports / f"training/{variant}.json", {
            "variant": variant, "parameters": {"epochs": 20, "objective": variant, "seeds": list(SEEDS)},
            "checksums": {"code": "code", "data": "images"},
            "hardware": {"device": "cpu", "name": machine, "cores": 2, "arithmetic": "float32", "workers": 2},
            "versions": {"torch": "2.15"}, "seconds": 1.0, "runs": runs,
        })  # fmt: skip
        fids = np.exp(random.normal(6, 0.05, 2 * len(SEEDS)))
        metrics = pd.DataFrame({
            "variant": variant, "data": "mnist", "seed": np.repeat(SEEDS, 2), "epoch": [8, 20] * len(SEEDS),
            "averaged": ["8", "20"] * len(SEEDS), "status": "finished", "fid": fids, "coverage": 0.1, "digits": 9,
            "failed_epoch": "", "failure": "", "key": [f"{variant}{seed}" for seed in np.repeat(SEEDS, 2)],
        })  # fmt: skip
        write(reports / f"metrics/{variant}.csv", metrics.to_csv(index=False))
        history = pd.DataFrame({"seed": np.repeat(SEEDS, 20), "epoch": [*range(1, 21)] * 8, "loss": random.random(160)})
        write(reports / f"history/{variant}.csv", history.to_csv(index=False))
    ladder = {"rung": "printed", "objective": ["first", "second"], "seed": 1, "fid": [1.5, 2.5], "key": ["a", "b"]}
    write(reports / "ladder.csv", pd.DataFrame(ladder).to_csv(index=False))
    write_json(reports / "trials/ladder.json", {
        "code": "code", "hardware": {"device": "cpu", "name": machine, "cores": 2, "arithmetic": "float32"},
        "versions": {"torch": "2.15"}, "preregistration": "rules", "seconds": {"a": seconds, "b": seconds + 0.5},
    })  # fmt: skip
    write_json(
        reports / "comparison.json",
        Comparison("fid", 0.05, 1.1, Learnt(0.002, 2, 20), "rules", [], [contrast(verdict)], []),
    )


@pytest.fixture
def published(tmp_path: Path) -> Path:
    write_study(tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture
def here(tmp_path: Path, published: Path) -> Path:
    """The same study trained again: other times, the same numbers."""
    write_study(tmp_path / "reports", seconds=11.0)
    return tmp_path / "reports"


def edit(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a table; floats keep all their digits."""
    table = pd.read_csv(path, converters={"fid": float, "loss": float})
    write(path, change(table).to_csv(index=False))


def scale(factors: np.ndarray | float, seeds: int = 8) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Multiply the FIDs (or losses) of the first seeds."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        column = "fid" if "fid" in table else "loss"
        chosen = table["seed"].isin(list(SEEDS)[:seeds])
        table.loc[chosen, column] *= factors
        return table

    return change


def elsewhere(here: Path, factors: np.ndarray | float) -> None:
    """The first variant as another processor would train it: other histories, FIDs times these factors."""
    edit(here / "history/first.csv", scale(1 + 1e-9))
    edit(here / "metrics/first.csv", scale(factors))


def outcomes(record: Reproduction) -> dict[str, str]:
    return {each.variant: each.outcome for each in record.variants}


def compared(published: Path, here: Path) -> tuple[Reproduction, ReproducedVariant]:
    record = compare_studies(published, here, "published")
    return record, record.variants[0]


def test_the_same_bits_are_reproduced(published: Path, here: Path) -> None:
    record, first = compared(published, here)
    assert record.reproduced
    assert outcomes(record) == dict.fromkeys(VARIANTS, "bitwise equal")
    assert (first.n, first.ratio) == (8, 1)
    assert [(each.table, each.equal, each.rows) for each in record.tables] == [("ladder.csv", 2, 2)]
    assert record.tables[0].run_again
    assert record.verdicts[0].run_again
    assert sentence(record) == (
        "Reproduced on A processor, 2 cores: of 2 variants 2 to the last bit; the verdict is the same."
    )


def test_published_files_are_not_taken_for_a_rerun(published: Path, tmp_path: Path) -> None:
    """They equal themselves, which shows nothing; nothing is written."""
    shutil.copytree(published, tmp_path / "reports")
    record = reproduced(published, "HEAD", tmp_path / "reports")
    assert outcomes(record) == dict.fromkeys(VARIANTS, "not run again")
    assert not record.run_again
    assert not record.reproduced
    assert not (tmp_path / "reports/reproduced.json").exists()
    assert sentence(record) == "The results here are the published ones: nothing was run again."


def test_a_study_that_was_run_again_in_part_is_told_so(published: Path, here: Path) -> None:
    shutil.copy(published / "training/second.json", here / "training/second.json")
    record, _ = compared(published, here)
    assert outcomes(record) == {"first": "bitwise equal", "second": "not run again"}
    assert not record.reproduced
    assert sentence(record).endswith("the verdict is the same (H1 without new runs).")
    assert sentence(record).startswith(
        "Reproduced in part on A processor, 2 cores: of 2 variants 1 to the last bit and"
    )


def test_verdicts_on_a_search_that_was_not_run_again_are_told_so(published: Path, here: Path) -> None:
    """A fresh clone has the search's tables, so `make study` leaves them alone. Variants have the objectives' names."""
    trials = json.loads((here / "trials/ladder.json").read_text())
    for folder, seconds in ((published, 1.0), (here, 2.0)):
        write_json(folder / "search.json", RECORDS["search"]())
        named = replace(contrast("supported"), variant=FIRST, against=SECOND)
        write_json(folder / "comparison.json", replace(read(Comparison, folder / "comparison.json"), contrasts=[named]))
        for objective in (FIRST, SECOND):
            write(folder / f"search/{objective}.csv", "configuration,seed,fid,key\n0,600,1.5,a\n")
            taken = {"a": seconds if objective == FIRST else 3.0}
            write_json(folder / f"trials/search-{objective}.json", {**trials, "seconds": taken})
    record, _ = compared(published, here)
    assert {each.table: each.run_again for each in record.tables} == {
        "ladder.csv": True,
        f"search/{FIRST}.csv": True,
        f"search/{SECOND}.csv": False,
    }
    assert {each.id: each.run_again for each in record.verdicts} == {"H1": True, "S1": False, "S2": False, "S3": False}
    assert sentence(record).endswith("all 4 verdicts are the same (S1, S2 and S3 without new runs).")
    assert record.reproduced


def test_one_changed_fid_is_found(published: Path, here: Path) -> None:
    """By one unit in its last place, after training to the same bits."""
    path = here / "metrics/first.csv"
    edit(path, lambda table: table.assign(fid=table["fid"].where(table.index != 5, np.nextafter(table["fid"], 0))))
    record, first = compared(published, here)
    assert outcomes(record) == {"first": "different", "second": "bitwise equal"}
    assert first.reason.startswith("it was trained to the same bits, and yet fid of seed 502, epoch 20 is ")
    assert not record.reproduced
    assert sentence(record).startswith(
        "Not reproduced on A processor, 2 cores: of 2 variants 1 to the last bit and fir"
    )


def test_a_changed_fid_of_what_was_not_trained_again_is_found(published: Path, here: Path) -> None:
    shutil.copy(published / "training/first.json", here / "training/first.json")
    edit(here / "metrics/first.csv", scale(1.5, seeds=1))
    record, first = compared(published, here)
    assert first.outcome == "different"
    assert first.reason.startswith("it was not trained again, and yet fid of seed 500, epoch 8 is")
    assert not record.reproduced


def test_another_processor_gives_equivalent_scores(published: Path, here: Path) -> None:
    elsewhere(here, np.exp(np.random.default_rng(1).normal(0, 0.03, 16)))
    record, first = compared(published, here)
    assert outcomes(record) == {"first": "equivalent", "second": "bitwise equal"}
    assert first.p is not None
    assert first.p <= 0.05
    assert record.reproduced
    assert "1 to the last bit and 1 within 10 %" in sentence(record)


def test_scores_beyond_the_margin_are_different_and_wide_ones_undecided(published: Path, here: Path) -> None:
    elsewhere(here, 1.5)
    record, first = compared(published, here)
    assert first.outcome == "different"
    assert first.ratio == pytest.approx(1.5)
    assert not record.reproduced
    elsewhere(here, np.exp(np.tile([0.0, 0.0, 0.0, 0.6], 4)) / 1.5)
    record, first = compared(published, here)
    assert first.outcome == "undecided"
    assert "1 undecided" in sentence(record)


def test_swapped_seeds_are_found(published: Path, here: Path) -> None:
    """In the scores, by their bits; in the runs themselves, by their keys."""
    swap = {500: 501, 501: 500}
    training = json.loads((here / "training/first.json").read_text())
    edit(here / "metrics/first.csv", lambda table: table.assign(seed=table["seed"].replace(swap)).sort_values("seed"))
    _, first = compared(published, here)
    assert first.outcome == "different"
    assert "fid of seed 500, epoch 8 is" in first.reason
    training["runs"][0]["key"], training["runs"][1]["key"] = "first501", "first500"
    write_json(here / "training/first.json", training)
    _, first = compared(published, here)
    assert (first.outcome, first.reason) == ("different", "seed 500 has the run of seed 501")


def test_the_order_of_rows_does_not_matter(published: Path, here: Path) -> None:
    edit(here / "metrics/first.csv", lambda table: table.iloc[::-1])
    assert compared(published, here)[0].reproduced


def test_what_is_missing_is_said(published: Path, here: Path) -> None:
    (here / "metrics/second.csv").unlink()
    edit(here / "ladder.csv", lambda table: table[:1])
    record, _ = compared(published, here)
    assert record.variants[1].reason == "metrics/second.csv is missing here"
    assert record.tables[0].equal == 1
    assert not record.reproduced
    assert "second missing" in sentence(record)
    training = json.loads((here / "training/first.json").read_text())
    training["runs"].pop()
    write_json(here / "training/first.json", training)
    assert compared(published, here)[1].reason == "seed 507 is missing here"


def test_another_recipe_is_no_rerun(published: Path, here: Path) -> None:
    training = json.loads((here / "training/first.json").read_text())
    training["parameters"]["epochs"] = 10
    write_json(here / "training/first.json", training)
    _, first = compared(published, here)
    assert (first.outcome, first.reason) == ("another recipe", "its parameters differ: epochs")


def test_more_failures_are_different_whatever_the_scores(published: Path, here: Path) -> None:
    """Eight runs of eight show one digit."""
    elsewhere(here, 1.0)
    edit(here / "metrics/first.csv", lambda table: table.assign(digits=1))
    _, first = compared(published, here)
    assert (first.outcome, first.failed, first.failed_published) == ("different", 8, 0)


def test_another_verdict_is_not_reproduced(published: Path, here: Path) -> None:
    comparison = read(Comparison, here / "comparison.json")
    write_json(
        here / "comparison.json", replace(comparison, contrasts=[contrast("undecided")], preregistration="other")
    )
    record, _ = compared(published, here)
    assert not record.reproduced
    assert "0 of 1 verdicts are the same; H1 is undecided instead of supported" in sentence(record)
    assert sentence(record).endswith("The two were run under different rules.")


def test_gits_results_are_the_published_ones(published: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `make study` in a fresh clone; the record is written and can be read."""
    folder = here.parent
    monkeypatch.chdir(folder)
    shutil.copytree(here, folder / "again")
    shutil.rmtree(here)
    shutil.copytree(published, here)
    with pytest.raises(StudyError, match=r"^git has no published results: .*; name another --revision, or a folder"):
        reproduced(None, "HEAD", here)
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for arguments in (["init", "--quiet"], ["add", "reports"], ["commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", *identity, *arguments], check=True)
    assert not reproduced(None, "HEAD", here).run_again
    shutil.rmtree(here)
    (folder / "again").rename(here)
    record = reproduced(None, "HEAD", Path("reports"))
    assert record.reproduced
    assert record.published.startswith("HEAD (")
    assert read(Reproduction, here / "reproduced.json") == record
    with pytest.raises(StudyError, match="there is no revision nowhere"):
        reproduced(None, "nowhere", here)


def test_a_folder_is_not_compared_with_itself(here: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is the folder that is to be compared"):
        reproduced(here, "HEAD", here)
    with pytest.raises(StudyError, match=r"has no comparison\.json: run `make study` first"):
        reproduced(here, "HEAD", tmp_path / "nowhere")


def test_tables_are_compared_by_their_text(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("seed,x,key\n1,0.1,a\n2,,b\n")
    second.write_text("seed,x,key\n2,,c\n1,0.1,d\n")
    assert compare_tables(first, second, ("seed",)).same
    second.write_text("seed,x,key\n2,0,c\n1,0.1,d\n3,1,e\n")
    assert compare_tables(first, second, ("seed",)).difference == "x of seed 2 is 0 here and empty as published"
    second.write_text("seed,x,y,key\n2,,0,c\n")
    assert compare_tables(first, second, ("seed",)).difference == "only one of the two has the column y"
    second.write_text("seed,x,key\n1,0.1,a\n1,0.1,a\n")
    with pytest.raises(StudyError, match="two rows of the same seed"):
        compare_tables(first, second, ("seed",))
