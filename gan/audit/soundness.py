"""Whether what a user's own files define can be trained: shapes, finite numbers, gradients, and runs kept apart.

There is no equation on record to hold it to. It is tried on a batch of two small runs, with the variant's own networks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gan.images import SIDE
from gan.networks import registry
from gan.networks.architecture import Architecture, Network
from gan.own.registration import definitions, describe
from gan.study.recipe import Variant
from gan.training.losses import OBJECTIVES
from gan.training.terms import TERMS, LossInputs

RUNS, BATCH, PIXELS = 2, 3, SIDE**2


def networks_fault(variant: Variant) -> str | None:
    """What is wrong with the networks that a variant takes from a file; None if nothing is, or it takes none."""
    return _fault(variant, "networks", lambda name: _of_networks(variant))


def losses_fault(variant: Variant) -> str | None:
    """What is wrong with the objective and the terms that a variant takes from files; its networks must be sound."""
    return _fault(variant, "objective", _of_objective) or _fault(variant, "terms", lambda name: _of_term(name, variant))


def _fault(variant: Variant, kind: str, tried: Callable[[str], str | None]) -> str | None:
    for each in definitions(variant):
        if each.kind == kind:
            try:
                fault = tried(each.reference)
            except Exception as error:  # whatever a user's code may raise
                fault = f"raises {describe(error)}"
            if fault:
                return f"{each.file.place}, {each.reference.rpartition(':')[2]}: {fault}"
    return None


def _of_networks(variant: Variant) -> str | None:
    shapes = {
        "generator": (registry.generator(variant), variant.latent_dim, PIXELS),
        "discriminator": (registry.discriminator(variant), PIXELS, 1),
        "encoder": (registry.encoder(variant), PIXELS, 2 * variant.latent_dim),
    }
    for player, (architecture, inputs, outputs) in shapes.items():
        if architecture is None:
            continue
        if not isinstance(architecture, Architecture):
            return f"the {player} is a {type(architecture).__name__}, no gan.own.Architecture"
        sizes = (architecture.inputs, architecture.outputs)
        if sizes != (inputs, outputs):
            return f"the {player} makes {sizes[1]} numbers of {sizes[0]}, not {outputs} of {inputs}"
        network = Network(architecture, _randoms())
        made = network(torch.randn(RUNS, BATCH, inputs, generator=_randoms()[0]))[1]
        if made.shape != (RUNS, BATCH, outputs):
            return f"the {player}'s output has the shape {list(made.shape)}, not {[RUNS, BATCH, outputs]}"
        if player == "generator" and made.abs().max() > 1:
            return "the generator's pixels are not within -1 and 1"
        if fault := _of_values(made.sum((1, 2)), network.leaves, f"the {player}'s output"):
            return fault
    return None


def _of_objective(name: str) -> str | None:
    objective = OBJECTIVES[name]
    for dtype in (torch.float32, torch.float64):
        # A population has a label for each run, the audit one number for all.
        for label in (1.0, torch.ones(RUNS, 1, dtype=dtype)):
            real, fake = (torch.randn(RUNS, BATCH, dtype=dtype, generator=random) for random in _randoms())
            leaves = [real.requires_grad_(), fake.requires_grad_()]
            further = [real] if objective.relativistic else []
            fault = _of_values(
                objective.discriminator(real, fake, label), leaves, "the discriminator's loss"
            ) or _of_values(objective.generator(fake, *further), [fake], "the generator's loss")
            if fault:
                return fault
    return None


def _of_term(name: str, variant: Variant) -> str | None:
    term, random = TERMS[name], _randoms()[0]
    generator, discriminator = (
        Network(architecture, _randoms())
        for architecture in (registry.generator(variant), registry.discriminator(variant))
    )
    architecture = registry.encoder(variant)
    encoder = Network(architecture, _randoms()) if architecture else None

    def infer(images: Tensor) -> tuple[Tensor, Tensor]:
        assert encoder, "only a term of the autoencoder infers, and a variant with one has an encoder"
        mean, log_variance = encoder(images)[1].chunk(2, 2)
        return mean, log_variance

    fake = generator(torch.randn(RUNS, BATCH, variant.latent_dim, generator=random))[1].detach().requires_grad_()
    draw = torch.randn if term.rule == "normal" else torch.rand
    noise = draw(RUNS, BATCH, term.noise_width(PIXELS, variant.latent_dim), generator=random) if term.rule else None
    inputs = LossInputs(
        real=torch.rand(RUNS, BATCH, PIXELS, generator=random) * 2 - 1,
        fake=fake,
        discriminate=lambda images: discriminator(images)[1].squeeze(2),
        features=lambda images: discriminator(images)[0],
        generate=lambda latents: generator(latents)[1],
        infer=infer,
        noise=noise,
    )
    leaves = {
        "discriminator": discriminator.leaves,
        "generator": [fake],
        "autoencoder": [*generator.leaves, *(encoder.leaves if encoder else [])],
    }[term.player]
    return _of_values(term.loss(inputs), leaves, "the loss")


def _of_values(values: Any, leaves: Sequence[Tensor], what: str) -> str | None:
    """What is wrong with one number per run, or with its gradient by `leaves`, each `[run, …]`."""
    if not isinstance(values, Tensor):
        return f"{what} is a {type(values).__name__}, no tensor"
    if values.shape != (RUNS,):
        return f"{what} has the shape {list(values.shape)}, not one number for each of {RUNS} runs, {[RUNS]}"
    if not values.isfinite().all():
        return f"{what} is not finite"
    if not values.requires_grad:
        return f"{what} has no gradient"
    gradients = torch.autograd.grad(values[0], leaves, allow_unused=True, materialize_grads=True)
    if not all(gradient.isfinite().all() for gradient in gradients):
        return f"{what} has a gradient that is not finite"
    if not any(gradient[0].any() for gradient in gradients):
        return f"{what} has no gradient"
    if any(gradient[1].any() for gradient in gradients):
        return f"{what} of a run depends on another run: compute along the last dimension, such as mean(-1)"
    return None


def _randoms() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(RUNS)]
