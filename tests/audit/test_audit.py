"""The audit passes the losses as they are, and catches and names planted wrong ones."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gan.audit import record as audit
from gan.audit.equations import EQUATIONS
from gan.audit.penalties import check_penalty
from gan.audit.record import PLAYERS, VIEWS, Losses, check_objective, compare, numerics
from gan.claims.identities import identities
from gan.commands import app as cli
from gan.errors import StudyError
from gan.reporting import figures
from gan.study.schema import Study, Variant
from gan.training.losses import OBJECTIVES, Objective
from gan.training.terms import TERMS, LossInputs, Term

ONSET = 24 * math.log(2)  # from here on sigmoid is 1 in float32


def losses(name: str, **own) -> Losses:
    return Losses(name, OBJECTIVES[name], **own)


def discriminator(sign: float) -> Callable[[Tensor, Tensor, float], Tensor]:
    """Cross-entropy with labels 1 and 0 (sign 1), or with labels swapped (sign -1)."""
    return lambda real, fake, label: F.softplus(-sign * real).mean(-1) + F.softplus(sign * fake).mean(-1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_the_equation_of_its_name(name: str) -> None:
    entry = check_objective(name, OBJECTIVES[name])
    assert entry["holds"], entry["faults"]
    assert entry["error"] < 1e-9
    assert entry["generator"]
    assert entry["discriminator"]


@pytest.mark.parametrize("name", EQUATIONS)
def test_derivatives_on_record_are_those_of_the_values_on_record(name: str) -> None:
    """By differences; the rescaled minimax loss is exempt, whose scale is no part of the derivative."""
    random, step = np.random.default_rng(0), 1e-6
    logits = {"real": random.normal(size=(6, 3)), "fake": random.normal(size=(6, 3))}
    for player, by in VIEWS:
        if (name, player) == ("minimax_rescaled", "generator"):
            continue
        evaluate = EQUATIONS[name][player].evaluate
        for column in range(3):
            nudge = step * np.eye(3)[column]
            high, low = (evaluate(**_as_logits({**logits, by: logits[by] + way * nudge}))[0] for way in (1, -1))
            slope = evaluate(**_as_logits(logits))[1][by][:, column]
            np.testing.assert_allclose(3 * (high - low) / (2 * step), slope, rtol=1e-6, atol=1e-8)


def _as_logits(logits: dict[str, np.ndarray]) -> dict:
    return {**logits, "label": 0.9}


PLANTED = {
    "minimax that is BCE to label 1": (
        "minimax",
        replace(OBJECTIVES["minimax"], generator=lambda fake: F.softplus(-fake).mean(-1)),
        ["generator's gradient", "but that of non_saturating, non_saturating_logits, cewl"],
    ),
    "minimax as mean(1 - log D)": (
        "minimax",
        replace(OBJECTIVES["minimax"], generator=lambda fake: (1 - torch.log(torch.sigmoid(fake))).mean(-1)),
        ["generator's gradient", "E log(1 − D(G(z)))", "but that of non_saturating"],
    ),
    "mean(1 - log D) under its gradient's name": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], generator=lambda fake: (1 + F.softplus(-fake)).mean(-1)),
        ["generator's gradient on generated images is that of −E log D(G(z)), its value is not"],
    ),
    "log(D + 1e-8)": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], generator=lambda fake: -torch.log(torch.sigmoid(fake) + 1e-8).mean(-1)),
        ["generator's gradient", "(at logit −15 −0.9683, not −1)"],
    ),
    "swapped labels": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], discriminator=discriminator(-1)),
        ["discriminator's gradient on real images", "discriminator's gradient on generated images"],
    ),
    "half a loss": (
        "cewl",
        replace(OBJECTIVES["cewl"], discriminator=discriminator(1)),
        ["discriminator's gradient on real images", "but that of minimax, minimax_logits"],
    ),
    "a sum for a mean": (
        "wasserstein",
        replace(OBJECTIVES["wasserstein"], generator=lambda fake: -fake.sum(-1)),
        ["generator's gradient"],
    ),
    "a label that is forgotten": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], discriminator=discriminator(1)),
        ["non_saturating, label 0.9: the discriminator's gradient on real images"],
    ),
    "alike only where a batch has one image": (
        "non_saturating",
        replace(OBJECTIVES["non_saturating"], generator=OBJECTIVES["minimax_rescaled"].generator),
        ["generator's gradient", "but that of minimax_rescaled"],
    ),
    "a relativistic loss without real images": (
        "relativistic",
        replace(OBJECTIVES["relativistic"], generator=OBJECTIVES["cewl"].generator, relativistic=False),
        ["generator's gradient", "but that of non_saturating"],
    ),
    "not a number": (
        "hinge",
        replace(OBJECTIVES["hinge"], generator=lambda fake: -fake.mean(-1) * torch.nan),
        ["generator's gradient on generated images is not that of −E l_f"],
    ),
}


@pytest.mark.parametrize("wrong", PLANTED)
def test_a_wrong_loss_is_caught_and_named(wrong: str) -> None:
    name, objective, parts = PLANTED[wrong]
    entry = check_objective(name, objective)
    assert entry["holds"] is False
    for part in parts:
        assert any(part in fault for fault in entry["faults"]), entry["faults"]
    assert all(fault.startswith(name) for fault in entry["faults"])
    json.dumps(entry, allow_nan=False)


def test_an_unknown_objective_has_no_equation_on_record_and_no_fault() -> None:
    mine = Objective(discriminator(1), lambda fake: fake.square().mean(-1))
    entry = check_objective("mine", mine)
    assert entry == dict.fromkeys([*PLAYERS, "holds", "error"]) | {"objective": "mine", "faults": []}
    assert numerics(Losses("mine", mine)) == []
    assert compare(losses("minimax_logits"), Losses("mine", mine))["discriminator"]["kind"] == "same"


def found(name: str, player: str, by: str, side: str) -> dict:
    own = [entry for entry in numerics(losses(name)) if (entry["player"], entry["by"]) == (player, by)]
    (entry,) = [entry for entry in own if entry["side"] == side] or [{}]
    return entry


def test_float32_dies_where_its_sigmoid_is_one() -> None:
    assert round(ONSET, 4) == 16.6355
    for name, player, clamp in (
        ("minimax", "generator", "−100"),
        ("bce_label_zero", "generator", "100"),
        ("non_saturating", "discriminator", "100.3"),
    ):
        entry = found(name, player, "fake", "up")
        assert entry["zero_from"] == entry["off_from"] == entry["clamp_from"] == pytest.approx(ONSET, abs=1e-5)
        assert f"the {player}'s gradient on generated images is exactly 0 from logit 16.64 up" in entry["text"]
        assert f"the loss stays at {clamp} from logit 16.64 up" in entry["text"]


def test_bceloss_bounds_a_gradients_denominator() -> None:
    """p (1 - p) from below by 1e-12, so from logit -27.63 down the gradient dwindles that should be -1."""
    entry = found("non_saturating", "generator", "fake", "down")
    assert entry["off_from"] == pytest.approx(math.log(1e-12), abs=0.01)
    assert entry["zero_from"] is entry["clamp_from"] is None
    assert "at −40: −4.248e−06, not −1" in entry["text"]


@pytest.mark.parametrize("name", ["non_saturating_logits", "minimax_logits", "least_squares", "relativistic", "hinge"])
def test_losses_on_logits_are_exact_in_float32(name: str) -> None:
    assert numerics(losses(name)) == []


def test_an_epsilon_in_the_logarithm_is_found_to_clamp() -> None:
    entries = numerics(Losses("non_saturating", PLANTED["log(D + 1e-8)"][1]))
    (entry,) = [entry for entry in entries if (entry["player"], entry["side"]) == ("generator", "down")]
    assert -12 < entry["off_from"] < -11
    assert "the loss stays at 18.42 " in entry["text"]


PAIRS = {
    ("minimax", "minimax"): ("same", "same", None),
    ("minimax", "minimax_logits"): ("numerics", "numerics", None),
    ("non_saturating", "non_saturating_logits"): ("numerics", "numerics", None),
    ("non_saturating_logits", "cewl"): ("same", "size", None),
    ("non_saturating", "cewl"): ("numerics", "size", None),
    ("minimax", "non_saturating"): ("size", "same", (math.exp(-15), math.exp(15))),
    ("minimax", "minimax_rescaled"): ("size", "numerics", (math.exp(-15), math.exp(15))),
    ("minimax", "bce_label_zero"): ("different", "same", None),
    ("wasserstein", "hinge"): ("same", "different", None),
    ("relativistic", "non_saturating_logits"): ("size", "size", (math.exp(-1), math.exp(2))),
    ("least_squares", "wasserstein"): ("different", "different", None),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_verdicts_on_known_pairs(pair: tuple[str, str]) -> None:
    generator, discriminator, factor = PAIRS[pair]
    verdict = compare(*map(losses, pair), pair)
    assert (verdict["generator"]["kind"], verdict["discriminator"]["kind"]) == (generator, discriminator)
    assert verdict["kind"] == max(generator, discriminator, key=["same", "numerics", "size", "different"].index)
    if factor:
        assert verdict["generator"]["factor"] == pytest.approx(factor, rel=1e-6)
    other_way = compare(*map(losses, pair[::-1]))
    assert (other_way["kind"], other_way["verdict"]) == (verdict["kind"], verdict["verdict"])


def test_the_wording_of_verdicts_and_their_reasons() -> None:
    names = ("non_saturating", "cewl")
    cewl = compare(*map(losses, names), names)
    assert cewl["verdict"] == "same direction, different size"
    assert cewl["discriminator"]["factor"] == pytest.approx([0.5, 0.5])
    assert cewl["discriminator"]["reason"] == "that of cewl is 0.5 times that of non_saturating"
    assert cewl["generator"]["verdict"].startswith("same mathematics, different numerics from logit ")
    assert "from logit −27.63 down (at −40: −4.248e−06 against −1)" in cewl["generator"]["reason"]
    assert compare(losses("minimax"), losses("minimax"))["verdict"] == "the same mathematics"
    pair = compare(losses("minimax"), losses("minimax_logits"))
    assert pair["logit"] == pair["discriminator"]["logit"] == pytest.approx(9.86, abs=0.5)
    logits = pair["generator"]
    assert logits["logit"] == pytest.approx(ONSET, abs=1e-5)
    assert logits["verdict"] == "same mathematics, different numerics from logit 16.64 on"
    zero = compare(losses("minimax"), losses("bce_label_zero"))
    assert zero["verdict"] == "different"
    assert zero["reason"] == "generator: opposite directions on generated images at every logit"
    hinge = compare(losses("wasserstein"), losses("hinge"), ("wasserstein", "hinge"))
    assert "no gradient in hinge on real images from logit 1 up" in hinge["reason"]


def test_minimax_rescaled_is_non_saturating_in_size_and_minimax_among_images() -> None:
    """Alone it has the non-saturating gradient, in company minimax's times a constant."""
    pair = compare(losses("non_saturating"), losses("minimax_rescaled"))["generator"]
    assert pair["kind"] == "size"
    low, high = pair["factor"]
    assert low < 1 < high
    rescaled, non_saturating, minimax = (
        audit.probe(audit.implementation(losses(name), "generator"), "fake", audit.CORE_LOGITS)[1]
        for name in ("minimax_rescaled", "non_saturating", "minimax")
    )
    np.testing.assert_allclose(rescaled[:, 0], non_saturating[:, 0], rtol=1e-8)
    scale = rescaled[:, 1:] / minimax[:, 1:]
    np.testing.assert_allclose(scale, scale[:, :1] * np.ones(4), rtol=1e-9)


def test_what_a_variant_adds_is_part_of_the_verdict() -> None:
    def verdict(first: dict, second: dict) -> dict:
        return compare(losses("wasserstein", **first), losses("wasserstein", **second), ("a", "b"))

    penalty = {"terms": (("gradient_penalty", 10.0),)}
    pairs = {
        "discriminator: gradient_penalty added in b": verdict({}, penalty),
        "discriminator: gradient_penalty weighs 10 in a, 1 in b": verdict(
            penalty, {"terms": (("gradient_penalty", 1.0),)}
        ),
        "discriminator: parameters clipped at 0.01 in a, not clipped in b": verdict({"clip": 0.01}, {}),
        "generator: pixel_mse added in b": verdict({}, {"terms": (("pixel_mse", 1.0),)}),
        "generator: evidence_bound added in a": verdict({"terms": (("evidence_bound", 1.0),)}, {}),
        "generator: only a has an adversarial loss": verdict({}, {"adversarial": 0.0}),
    }
    for reason, pair in pairs.items():
        assert (pair["kind"], pair["verdict"], pair["reason"]) == ("different", "different", reason)
    assert verdict(penalty, penalty)["kind"] == "same"
    assert verdict({"adversarial": 0.0}, {"adversarial": 0.0})["kind"] == "same"
    half = verdict({}, {"adversarial": 0.5})
    assert half["kind"] == "size"
    assert half["generator"]["factor"] == [0.5, 0.5]
    softer = compare(losses("non_saturating"), losses("non_saturating", real_label=0.9))
    assert softer["generator"]["kind"] == "same"
    assert softer["discriminator"]["reason"] == "opposite directions on real images from logit 2.25 up"


def slopes(inputs: LossInputs, images: Tensor) -> Tensor:
    points = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(inputs.discriminate(points).sum(), points, create_graph=True)
    return gradients


def normed_over_the_batch(inputs: LossInputs) -> Tensor:
    return (torch.linalg.vector_norm(slopes(inputs, inputs.real).flatten(1), dim=-1) - 1).square()


def root_of_the_mean(inputs: LossInputs) -> Tensor:
    """As large for every batch of equal samples as it should be."""
    return (slopes(inputs, inputs.real).square().sum(-1).mean(-1).sqrt() - 1).square()


def summed(inputs: LossInputs) -> Tensor:
    return slopes(inputs, inputs.real).square().sum((-1, -2))


def one_sided(inputs: LossInputs) -> Tensor:
    return (torch.linalg.vector_norm(slopes(inputs, inputs.real), dim=-1) - 1).relu().square().mean(-1)


@pytest.mark.parametrize("name", [name for name, term in TERMS.items() if term.player == "discriminator"])
def test_penalties_are_per_sample(name: str) -> None:
    entry = check_penalty(name, TERMS[name])
    assert entry["holds"], entry["faults"]
    assert entry["linear"]


@pytest.mark.parametrize(
    ("name", "wrong", "part"),
    [
        ("gradient_penalty", normed_over_the_batch, "in a batch of 7, not"),
        ("gradient_penalty", root_of_the_mean, "of three samples it is"),
        ("r1", summed, "in a batch of 2, not"),
        ("r1", TERMS["gradient_penalty"].loss, "= |w|²"),
        ("mine", normed_over_the_batch, "in a batch of 7, not"),
        ("mine", root_of_the_mean, "of three samples it is"),
    ],
)
def test_a_wrong_penalty_is_caught(name: str, wrong: Callable[[LossInputs], Tensor], part: str) -> None:
    entry = check_penalty(name, Term(wrong, player="discriminator"))
    assert entry["holds"] is False
    assert any(fault.startswith(name) and part in fault for fault in entry["faults"]), entry["faults"]


def test_an_unknown_penalty_need_only_be_per_sample() -> None:
    entry = check_penalty("mine", Term(one_sided, player="discriminator"))
    assert entry["holds"]
    assert entry["linear"] is None


def test_the_sources_algebra() -> None:
    entries = {entry["key"]: entry for entry in identities()}
    fails = {key for key, entry in entries.items() if not entry["holds"]}
    # What these claim is not so: CLAIMS.md says why.
    assert fails == {"V6.equal", "T1.direction", "Q1.reconstruction", "Q7.non_saturating", "Q7.cewl"}
    ids = {"V1", "V2", "V5", "V6", "T1", "T2", "T3", "Q1", "Q7", "Q8", "Q10"}
    assert {entry["id"] for entry in entries.values()} == ids
    assert entries["T1.direction"]["error"] == 1.0
    assert all(entry["error"] < 1e-8 for key, entry in entries.items() if key not in fails)
    assert all(entry["error"] > 0.1 for key, entry in entries.items() if key in fails)


OBJECTIVES_STUDIED = ["minimax", "minimax_rescaled", "non_saturating", "cewl"]


@pytest.fixture
def record(study: Study, variant: Variant) -> dict:
    variants = {name: variant.model_copy(update={"objective": name}) for name in OBJECTIVES_STUDIED}
    variants["again"] = variants["cewl"]
    variants["penalised"] = variants["cewl"].model_copy(update={"terms": {"r1": 1.0}})
    return audit.audit(study.model_copy(update={"variants": variants}))


def test_the_record_has_every_related_pair_and_is_json(record: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert audit.faults(record) == []
    kinds = {(pair["first"], pair["second"]): pair["kind"] for pair in record["pairs"]}
    assert kinds["cewl", "again"] == "same"
    assert ("cewl", "penalised") not in kinds
    assert "different" not in kinds.values()
    assert record["variants"]["penalised"] == {"losses": "cewl, 1 r1", "adversarial_losses": "cewl"}
    audit.show(record)
    printed = " ".join(capsys.readouterr().out.split())
    for part in ("is exactly 0", "same direction", "|w|²", "Q10", "E max(0, 1 − l_r)"):
        assert part in printed


def test_curves_are_the_implementations_gradients(record: dict) -> None:
    assert (record["logits"][0], record["logits"][-1]) == (-40.0, 40.0)
    (line,) = [
        curve
        for curve in record["curves"]
        if curve["losses"] == ["minimax"] and (curve["player"], curve["kind"]) == ("generator", "float32")
    ]
    gradient = dict(zip(record["logits"], line["gradient"], strict=True))
    assert gradient[0] == -0.5
    assert gradient[-10] == pytest.approx(-1 / (1 + math.exp(10)), rel=1e-5)
    assert (gradient[16.5], gradient[17]) == (-1.0, 0.0)
    shared = [curve["losses"] for curve in record["curves"] if curve["player"] == "discriminator"]
    assert ["minimax", "non_saturating"] in shared


def test_the_figure_draws_the_curves(record: dict) -> None:
    curves = pd.DataFrame(record["curves"]).assign(logit=[record["logits"]] * len(record["curves"]))
    table = curves.explode("losses").explode(["logit", "gradient"])
    colours = figures.palette(OBJECTIVES_STUDIED)
    figure = figures.audit(table[table["player"] == "generator"], colours)
    assert [axes.get_title("left") for axes in figure.axes] == list(colours)
    drawn = [[line for line in axes.lines if len(line.get_xdata())] for axes in figure.axes]
    assert [len(lines) for lines in drawn] == [2, 3, 2, 1]  # with the exact one, and rescaled in company
    steps = dict(zip(*drawn[0][0].get_data(), strict=True))
    assert (steps[0], steps[17]) == (0.5, 1e-18)


def test_the_command_ends_on_a_planted_loss_in_one_line(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = study.model_copy(update={"variants": {"minimax": study.variants["minimax"]}})
    monkeypatch.setattr("gan.study.schema.load_study", lambda: one)
    cli.audit()
    monkeypatch.setitem(OBJECTIVES, "minimax", PLANTED["minimax that is BCE to label 1"][1])
    with pytest.raises(StudyError, match=r"minimax: the generator's gradient .* but that of non_saturating") as caught:
        cli.audit()
    assert "\n" not in str(caught.value)
    assert "NO: minimax" in " ".join(capsys.readouterr().out.split())
