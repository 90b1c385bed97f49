"""Every recipe is trained on the fake runtime over both of its recordings, checkpointed, and goes on from there."""

import gc
from itertools import product
from typing import Any

import pytest
import torch
from conftest import TESTS
from gpu.fake import runtime
from gpu.fake.engine import Kept, memory_of_one_more_run, train

from gan.networks.registry import NETWORKS
from gan.study.loading import read_yaml
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training import arithmetic
from gan.training.cuda_graph import WARM_UP
from gan.training.losses import OBJECTIVES
from gan.training.terms import TERMS

# An epoch's last, smaller batch is recorded and replayed, too.
EPOCHS = WARM_UP + 3
SEEDS = (0, 1, 2)
ENCODER = (12, 10)


def follow(variant: Variant, images: torch.Tensor, recordings: int = 2) -> None:
    """Train a population of the variant to its end, and another that goes on from its last checkpoint."""
    saver = Kept()
    for epochs in (EPOCHS, 2 * EPOCHS):
        before = {name: runtime.count(name) for name in ("captures", "replays")}
        recipe = variant.model_copy(update={"epochs": epochs, "snapshots": (1,)})
        runs = train([(recipe, seed) for seed in SEEDS], images, saver)
        assert [run.status for run in runs] == ["finished"] * len(SEEDS)
        assert all(len(run.history) == epochs and epochs in run.generators for run in runs)
        assert runtime.count("captures") - before["captures"] == recordings
        assert runtime.count("replays") > before["replays"]
        assert not [kind for kind in runtime.last_graph() if "distribution" in kind or "philox" in kind]


@pytest.mark.parametrize("name", read_yaml(TESTS / "params.yaml")["variants"])
def test_variant(study: Study, images: torch.Tensor, name: str) -> None:
    follow(study.variants[name], images)


@pytest.mark.parametrize(("objective", "term"), product(OBJECTIVES, [None, *TERMS]))
def test_objective_with_term(variant: Variant, images: torch.Tensor, objective: str, term: str | None) -> None:
    changes: dict[str, Any] = {"objective": objective}
    if term:
        encoder = ENCODER if TERMS[term].player == "autoencoder" else None
        changes |= {"terms": {term: 1.0}, "encoder_hidden": encoder}
    follow(variant.model_copy(update=changes), images)


@pytest.mark.parametrize(
    ("changes", "recordings"),
    [
        ({"terms": dict.fromkeys(TERMS, 1.0), "encoder_hidden": ENCODER}, 2),
        ({"batch_size": 37}, 2),
        ({"batch_size": 50}, 1),  # divides the images
        ({"batch_size": 1000}, 1),  # more than there are
        ({"generator_hidden": (), "discriminator_hidden": ()}, 2),
        ({"pinned": {"latents": 7, "order": 7}}, 2),
        ({"clip": 0.01, "freeze_discriminator": False}, 2),
    ],
)
def test_settings(variant: Variant, images: torch.Tensor, changes: dict[str, Any], recordings: int) -> None:
    follow(variant.model_copy(update=changes), images, recordings)


# Of the hidden layers: each kind of network wants its own.
HIDDEN = {"mlp": {"generator_hidden": (16, 24), "discriminator_hidden": (24, 16)}}
HIDDEN["dcgan"] = {"generator_hidden": (6, 4), "discriminator_hidden": (4, 6)}


@pytest.mark.parametrize(("network", "term"), product(NETWORKS, [None, *TERMS]))
def test_network_with_term(variant: Variant, images: torch.Tensor, network: str, term: str | None) -> None:
    changes = HIDDEN[network] | {"networks": network, "terms": {term: 1.0} if term else {}}
    if term and TERMS[term].player == "autoencoder":
        changes["encoder_hidden"] = HIDDEN[network]["discriminator_hidden"]
    follow(variant.model_copy(update=changes), images)


@pytest.mark.parametrize("network", NETWORKS)
def test_steps_of_the_discriminator(study: Study, images: torch.Tensor, network: str) -> None:
    """Steps in which the generator learns, those in which it doesn't, and an epoch's last one: a recording of each."""
    changes = HIDDEN[network] | {"networks": network, "discriminator_steps": 5}
    follow(study.variants["wgan_gp"].model_copy(update=changes), images, recordings=3)


@pytest.mark.parametrize("name", ["wgan_gp", "minimax_sgd", "vae_gan"])
def test_mixed_recipes(study: Study, images: torch.Tensor, name: str) -> None:
    """Runs that differ in every number that changes no shape."""
    first = study.variants[name]
    generator, discriminator = first.generator_optimizer, first.discriminator_optimizer
    faster = {"lr": 3 * generator.lr} | ({"betas": (0.5, 0.9), "eps": 1e-6} if generator.name == "adam" else {})
    changes: dict[str, Any] = {
        "generator_optimizer": generator.model_copy(update=faster),
        "discriminator_optimizer": discriminator.model_copy(update={"lr": discriminator.lr / 3}),
        "terms": {term: 2 * weight for term, weight in first.terms.items()},
        "real_label": 0.9,
        "adversarial": 0.5,
        "pinned": {"latents": 7},
    }
    recipes = [first, first.model_copy(update=changes), first.model_copy(update={"objective": "minimax"})]
    runs = [(recipe.model_copy(update={"epochs": EPOCHS, "snapshots": ()}), 0) for recipe in recipes]
    saver, before = Kept(), runtime.count("captures")
    assert [run.status for run in train(runs, images, saver)] == ["finished"] * 3
    assert runtime.count("captures") - before == 2
    train(runs[::2], images, saver=saver.of([0, 2]))


def test_products_stay_exact(variant: Variant, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the processor's rule lets its own products be "medium", which a GPU takes for TF32."""
    monkeypatch.setattr(arithmetic, "choose", lambda: "onednn")
    follow(variant, images)


def test_momentum(study: Study, images: torch.Tensor) -> None:
    variant = study.variants["minimax_sgd"]
    moved = variant.generator_optimizer.model_copy(update={"momentum": 0.9})
    follow(variant.model_copy(update={"generator_optimizer": moved}), images)


def test_populations_leave_nothing_behind(variant: Variant, images: torch.Tensor) -> None:
    """Neither memory nor streams: cuBLAS keeps a workspace for every stream that it has met."""
    variant = variant.model_copy(update={"epochs": EPOCHS, "snapshots": ()})
    allocated, streams = [], []
    for _ in range(4):
        train([(variant, seed) for seed in SEEDS], images)
        gc.collect()
        allocated.append(torch.cuda.memory_allocated())
        streams.append(runtime.count("product_streams"))
    assert len(set(allocated[1:])) == 1
    assert len(set(streams[1:])) == 1
    assert streams[-1] <= 2  # the default one and the one beside it


@pytest.mark.parametrize("name", ["non_saturating", "wgan_gp", "vae_gan"])
def test_memory_is_as_predicted(name: str) -> None:
    measured, predicted = memory_of_one_more_run(name)
    assert measured < predicted
