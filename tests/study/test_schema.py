"""params.yaml: what is accepted, how the baseline completes a variant, and one line for every mistake."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import NO_STUDIES

from gan.errors import StudyError
from gan.study.loading import load_study
from gan.study.schema import Study

Write = Callable[[dict[str, Any]], Path]


def contrast(**changes: str) -> dict[str, str]:
    return {"id": "H1", "kind": "equivalence", "variant": "cewl", "against": "minimax", "text": "Same.", **changes}


def put(params: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        params = params[parent]
    params[last] = value


def test_a_variant_states_only_what_differs(raw_params: dict[str, Any], write_params: Write) -> None:
    raw_params["variants"] |= {
        "as_baseline": {},
        "slow": {"epochs": 3, "generator_optimizer": {"lr": 1e-5}},
        "plain": {"generator_optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.0}},
    }
    study = load_study(write_params(raw_params))
    assert study.variants["as_baseline"] == study.baseline
    slow = study.variants["slow"]
    assert slow.generator_optimizer.lr == 1e-5
    assert slow.generator_optimizer.betas == study.baseline.generator_optimizer.betas
    assert (
        slow.model_copy(update={"epochs": 2, "generator_optimizer": study.baseline.generator_optimizer})
        == study.baseline
    )
    assert study.variants["plain"].generator_optimizer.name == "sgd"


def test_the_order_of_terms_decides_nothing(raw_params: dict[str, Any], write_params: Write) -> None:
    """They draw from one stream in turn."""
    for terms in ({"r2": 1.0, "r1": 2.0}, {"r1": 2.0, "r2": 1.0}):
        raw_params["variants"]["cewl"] = {"objective": "cewl", "terms": terms}
        assert [*load_study(write_params(raw_params)).variants["cewl"].terms] == ["r1", "r2"]


def test_checkpoints_end_with_the_last_epoch(study: Study) -> None:
    variant = study.baseline.model_copy(update={"epochs": 5, "snapshots": (9, 2, 5, 1)})
    assert variant.checkpoints == (1, 2, 5)


@pytest.mark.parametrize(
    ("epochs", "snapshots", "scored"),
    [
        (20, (1, 3, 4, 6, 8, 12, 16, 18), {3: (3,), 8: (4, 6, 8), 20: (16, 18, 20)}),
        (8, (1, 3, 4, 6, 8, 12, 16, 18), {3: (3,), 8: (4, 6, 8)}),
        (8, (4, 6), {8: (4, 6, 8)}),
        (8, (3, 6), {3: (3,), 8: (8,)}),
        (3, (), {3: (3,)}),
        (12, (4, 6, 8), {8: (4, 6, 8), 12: (12,)}),
        (20, (18,), {20: (20,)}),
        (2, (1,), {2: (2,)}),
    ],
)
def test_a_score_averages_the_snapshots_that_are_declared_if_a_variant_keeps_them_all(
    study: Study, epochs: int, snapshots: tuple[int, ...], scored: dict[int, tuple[int, ...]]
) -> None:
    settings = study.evaluate.model_copy(update={"scores": {20: (16, 18, 20), 3: (3,), 8: (4, 6, 8)}})
    variant = study.baseline.model_copy(update={"epochs": epochs, "snapshots": snapshots})
    assert settings.scored(variant) == scored
    assert list(settings.scored(variant)) == sorted(scored)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("baseline.epochs", 0, "baseline.epochs: Input should be greater than 0"),
        ("baseline.epochs", "20", "baseline.epochs: Input should be a valid integer"),
        ("baseline.epochs", True, "baseline.epochs"),
        ("baseline.epoch", 3, "baseline.epoch: unknown key: did you mean epochs?"),
        ("baseline.seeds", [1, 2, 1], "baseline.seeds: 1 appears twice"),
        ("baseline.seeds", [], "baseline.seeds"),
        ("baseline.seeds", [-1], "baseline.seeds.0"),
        ("baseline.generator_optimizer.lr", float("nan"), "baseline.generator_optimizer.lr"),
        ("baseline.generator_optimizer.lr", "1e-3", "baseline.generator_optimizer.lr"),
        ("baseline.generator_optimizer.name", "adamw", "baseline.generator_optimizer"),
        ("baseline.real_label", 1.2, "baseline.real_label"),
        ("variants.minimax", None, "variants.minimax"),
        ("variants.minimax", {"objectiv": "cewl"}, "variants.minimax.objectiv: unknown key: did you mean objective?"),
        ("variants", {}, "variants"),
        ("variants", {"../../etc": {}}, "variants.../../etc"),
        ("variants", {"a b": {}}, "variants.a b"),
        ("variants", {"sgd": {"real_label": 2.0}}, "variants.sgd.real_label: "),
        ("variants", {"a": {}, "A": {}}, "variants: a appears twice"),
        ("evaluate.neighbours", 200, "evaluate: neighbours must be fewer than images, which are 200"),
        ("train.quantiles", [0.5, 0.1], "train.quantiles: must rise"),
        ("variants", {"<b>": {}}, "variants.<b>"),
        ("compare.alpha", 0.5, "compare.alpha: Input should be less than 0.5"),
        ("compare.margin", 0.9, "compare.margin"),
        ("compare.hypotheses", [{"id": "H1", "kind": "superior"}], "compare.hypotheses.0.kind"),
        ("data.name", "mnist", "data.name: unknown key"),
        ("baseline.data", "cifar", "baseline.data"),
        ("variants.minimax", {"data": "cifar"}, "variants.minimax.data"),
        ("data.mirrors.mnist", [], "data.mirrors.mnist"),
        ("compute.device", "tpu", "compute.device"),
        ("variants.cewl", {"terms": {"r1": 0.0}}, "variants.cewl.terms.r1: Input should be greater than 0"),
        ("variants.cewl", {"clip": 0.0}, "variants.cewl.clip"),
        ("variants.cewl", {"pinned": {"weights": 1}}, "variants.cewl.pinned.weights"),
        ("compare.reference", "same_data", "compare.reference: same_data pins a random stream, so its seeds are no"),
        ("mechanism.epochs", [7], "mechanism.epochs: 7 is not among the snapshots of non_saturating"),
        ("mechanism.seeds", [7], "mechanism.seeds: 7 is not among the seeds of non_saturating"),
        ("evaluate.scores", {0: [1]}, "evaluate.scores.0"),
        ("evaluate.scores", {8: []}, "evaluate.scores.8"),
        ("evaluate.scores", {"8": [8]}, "evaluate.scores.8"),
        ("evaluate.scores", {8: [4, 6]}, "evaluate: scores.8: its snapshots must rise to 8, not be 4, 6"),
        ("evaluate.scores", {8: [6, 4, 8]}, "evaluate: scores.8: its snapshots must rise to 8, not be 6, 4, 8"),
        ("evaluate.average", 3, "evaluate.average: unknown key"),
        ("compare.learnt.digits", -1, "compare.learnt.digits"),
        ("compare.learnt.coverage", 0.0, "compare.learnt.coverage"),
        ("compare.learnt.epochs", 0, "compare.learnt.epochs"),
        ("extra", 1, "params.yaml: extra: unknown key"),
        ("compar", {}, "params.yaml: compar: unknown key: did you mean compare?"),
        ("simulate.efect", 2.0, "simulate.efect: unknown key: did you mean effect?"),
        ("baseline.generator_optimizer.epz", 0.1, "epz: unknown key: did you mean eps?"),
        (
            "compare.reference",
            "non_saturatin",
            "compare.reference: non_saturatin is unknown: did you mean non_saturating",
        ),
        ("mechanism.variant", "minmax", "mechanism.variant: minmax is unknown: did you mean minimax?"),
        ("compare.hypotheses", [contrast(variant="cewll")], "H1, variant: cewll is unknown: did you mean cewl?"),
        ("compare.hypotheses", [contrast(against="minmax")], "H1, against: minmax is unknown: did you mean minimax?"),
        (
            "compare.controls",
            [contrast(id="A9", variant="cewll")],
            "compare.controls, A9, variant: cewll is unknown",
        ),
        ("baseline.epochs", 10**12, "baseline.epochs: Input should be less than or equal to 1000000, not 10000"),
        ("evaluate.images", 10**9, "evaluate.images"),
        ("simulate.studies", 10**12, "simulate.studies"),
        ("toys.dirac.lr", 0.0, "toys.dirac.lr: Input should be greater than 0"),
        ("toys.ring.steps", [20, 10], "toys.ring.steps: must rise from one to the next"),
        ("toys.ring.samples", 10**9, "toys.ring.samples"),
        ("data.mirrors.mnist", ["http://[bad/"], "data.mirrors.mnist.0: a URL needs a host"),
        ("data.mirrors.mnist", ["file:///etc/passwd"], "data.mirrors.mnist.0: a mirror is a folder, or a URL"),
        ("data.timeout_seconds", 1e300, "data.timeout_seconds"),
        ("compute.workers", 0, "compute.workers: must be auto or a whole number above 0, not 0"),
        ("compute.workers", "all", "compute.workers: must be auto or a whole number above 0, not 'all'"),
        ("compute.population", True, "compute.population: must be auto"),
        ("compute.checkpoint_seconds", -1, "compute.checkpoint_seconds"),
        ("variants", {"x" * 10_000: {}}, "variants.xxx"),
        ("variants", {"a\nb": {}}, "variants.a b: String should match"),
        ("tracking.experiment", "<script>", "tracking.experiment"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    raw_params: dict[str, Any], write_params: Write, key: str, value: Any, message: str
) -> None:
    put(raw_params, key, value)
    with pytest.raises(StudyError) as caught:
        load_study(write_params(raw_params))
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 600
    assert "params.yaml" in told
    assert message in told


def test_a_misspelt_key_is_named_rather_than_the_one_that_is_missing(
    raw_params: dict[str, Any], write_params: Write
) -> None:
    raw_params["compare"]["margn"] = raw_params["compare"].pop("margin")
    with pytest.raises(StudyError, match=r"compare\.margn: unknown key: did you mean margin\?"):
        load_study(write_params(raw_params))


def test_every_key_is_needed(raw_params: dict[str, Any], write_params: Write) -> None:
    """Python holds no defaults: each key that is taken away is missed by name."""
    sections = {name: body for name, body in raw_params.items() if isinstance(body, dict) and name != "variants"}
    leaves = [(section, key) for section, body in sections.items() for key in body]
    for section, key in leaves:
        body = {name: value for name, value in raw_params[section].items() if name != key}
        with pytest.raises(StudyError, match=rf"{section}\.{key}"):
            load_study(write_params({**raw_params, section: body}))


@pytest.mark.parametrize(("text", "message"), NO_STUDIES)
def test_bad_yaml_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(StudyError, match=message) as caught:
        load_study(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="can't be read: No such file"):
        load_study(tmp_path / "params.yaml")


def test_unknown_variant_is_told(study: Study) -> None:
    with pytest.raises(StudyError, match=r"^params\.yaml, variants: cewll is unknown: did you mean cewl\?$"):
        study.variant("cewll")
    with pytest.raises(StudyError, match=r"^params\.yaml, variants: xyz is unknown; known are minimax, "):
        study.variant("xyz")


@pytest.mark.parametrize("name", [1, 1e3, 16, True, None])
def test_a_name_without_its_quotes_is_told_so(raw_params: dict[str, Any], write_params: Write, name: Any) -> None:
    raw_params["variants"][name] = {"objective": "hinge"}
    with pytest.raises(StudyError, match=r"variants.*: must be text: .* in quotes"):
        load_study(write_params(raw_params))


CLOTHES = {"data": "fashion_mnist"}


def test_each_variant_has_its_data_set(raw_params: dict[str, Any], write_params: Write) -> None:
    raw_params["variants"] |= {"clothes": CLOTHES, "digits": {"data": "digits"}}
    study = load_study(write_params(raw_params))
    assert study.variants["clothes"].data == "fashion_mnist"
    assert study.data_sets == ("mnist", "fashion_mnist", "digits")
    assert study.unused_data_sets == ()
    assert study.by_variant({"mnist": 1, "fashion_mnist": 2, "digits": 3})["digits"] == 3
    raw_params["compare"]["reference"] = "clothes"
    assert load_study(write_params(raw_params)).data_sets[0] == "fashion_mnist"


@pytest.mark.parametrize("family", ["hypotheses", "controls"])
def test_two_data_sets_are_not_compared(raw_params: dict[str, Any], write_params: Write, family: str) -> None:
    raw_params["variants"] |= {"clothes": CLOTHES, "more": CLOTHES}
    raw_params["compare"] |= {"hypotheses": [], "controls": []}
    raw_params["compare"][family] = [contrast(kind="equivalence", variant="clothes", against="more")]
    load_study(write_params(raw_params))
    raw_params["compare"][family] = [contrast(kind="equivalence", variant="clothes", against="cewl")]
    told = f"compare.{family}, H1: clothes is trained on fashion_mnist and cewl on mnist: scores on different data"
    with pytest.raises(StudyError, match=told):
        load_study(write_params(raw_params))


FEW_BATCHES = {"data": "digits", "batch_size": 64, "discriminator_steps": 22}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("variants.small", {"data": "digits", "batch_size": 1298}, "variants.small.batch_size: 1298 .* of digits"),
        ("classify.batch_size", 1298, "classify.batch_size: 1298 is more than the 1297 training images of digits"),
        (
            "variants.small",
            FEW_BATCHES,
            "variants.small.discriminator_steps: 22 is more than the 21 batches of an epoch",
        ),
        ("evaluate", {"images": 600, "neighbours": 500}, "evaluate.neighbours: 500 .* 500 test images of digits"),
        ("classify.least_accuracy", {"mnist": 0.9}, "classify.least_accuracy has no entry for digits"),
        ("variants.clothes", CLOTHES, "data.mirrors has no entry for fashion_mnist"),
    ],
)
def test_every_data_set_in_use_must_suffice(
    raw_params: dict[str, Any], write_params: Write, key: str, value: Any, told: str
) -> None:
    raw_params["variants"]["small"] = {"data": "digits"}
    del raw_params["data"]["mirrors"]["fashion_mnist"]
    load_study(write_params(raw_params))
    if isinstance(value, dict) and key == "evaluate":
        value = raw_params["evaluate"] | value
    put(raw_params, key, value)
    with pytest.raises(StudyError, match=told):
        load_study(write_params(raw_params))


def test_only_scores_on_the_same_data_must_be_alike(raw_params: dict[str, Any], write_params: Write) -> None:
    raw_params["variants"]["clothes"] = CLOTHES | {"snapshots": []}
    load_study(write_params(raw_params))


def test_all_controls_are_forms_of_one_algorithm(raw_params: dict[str, Any], write_params: Write) -> None:
    """One test asks whether any of them differs, so a control of something else would be an alarm by itself."""
    pair = {"kind": "equivalence", "text": "The same."}
    apart = {**pair, "id": "A9", "variant": "minimax_logits", "against": "minimax"}
    raw_params["compare"]["controls"].append(apart)
    with pytest.raises(StudyError, match="compare: controls: A9 shares no variant with A1, and one test asks"):
        load_study(write_params(raw_params))
    raw_params["compare"]["controls"].insert(0, {**pair, "id": "A8", "variant": "unfrozen", "against": "minimax"})
    raw_params["compare"]["controls"].append({**pair, "id": "A7", "variant": "unfrozen", "against": "cewl"})
    forms = ("unfrozen", "minimax", "cewl", "non_saturating", "non_saturating_logits", "minimax_logits")
    assert load_study(write_params(raw_params)).compare.forms == forms
