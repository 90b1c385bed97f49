"""The state of a run: by how much it covers, how many digits it draws and how long it was trained."""

import math

import pandas as pd
import pytest

from gan.compute.tables import FAILURES, STATES, states
from gan.study.schema import Learnt

RULE = Learnt(coverage=0.002, digits=2, epochs=20)


@pytest.mark.parametrize(
    ("status", "epoch", "coverage", "digits", "state"),
    [
        ("finished", 20, 0.018, 7, "learnt"),
        ("finished", 8, 0.0052, 5, "learnt"),
        ("finished", 20, 0.002, 3, "learnt"),
        ("finished", 20, 0.002, 2.3, "learnt"),  # digits are a mean over snapshots
        ("finished", 20, 0.002, 2, "mode collapse"),
        ("finished", 3, 0.1, 1, "mode collapse"),
        ("finished", 3, 0.1, 0, "mode collapse"),
        ("finished", 20, 0.00199, 10, "never learnt"),
        ("finished", 40, 0.0007, 1, "never learnt"),
        ("finished", 19, 0.00199, 10, "not yet"),
        ("finished", 8, 0.0008, 1, "not yet"),
        ("finished", 8, 0.0, 1, "not yet"),
        ("failed", 20, math.nan, math.nan, "diverged"),
        ("failed", 3, 0.5, 10, "diverged"),
    ],
)
def test_the_state_of_a_run(status: str, epoch: int, coverage: float, digits: float, state: str) -> None:
    row = {"status": status, "epoch": epoch, "coverage": coverage, "digits": digits}
    assert states(pd.DataFrame([row]), RULE).tolist() == [state]
    # Images that all look alike have the best precision of all.
    for precision in (0.0, 1.0):
        assert states(pd.DataFrame([{**row, "precision": precision}]), RULE).tolist() == [state]


def test_not_yet_is_no_failure() -> None:
    assert set(STATES) - set(FAILURES) == {"learnt", "not yet"}


def test_a_table_keeps_its_index_and_may_be_empty() -> None:
    row = {"status": "finished", "epoch": 20, "coverage": 0.5, "digits": 10.0}
    table = pd.DataFrame([row, {**row, "status": "failed"}], index=[7, 3])
    assert states(table, RULE).to_dict() == {7: "learnt", 3: "diverged"}
    assert states(table.iloc[:0], RULE).empty
