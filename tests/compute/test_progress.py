"""Without a terminal, progress is a plain line every half minute; a short stage prints nothing."""

from collections.abc import Callable

import pytest

from gan.compute.progress import progress


@pytest.fixture
def work(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs (seconds, units) one after another on a clock of its own and returns the lines on stderr."""

    def work(*steps: tuple[float, int], total: int = 100) -> list[str]:
        now = 0.0
        with progress("train cewl", total, "epochs", lambda: now) as on_progress:
            for seconds, units in steps:
                now += seconds
                on_progress(units)
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err.splitlines()

    return work


def test_a_line_every_half_minute_says_how_far_and_how_long(work: Callable[..., list[str]]) -> None:
    assert work(*[(5.0, 1)] * 20) == [
        "train cewl: 6 of 100 epochs, 8 min left",
        "train cewl: 12 of 100 epochs, 7 min left",
        "train cewl: 18 of 100 epochs, 7 min left",
    ]


def test_the_pace_is_that_of_the_last_half_minute(work: Callable[..., list[str]]) -> None:
    """Epochs that a continued run has done before say nothing about the time that is left."""
    assert work((1, 60), (40, 10), (40, 10))[-1] == "train cewl: 80 of 100 epochs, 80 s left"


def test_slow_units_and_short_work(work: Callable[..., list[str]]) -> None:
    assert work((100, 0), (100, 1), total=2) == ["train cewl: 1 of 2 epochs, 3 min left"]
    assert work((1, 1), (1, 1), total=2) == []


def test_no_bar_is_drawn_into_a_file(work: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Some shells and services ask every program for colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert work((30, 50)) == ["train cewl: 50 of 100 epochs, 30 s left"]
