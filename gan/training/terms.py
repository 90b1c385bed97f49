"""What a variant may add to its players' adversarial losses: penalties, pixel losses, feature matching, a VAE's terms.

A term returns one loss per run, a mean over the batch of one value per sample; its weight comes from params.yaml.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from gan.training.streams import Rule

Images: TypeAlias = Tensor
Latents: TypeAlias = Tensor


@dataclass(frozen=True)
class LossInputs:
    """What terms see: a step's images `[run, batch, pixel]` in [-1, 1], and the networks as differentiable functions.

    `discriminate` returns logits `[run, batch]`, `features` the discriminator's last hidden layer
    `[run, batch, feature]`, `infer` the mean and logarithmic variance of an image's latents, each
    `[run, batch, latent]`. `noise` are the random numbers that the term
    has asked for, `[run, batch, width]`.
    """

    real: Images
    fake: Images
    discriminate: Callable[[Images], Tensor]
    features: Callable[[Images], Tensor]
    generate: Callable[[Latents], Images]
    infer: Callable[[Images], tuple[Tensor, Tensor]]
    noise: Tensor | None = None


@dataclass(frozen=True)
class Term:
    """A loss and whose it is: the discriminator's, the generator's (through the images it made), or the
    autoencoder's, which is the generator joined with an encoder.

    Its noise follows a `rule`, of 0 to 1 or of the normal distribution; a sample's is one number, as wide as an image
    or as wide as its latents.
    """

    loss: Callable[[LossInputs], Tensor]
    player: Literal["discriminator", "generator", "autoencoder"]
    rule: Rule | None = None
    width: Literal["one", "image", "latents"] = "one"

    def noise_width(self, pixels: int, latents: int) -> int:
        """How many random numbers it takes for a sample."""
        return {"one": 1, "image": pixels, "latents": latents}[self.width] if self.rule else 0


def gradient_penalty(inputs: LossInputs) -> Tensor:
    """E (|∇D| - 1)^2 between a real and a generated image, at a random point for each pair (Gulrajani et al. 2017)."""
    share = _noise(inputs)
    return _steepness(_gradients(inputs, share * inputs.real + (1 - share) * inputs.fake))


def dragan(inputs: LossInputs) -> Tensor:
    """E (|∇D| - 1)^2 around real images (Kodali et al. 2017), within half a standard deviation of all their pixels.

    The noise is Lucic et al.'s (2018), uniform and bounded by the range of pixels.
    """
    spread = inputs.real.flatten(1).std(1)[:, None, None]
    return _steepness(_gradients(inputs, (inputs.real + spread * (_noise(inputs) - 0.5)).clamp(-1, 1)))


def r1(inputs: LossInputs) -> Tensor:
    """E |∇D(x)|^2 at real images (Mescheder et al. 2018)."""
    return _gradients(inputs, inputs.real).square().sum(-1).mean(-1)


def r2(inputs: LossInputs) -> Tensor:
    """E |∇D(G(z))|^2 at generated images (Mescheder et al. 2018)."""
    return _gradients(inputs, inputs.fake).square().sum(-1).mean(-1)


def _noise(inputs: LossInputs) -> Tensor:
    assert inputs.noise is not None, "the term has a rule, so it gets numbers"
    return inputs.noise


def _gradients(inputs: LossInputs, images: Images) -> Tensor:
    """∇D of each image's logit by its own pixels, `[run, batch, pixel]`, itself differentiable."""
    points = images.detach().requires_grad_()
    # No image has a part in another's logit, so the gradient of their sum is each one's own.
    (gradients,) = torch.autograd.grad(inputs.discriminate(points).sum(), points, create_graph=True)
    return gradients


def _steepness(gradients: Tensor) -> Tensor:
    """E (|∇D| - 1)^2, the norm that of each sample alone."""
    return (torch.linalg.vector_norm(gradients, dim=-1) - 1).square().mean(-1)


def pixel_mse(inputs: LossInputs) -> Tensor:
    """E (G(z) - x)^2 over pixels, x a real image that has nothing to do with z (claim Q3)."""
    return (inputs.fake - inputs.real).square().flatten(1).mean(1)


def pixel_mae(inputs: LossInputs) -> Tensor:
    """E |G(z) - x| over pixels, x a real image that has nothing to do with z (claim Q3)."""
    return (inputs.fake - inputs.real).abs().flatten(1).mean(1)


def feature_matching(inputs: LossInputs) -> Tensor:
    """|E f(x) - E f(G(z))|^2 / width, f the discriminator's last hidden layer (Salimans et al. 2016; claim Q5)."""
    difference = inputs.features(inputs.real).mean(1) - inputs.features(inputs.fake).mean(1)
    return difference.square().mean(1)


def evidence_bound(inputs: LossInputs) -> Tensor:
    """Minus the evidence lower bound, in nats: E [|x - G(z)|^2 / 2 + KL(q(z|x) || N(0, 1))] (Kingma & Welling 2014).

    z is drawn from q(z|x), the encoder's normal distribution; pixels have a unit variance.
    """
    mean, log_variance = inputs.infer(inputs.real)
    latents = mean + (log_variance / 2).exp() * _noise(inputs)
    reconstruction = (inputs.real - inputs.generate(latents)).square().sum(-1) / 2
    divergence = (log_variance.exp() + mean.square() - 1 - log_variance).sum(-1) / 2
    return (reconstruction + divergence).mean(-1)


TERMS = {
    "gradient_penalty": Term(gradient_penalty, player="discriminator", rule="uniform"),
    "dragan": Term(dragan, player="discriminator", rule="uniform", width="image"),
    "r1": Term(r1, player="discriminator"),
    "r2": Term(r2, player="discriminator"),
    "pixel_mse": Term(pixel_mse, player="generator"),
    "pixel_mae": Term(pixel_mae, player="generator"),
    "feature_matching": Term(feature_matching, player="generator"),
    "evidence_bound": Term(evidence_bound, player="autoencoder", rule="normal", width="latents"),
}
