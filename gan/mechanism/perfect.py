"""A perfect generator's D(G(z)): real images in the place of generated ones (claim Q2)."""

import statistics

import torch
from torch import Tensor

from gan.images import scale
from gan.networks import registry
from gan.networks.architecture import Network
from gan.records.mechanism import PerfectGenerator
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.training.losses import OBJECTIVES
from gan.training.optimizers import OPTIMIZERS


def perfect_generator(variant: Variant, seed: int, images: Tensor) -> PerfectGenerator:
    """Mean D over real images in the place of generated ones, each seen once: D(G(z)) of a perfect generator.

    One half of `images` (uint8 `[image, pixel]`) plays the real images, the other half the generated ones.
    `fake_probability` is the mean over the last quarter of the steps, before the discriminator learns from them.
    """
    architecture = registry.discriminator(variant, images.shape[1])
    network = Network(architecture, [random_generator(seed, "discriminator")], images.device)
    gradient = torch.zeros_like(network.parameters)
    targets = architecture.parts(gradient)
    settings = variant.discriminator_optimizer
    optimizer = OPTIMIZERS[settings.name](network.parameters, gradient, [settings])
    order = torch.randperm(len(images), generator=random_generator(seed, "order")).to(images.device)
    halves = zip(*(half.split(variant.batch_size) for half in order.chunk(2)), strict=True)
    probabilities = []
    for real, fake in halves:
        real_logits, fake_logits = (
            network(scale(images[chosen]).unsqueeze(0))[1].squeeze(2) for chosen in (real, fake)
        )
        probabilities.append(torch.sigmoid(fake_logits.detach()).mean().item())
        loss = OBJECTIVES["non_saturating"].discriminator(real_logits, fake_logits, variant.real_label)
        for target, part in zip(targets, torch.autograd.grad(loss.sum(), network.leaves), strict=True):
            target.copy_(part)
        optimizer.step()
    last_quarter = probabilities[-max(1, len(probabilities) // 4) :]
    return PerfectGenerator(seed, statistics.fmean(last_quarter))
