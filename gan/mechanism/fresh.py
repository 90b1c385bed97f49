"""New discriminators against frozen generators: how fast they learn, and what gradient the generator then gets."""

import numpy as np
import torch
from torch import Tensor

from gan.records.mechanism import FreshSummary, Step
from gan.study.recipe import Variant
from gan.training.population import Population, RunSpec

KEPT_STEPS = 24  # of a discriminator's training, evenly on a logarithmic axis


def fresh_discriminator(
    variant: Variant, seed: int, generator: dict[str, np.ndarray], images: Tensor, loss: str
) -> dict[str, Tensor]:
    """Train a new discriminator for an epoch against a frozen generator (as Arjovsky & Bottou 2017, figure 2).

    `images` is `[image, pixel]`, uint8. A seed's discriminator is trained on the same images in the same way under any
    `loss`. Returns what `Step` has of every full batch's step, each `[step]`.
    """
    frozen = variant.generator_optimizer.model_copy(update={"lr": 0.0})
    recipe = variant.model_copy(update={"objective": loss, "generator_optimizer": frozen, "discriminator_steps": 1})
    population = Population([RunSpec(recipe, seed)], images)
    population.generator.load(0, {name: torch.from_numpy(array) for name, array in generator.items()})
    population.epoch()
    log, size = population.log, min(variant.batch_size, len(images))
    steps = len(images) // size
    real, fake = (log[name][0, : steps * size].unflatten(0, (steps, size)) for name in ("real_logits", "fake_logits"))
    return {
        "gradient_norm": log["generator_gradient_norm"][0, :steps],
        "fake_probability": torch.sigmoid(fake).mean(1),
        "discriminator_loss": log["discriminator_loss"][0, :steps],
        "accuracy": ((real > 0).float().mean(1) + (fake < 0).float().mean(1)) / 2,
    }


def kept_steps(training: dict[str, Tensor], epoch: int, loss: str, seed: int) -> list[Step]:
    """Some steps of `fresh_discriminator`, evenly on a logarithmic axis; `epoch` is the generator's age."""
    steps = len(training["accuracy"])
    kept = sorted({round(step) for step in np.geomspace(1, steps, KEPT_STEPS)})
    return [
        Step(epoch, loss, seed, step, **{name: values[step - 1].item() for name, values in training.items()})
        for step in kept
    ]


def summary(training: dict[str, Tensor], epoch: int, loss: str, seed: int, sure: float) -> FreshSummary:
    """The means over all steps, and the first step whose batch is told apart with an accuracy of `sure` or more."""
    reached = (training["accuracy"] >= sure).nonzero()
    return FreshSummary(
        epoch,
        loss,
        seed,
        steps=len(training["accuracy"]),
        discriminator_loss=training["discriminator_loss"].double().mean().item(),
        accuracy=training["accuracy"].double().mean().item(),
        first_sure=int(reached[0]) + 1 if len(reached) else None,
    )
