"""Numbers and lists in words."""

import pytest

from gan import formatting


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (0.8, "20 % lower"),
        (1.013, "1.3 % higher"),
        (0.9005, "10 % lower"),
        (1.096, "9.6 % higher"),
        (3, "200 % higher"),
    ],
)
def test_ratios_in_words(ratio: float, words: str) -> None:
    assert plain(formatting.change(ratio)) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.75, 0.86, "14 % to 25 % lower"),
        (1.11, 2.0, "11 % to 100 % higher"),
        (0.98, 1.6, "2.0 % lower to 60 % higher"),
    ],
)
def test_intervals_in_words(low: float, high: float, words: str) -> None:
    assert plain(formatting.changes(low, high)) == words


def test_numbers_that_are_missing_negative_or_tiny() -> None:
    assert formatting.fixed(None, 2) == formatting.fixed(float("nan"), 2) == "–"
    assert formatting.fixed(-1.255e3, 1) == "−1,255.0"
    assert formatting.fixed(-1e-9, 3) == "0.000"
    assert [formatting.p_value(p) for p in (9.9e-5, 0.0499)] == ["< 0.0001", "0.0499"]
    assert [formatting.p_relation(p) for p in (9.9e-6, 0.04994)] == ["< 1e-5", "= 0.0499"]
    assert [formatting.three_digits(value) for value in (0.10549, 12.345, 999.7, 1097.2)] == [
        "0.105", "12.3", "1000", "1097",
    ]  # fmt: skip
    assert [formatting.score(value) for value in (12.345, 999.4, 999.97, -999.97)] == ["12.3", "999", "1000", "−1000"]
    assert [formatting.duration(seconds) for seconds in (3.4, 125, 9000)] == ["3 s", "2 min", "2.5 h"]


def test_misfits_and_counts() -> None:
    assert [formatting.misfit(error) for error in (0.0, 3e-11, 2.0)] == ["0", "3e−11", "2"]
    assert plain(formatting.misfit(0.25, "share of logits")) == "25 % of logits"
    assert [formatting.counted(count, "seed") for count in (1, 3)] == ["1 seed", "3 seeds"]
    assert [formatting.joined(parts) for parts in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]
