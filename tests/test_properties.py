"""Properties of the readers, the files and the statistics, on inputs that hypothesis thinks up."""

import gzip
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import idx
from hostile import PARAMS, Change, as_written, as_yaml, check_idx, keys, study_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from gan.data.download import parse_idx
from gan.data.mirrors import unpacked, without_credentials
from gan.files import SEAL, DamagedError, read_json, read_sealed, write_json, write_sealed
from gan.stats.inference import (
    Estimate,
    discordance_test,
    equivalence_test,
    hodges_lehmann,
    hodges_lehmann_shift,
    holm,
    mean_estimate,
    probability_of_improvement,
    rank_sum_test,
    sign_flip_test,
    signed_ranks,
)

TEXTS = st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3), max_leaves=6
)
# Whole numbers, which monotone transformations leave as many as they were; few enough for ties.
SAMPLES = st.lists(st.integers(-50, 50).map(float), max_size=7).map(np.array)
UNTIED = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=9, unique_by=abs).map(np.array)
RISING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "affine": lambda values: 3 * values + 1,
    "cube": lambda values: values**3,
    "exponential": lambda values: np.exp(values / 10),
    "ends at infinity": lambda values: np.where(values == 50, np.inf, values),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties") / "file"


@settings(max_examples=50)
@given(st.sampled_from([place for place, _ in keys(PARAMS)]), VALUES)
def test_any_value_at_any_key_makes_a_study_or_one_line(path: Path, place: tuple[str | int, ...], value: Any) -> None:
    study_of(path, as_yaml(Change("", place, place[-1], value).made()))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | VALUES.map(as_yaml))
@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
def test_any_file_makes_a_study_or_one_line(path: Path, content: bytes) -> None:
    assert study_of(path, content) is None


@settings(max_examples=20)
@given(
    epochs=st.integers(1, 1_000_000),
    lr=st.floats(0, exclude_min=True, allow_infinity=False),
    seeds=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5, unique=True),
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True),
    text=st.text(min_size=1, max_size=50),
)
def test_a_study_is_read_as_it_was_written(
    path: Path, epochs: int, lr: float, seeds: list[int], name: str, text: str
) -> None:
    variant = {"epochs": epochs, "seeds": seeds, "generator_optimizer": {"lr": lr}}
    other = "a" if name.casefold() != "a" else "b"
    question = {"id": name, "kind": "superiority", "variant": name, "against": other, "text": text}
    changes = {
        "variants": {name: variant, other: {}},
        "compare": PARAMS["compare"] | {"reference": other, "hypotheses": [question], "controls": []},
        "mechanism": PARAMS["mechanism"] | {"variant": other},
    }
    study = study_of(path, as_yaml(PARAMS | changes))
    assert study
    read = study.variants[name]
    assert (read.epochs, read.seeds, read.generator_optimizer.lr) == (epochs, tuple(seeds), lr)
    assert study.compare.hypotheses[0].text == text
    assert study_of(path, as_yaml(as_written(study))) == study


BYTES = arrays(np.uint8, array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4))


@given(BYTES)
def test_an_idx_file_is_read_as_it_was_written(array: np.ndarray) -> None:
    assert np.array_equal(parse_idx(idx(array), "x"), array)


HEADS = st.sampled_from([b"", b"\0\0", b"\0\0\x08", b"\0\0\x08\1\0\0\0", b"\0\0\x08\2\0\0\0\2\0\0\0"])


@given(HEADS, st.binary(max_size=300))
def test_any_bytes_are_an_idx_file_or_one_line(head: bytes, rest: bytes) -> None:
    check_idx(head + rest)


@given(BYTES, st.data())
def test_a_changed_idx_file_says_what_it_says_or_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    content = idx(array)
    place, end = (data.draw(st.integers(0, len(content))) for _ in range(2))
    check_idx(content[:place] + data.draw(st.binary(max_size=4)) + content[end:])


@given(st.binary())
def test_what_is_sealed_is_read_as_it_was_written(path: Path, content: bytes) -> None:
    write_sealed(path, content)
    assert read_sealed(path) == content


@given(st.binary(max_size=50), st.data())
def test_what_is_sealed_bears_no_change(path: Path, content: bytes, data: st.DataObject) -> None:
    write_sealed(path, content)
    sealed = path.read_bytes()
    place, bit = data.draw(st.integers(0, len(sealed) - 1)), data.draw(st.integers(0, 7))
    flipped = sealed[:place] + bytes([sealed[place] ^ 1 << bit]) + sealed[place + 1 :]
    for changed in (flipped, sealed[:place], sealed + sealed[:1], sealed[SEAL:]):
        path.write_bytes(changed)
        with pytest.raises(DamagedError):
            read_sealed(path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
        lambda below: st.lists(below) | st.dictionaries(TEXTS, below),
        max_leaves=10,
    )
)
def test_json_is_read_as_it_was_written(path: Path, value: Any) -> None:
    write_json(path, value)
    assert read_json(path) == value


def numbers(estimate: Estimate, sign: int = 1) -> list[float]:
    """Value and bounds; with sign −1, of the opposite."""
    bounds = sorted([sign * estimate.low, sign * estimate.high])
    return [sign * estimate.value, *bounds, estimate.confidence]


@given(SAMPLES, st.randoms(use_true_random=False))
def test_pairs_have_no_order_and_sides_are_alike(differences: np.ndarray, random: Any) -> None:
    shuffled = np.array(random.sample(list(differences), len(differences)))
    for test in (sign_flip_test, lambda sample: equivalence_test(sample / 100, 1.1)):
        assert test(shuffled) == pytest.approx(test(differences), rel=1e-9)
        assert test(-differences) == pytest.approx(test(differences), rel=1e-9)
    for estimate in (hodges_lehmann, mean_estimate):
        expected = pytest.approx(numbers(estimate(differences, 0.9)), nan_ok=True)
        assert numbers(estimate(shuffled, 0.9)) == expected
        assert numbers(estimate(-differences, 0.9), -1) == expected


@given(SAMPLES, SAMPLES, st.randoms(use_true_random=False))
def test_runs_have_no_order_and_sides_are_alike(variant: np.ndarray, against: np.ndarray, random: Any) -> None:
    shuffled = np.array(random.sample(list(variant), len(variant)))
    p = rank_sum_test(variant, against)
    assert 0 < p <= 1
    assert rank_sum_test(shuffled, against) == pytest.approx(p)
    assert rank_sum_test(against, variant) == pytest.approx(p)
    expected = pytest.approx(numbers(hodges_lehmann_shift(variant, against, 0.9)), nan_ok=True)
    assert numbers(hodges_lehmann_shift(shuffled, against, 0.9)) == expected
    assert numbers(hodges_lehmann_shift(against, variant, 0.9), -1) == expected
    both = probability_of_improvement(shuffled, against) + probability_of_improvement(against, variant)
    assert both == pytest.approx(1, nan_ok=True) or not (len(variant) and len(against))


@pytest.mark.parametrize("rising", RISING)
@given(variant=SAMPLES, against=SAMPLES)
def test_ranks_know_an_order_and_no_scale(rising: str, variant: np.ndarray, against: np.ndarray) -> None:
    scaled = RISING[rising](variant), RISING[rising](against)
    assert rank_sum_test(*scaled) == rank_sum_test(variant, against)
    assert probability_of_improvement(*scaled) == pytest.approx(
        probability_of_improvement(variant, against), nan_ok=True
    )
    magnitudes = np.sign(variant) * RISING[rising](abs(variant))
    assert signed_ranks(magnitudes).tolist() == signed_ranks(variant).tolist()


@given(UNTIED, UNTIED)
def test_tests_are_scipys(first: np.ndarray, second: np.ndarray) -> None:
    differences = first[first != 0]
    wilcoxon = stats.wilcoxon(differences, method="exact").pvalue if len(differences) else 1
    assert sign_flip_test(signed_ranks(differences)) == pytest.approx(wilcoxon)
    against = second + 0.5
    mann_whitney = stats.mannwhitneyu(first, against, method="exact")
    assert rank_sum_test(first, against) == pytest.approx(min(1, mann_whitney.pvalue))
    above = mann_whitney.statistic / (len(first) * len(against))
    assert probability_of_improvement(first, against) == pytest.approx(1 - above)
    low, high = stats.ttest_1samp(first, 0).confidence_interval(0.9)
    assert numbers(mean_estimate(first, 0.9)) == pytest.approx([first.mean(), low, high, 0.9])
    tails = (
        stats.ttest_1samp(first / 100, bound, alternative=side).pvalue
        for bound, side in ((-math.log(1.1), "greater"), (math.log(1.1), "less"))
    )
    assert equivalence_test(first / 100, 1.1) == pytest.approx(max(tails))


@given(st.integers(0, 40), st.integers(0, 40))
def test_discordance_is_a_fair_coin(first: int, second: int) -> None:
    tail = stats.binom.cdf(min(first, second), first + second, 0.5)
    assert discordance_test(first, second) == discordance_test(second, first) == pytest.approx(min(1, 2 * tail))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_holms_correction_follows_its_p(p: list[float], random: Any) -> None:
    adjusted = holm(p)
    for place, own in enumerate(p):
        steps = (sum(each >= lower for each in p) * lower for lower in p if lower <= own)
        assert adjusted[place] == pytest.approx(min(1, max(steps)))
    order = random.sample(range(len(p)), len(p))
    assert holm([p[place] for place in order]) == pytest.approx(adjusted[order])


LAYERS = st.sampled_from([gzip.compress, zlib.compress, lambda content: zlib.compress(content, wbits=-15)])


@given(st.binary(), LAYERS)
def test_a_layer_of_packing_is_taken_off(content: bytes, pack: Callable[[bytes], bytes]) -> None:
    assert unpacked(pack(content)) == content


@given(st.binary(max_size=300), LAYERS, st.data())
def test_any_bytes_are_unpacked_or_refused(content: bytes, pack: Callable[[bytes], bytes], data: st.DataObject) -> None:
    packed = pack(content)
    place, end = (data.draw(st.integers(0, len(packed))) for _ in range(2))
    inner = unpacked(packed[:place] + data.draw(st.binary(max_size=4)) + packed[end:])
    assert inner is None or isinstance(inner, bytes)


WORDS = st.text(st.characters(exclude_characters="\"'", exclude_categories=["C", "Z"]), min_size=1)


@given(st.sampled_from(["http", "HTTPS", "postgresql+psycopg2"]), WORDS, WORDS)
def test_no_password_is_shown(scheme: str, password: str, token: str) -> None:
    """Whatever characters it has, as long as nobody can take it for a port and a path."""
    address = f"{scheme}://me:x{password}x@host:80/mnist?token={token}x"
    # An @ in the query could end a password, too; what stands before it is not shown either.
    host = token.rpartition("@")[2] + "x" if "@" in token else "host:80/mnist"
    told = without_credentials(f"no answer from {address}")
    assert told == without_credentials(f"no answer from {scheme}://{host}")
    assert "@" in token or told == f"no answer from {scheme}://host:80/mnist"
