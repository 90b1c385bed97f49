"""A new variant is one more line of params.yaml, which is as it was if anything is wrong."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import TESTS
from ruamel.yaml import YAML

from gan.commands.new_variant import add_variant
from gan.errors import StudyError
from gan.study.loading import load_study

PARAMS = TESTS / "params.yaml"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """The tests' params.yaml with all its comments."""
    path = tmp_path / "params.yaml"
    path.write_bytes(PARAMS.read_bytes())
    return path


def added(params: Path) -> list[str]:
    """The lines that differ from the file as it was."""
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (PARAMS, params))
    return [line for line in difflib.ndiff(before, after) if line[:2] in ("+ ", "- ")]


def test_it_is_one_more_line_and_all_else_stays(params: Path) -> None:
    before = load_study(params)
    line = add_variant("softer", None, ["real_label=0.9", "generator_optimizer.lr=1e-3", "terms={r1: 0.5}"], params)
    assert line == "  softer: {real_label: 0.9, generator_optimizer: {lr: 0.001}, terms: {r1: 0.5}}\n"
    assert added(params) == [f"+ {line}".rstrip()]
    after = load_study(params)
    assert list(after.variants) == [*before.variants, "softer"]
    variant = after.variants["softer"]
    assert (variant.real_label, variant.terms) == (0.9, {"r1": 0.5})
    assert variant.generator_optimizer.lr == 1e-3
    assert variant.discriminator_optimizer == before.baseline.discriminator_optimizer
    assert after.model_copy(update={"variants": before.variants}) == before


def test_it_may_start_from_another_variant(params: Path) -> None:
    origin = load_study(params).variants["wgan_gp"]
    add_variant("gentler", "wgan_gp", ["terms.gradient_penalty=1", "epochs=4"], params)
    variant = load_study(params).variants["gentler"]
    assert (variant.objective, variant.seeds, variant.epochs) == (origin.objective, origin.seeds, 4)
    assert variant.terms == {**origin.terms, "gradient_penalty": 1}
    assert load_study(params).variants["wgan_gp"] == origin


@pytest.mark.parametrize(
    ("name", "origin", "settings", "told"),
    [
        ("cewl", None, [], "variants has cewl already: choose another name, or edit it there"),
        ("new", "cewll", [], "variants: cewll is unknown: did you mean cewl?"),
        ("new", None, ["real_lable=0.9"], "variants.new.real_lable: unknown key: did you mean real_label?"),
        ("new", None, ["objective=hing"], "variants.new.objective: hing is unknown: did you mean hinge?"),
        ("new", None, ["real_label"], "--set real_label: write key=value"),
        ("new", None, ["terms={r1"], "is no YAML value"),
        ("new", None, ["epochs=0"], "variants.new.epochs"),
        ("../new", None, [], "variants"),
    ],
)
def test_nothing_is_written_if_anything_is_wrong(
    params: Path, name: str, origin: str | None, settings: list[str], told: str
) -> None:
    with pytest.raises(StudyError) as refused:
        add_variant(name, origin, settings, params)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert params.read_bytes() == PARAMS.read_bytes()
    assert list(params.parent.iterdir()) == [params]


def test_a_mapping_on_one_line_is_extended_too(
    raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path]
) -> None:
    path = write_params(raw_params)
    document = YAML().load(path)
    document["variants"].fa.set_flow_style()
    with path.open("w", encoding="utf-8") as file:
        YAML().dump(document, file)
    before = load_study(path).variants
    add_variant("new", None, ["real_label=0.9"], path)
    after = load_study(path).variants
    assert after.pop("new").real_label == 0.9
    assert after == before


def test_a_file_without_a_last_newline_gets_one(tmp_path: Path) -> None:
    lines = PARAMS.read_text(encoding="utf-8").rstrip("\n").split("\nvariants:\n")
    (variants, rest) = lines[1].split("\n\n", 1)
    path = tmp_path / "params.yaml"
    path.write_text(f"{lines[0]}\n{rest}\n\nvariants:\n{variants}", encoding="utf-8")
    add_variant("new", None, [], path)
    assert path.read_text(encoding="utf-8").endswith("\n  new: {}\n")
    assert "new" in load_study(path).variants
