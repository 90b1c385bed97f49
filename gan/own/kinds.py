"""What an own file may define: an objective, a term or networks, and the registry that holds each of these."""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, cast

from gan.networks import registry
from gan.networks.architecture import Architecture
from gan.study.recipe import Variant
from gan.training.losses import OBJECTIVES, Objective
from gan.training.terms import TERMS, Term


@dataclass(frozen=True)
class Networks:
    """A kind of network: what makes its generators and its discriminators, which serve as encoders, too.

    `generator(latent_dim, hidden, pixels)` and `discriminator(pixels, hidden, outputs, slope)`, where `hidden` are the
    widths in params.yaml. A ValueError of theirs says in a line which widths they would have.
    """

    generator: Callable[[int, tuple[int, ...], int], Architecture]
    discriminator: Callable[[int, tuple[int, ...], int, float], Architecture]


@dataclass(frozen=True)
class Kind:
    """A type that an own file may define, and the package's registry of such things by their names."""

    type: type
    registry: MutableMapping[str, Any]


KINDS = {
    "objective": Kind(Objective, OBJECTIVES),
    "terms": Kind(Term, TERMS),
    # The package's own kinds are modules, which have the same two functions.
    "networks": Kind(Networks, cast(MutableMapping[str, Any], registry.NETWORKS)),
}


def references(variant: Variant) -> Iterator[tuple[str, str]]:
    """The names of objectives, terms and networks in a recipe, each after its kind."""
    yield "objective", variant.objective
    yield "networks", variant.networks
    for name in variant.terms:
        yield "terms", name
