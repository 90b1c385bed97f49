"""The peer of the benchmark: the tutorial's recipe as a user of JAX would write it, several runs side by side.

`jit` of `vmap` over runs of a `scan` over steps, with optax's Adam. Networks, initial weights, losses and what is
logged are those of this study's engine. Images are bytes, scaled batch by batch, and an epoch has whole batches only.

JAX is an optional extra (`make peer`). It reads its settings when it computes for the first time in a process.
"""

import os
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from gan.study.recipe import Adam, Variant

Layers: TypeAlias = list[tuple[Array, Array]]  # weights [in, out] and biases [out], from input to output

# One thread, which the process's core is for.
SETTINGS = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
PARTS = 10  # of an epoch; one scan each


class State(NamedTuple):
    """A run: both networks, their optimizers and the key of its latents."""

    generator: Layers
    discriminator: Layers
    generator_adam: Any
    discriminator_adam: Any
    key: Array


def prepare(core: int | None) -> None:
    """Let this process, in which JAX has computed nothing yet, compute on one core with one thread."""
    os.environ.update(SETTINGS)
    if core is not None:
        os.sched_setaffinity(0, {core})


class Recipe:
    """The non-saturating game with the networks, batch and optimizers of a variant."""

    def __init__(self, variant: Variant, pixels: int) -> None:
        self._batch, self._latent_dim, self._slope = variant.batch_size, variant.latent_dim, variant.leaky_slope
        self._generator_widths = (variant.latent_dim, *variant.generator_hidden, pixels)
        self._discriminator_widths = (pixels, *variant.discriminator_hidden, 1)
        self._generator_adam = _adam(variant.generator_optimizer)
        self._discriminator_adam = _adam(variant.discriminator_optimizer)

    def state(self, key: Array) -> State:
        """A run before its first step."""
        first, second, latents = jax.random.split(key, 3)
        return self.start(_layers(first, self._generator_widths), _layers(second, self._discriminator_widths), latents)

    def start(self, generator: Layers, discriminator: Layers, key: Array) -> State:
        """A run that begins with these weights."""
        adams = self._generator_adam.init(generator), self._discriminator_adam.init(discriminator)
        return State(generator, discriminator, *adams, key)

    def step(self, state: State, real: Array, latents: Array) -> tuple[State, Mapping[str, Array]]:
        """One step of both players on real images `[batch, pixel]` and latents `[batch, latent]`, and what is logged.

        As in the tutorial (claim T4), the discriminator moves first, and both play on the same generated batch.
        """
        fake, to_generator = jax.vjp(partial(_generate, latents=latents), state.generator)

        def discriminator_loss(discriminator: Layers) -> tuple[Array, Array]:
            logits = self._discriminate(discriminator, jnp.concatenate([real, fake]))
            real_logits, fake_logits = jnp.split(logits, 2)
            return jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean(), real_logits

        (d_loss, real_logits), gradient = jax.value_and_grad(discriminator_loss, has_aux=True)(state.discriminator)
        updates, discriminator_adam = self._discriminator_adam.update(gradient, state.discriminator_adam)
        discriminator = optax.apply_updates(state.discriminator, updates)

        def generator_loss(images: Array) -> tuple[Array, Array]:
            logits = self._discriminate(discriminator, images)
            return jax.nn.softplus(-logits).mean(), logits

        (g_loss, fake_logits), image_gradient = jax.value_and_grad(generator_loss, has_aux=True)(fake)
        (gradient,) = to_generator(image_gradient)
        updates, generator_adam = self._generator_adam.update(gradient, state.generator_adam)
        generator = optax.apply_updates(state.generator, updates)
        logged = {
            "discriminator_loss": d_loss,
            "generator_loss": g_loss,
            "generator_gradient_norm": optax.global_norm(gradient),
            "real_logits": real_logits,
            "fake_logits": fake_logits,
        }
        return State(generator, discriminator, generator_adam, discriminator_adam, state.key), logged

    @partial(jax.jit, static_argnums=0, donate_argnums=2)
    def train(self, images: Array, states: State, order: Array) -> tuple[State, Mapping[str, Array]]:
        """Several runs side by side on `images` (bytes `[image, pixel]`), batches as `order` `[run, step, batch]`."""

        def one(state: State, chosen: Array) -> tuple[State, Mapping[str, Array]]:
            key, latent_key = jax.random.split(state.key)
            real = images[chosen].astype(jnp.float32) / 127.5 - 1
            latents = jax.random.normal(latent_key, (self._batch, self._latent_dim))
            return self.step(state._replace(key=key), real, latents)

        return jax.vmap(partial(jax.lax.scan, one))(states, order)

    def _discriminate(self, layers: Layers, images: Array) -> Array:
        *hidden, last = layers
        x = images
        for weight, bias in hidden:
            x = jax.nn.leaky_relu(x @ weight + bias, self._slope)
        return (x @ last[0] + last[1])[:, 0]


class Training:
    """Some runs of a recipe in this process, compiled when it is made; `images` are bytes `[image, pixel]`."""

    def __init__(self, variant: Variant, images: np.ndarray, runs: int) -> None:
        recipe = Recipe(variant, images.shape[1])
        self._random, self._runs = np.random.default_rng(0), runs
        self._count, self._steps, self._batch = len(images), len(images) // variant.batch_size, variant.batch_size
        self._images = jnp.asarray(images)
        self.states = jax.vmap(recipe.state)(jax.random.split(jax.random.key(0), runs))
        part = jax.ShapeDtypeStruct((runs, max(1, self._steps // PARTS), self._batch), jnp.int32)
        self._train = recipe.train.lower(recipe, self._images, self.states, part).compile()
        self._part = part.shape[1]

    def run(self, parts: int) -> float:
        """Train so many tenths of an epoch; returns the epochs, by images, that each run was trained."""
        for _ in range(parts):
            chosen = [self._random.permutation(self._count)[: self._part * self._batch] for _ in range(self._runs)]
            order = jnp.asarray(np.stack(chosen).reshape(self._runs, self._part, self._batch), jnp.int32)
            self.states, logged = self._train(self._images, self.states, order)
        jax.block_until_ready((self.states, logged))
        return parts * self._part * self._batch / self._count


def _generate(layers: Layers, latents: Array) -> Array:
    *hidden, last = layers
    x = latents
    for weight, bias in hidden:
        x = jax.nn.relu(x @ weight + bias)
    return jnp.tanh(x @ last[0] + last[1])


def _layers(key: Array, widths: tuple[int, ...]) -> Layers:
    """Uniform within ±1/sqrt(in), as torch.nn.Linear's."""
    layers = []
    for place, (inputs, outputs) in enumerate(pairwise(widths)):
        bound = inputs**-0.5
        first, second = jax.random.split(jax.random.fold_in(key, place))
        uniform = partial(jax.random.uniform, minval=-bound, maxval=bound)
        layers.append((uniform(first, (inputs, outputs)), uniform(second, (outputs,))))
    return layers


def _adam(settings: Any) -> optax.GradientTransformation:
    assert isinstance(settings, Adam), "the peer has the baseline's optimizer"
    return optax.adam(settings.lr, *settings.betas, settings.eps)
