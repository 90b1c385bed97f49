"""What there is to choose from: the variants of params.yaml, the objectives and the terms, from their registries."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from gan.audit.equations import EQUATIONS, Player
from gan.formatting import flatten
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES
from gan.training.terms import TERMS

# `Goodfellow et al. 2014, eq. 1`, `Eide, Solberg & Kåsen 2020`, `claim Q8`.
CITATION = re.compile(
    r"(?:[A-Z][\w'’-]+(?:, | & | et al\. | ))+(?:19|20)\d\d(?:, (?:eq\.|section) \d+)?|claim [A-Z]\d+", re.UNICODE
)


@dataclass(frozen=True)
class ListedVariant:
    """A variant: what it changes of the baseline, and whether its scores are published."""

    name: str
    objective: str
    data: str
    epochs: int
    seeds: int
    changes: dict[str, Any]
    scored: bool


@dataclass(frozen=True)
class ListedObjective:
    """An objective: both players' losses as its source writes them (None: no equation on record), and the source."""

    name: str
    generator: str | None
    discriminator: str | None
    source: str


@dataclass(frozen=True)
class ListedTerm:
    """A term that a variant may add, whose loss it is part of, and what it is."""

    name: str
    player: str
    text: str


@dataclass(frozen=True)
class Listing:
    """All of them."""

    variants: list[ListedVariant]
    objectives: list[ListedObjective]
    terms: list[ListedTerm]


def listing(study: Study, reports: Path) -> Listing:
    """What params.yaml has and what it may name; `reports` tells which variants are scored."""
    baseline = flatten(study.baseline.model_dump(mode="json"))
    variants = []
    for name, variant in study.variants.items():
        settings = flatten(variant.model_dump(mode="json"))
        changes = {
            key: value
            for key, value in settings.items()
            if value != baseline.get(key) and key not in ("objective", "data", "epochs", "seeds", "snapshots")
        }
        scored = (reports / f"metrics/{name}.csv").exists()
        counts = (variant.epochs, len(variant.seeds))
        variants.append(ListedVariant(name, variant.objective, variant.data, *counts, changes, scored))
    objectives = [
        ListedObjective(name, _equation(name, "generator"), _equation(name, "discriminator"), _source(losses))
        for name, losses in (
            (name, (objective.generator, objective.discriminator)) for name, objective in OBJECTIVES.items()
        )
    ]
    terms = [ListedTerm(name, term.player, _summary(term.loss)) for name, term in TERMS.items()]
    return Listing(variants, objectives, terms)


def tables(listed: Listing) -> list[Table]:
    """Three tables for the terminal."""
    variants = Table("variant", "objective", "data", "epochs", "seeds", "beside the baseline", title="Variants")
    for each in listed.variants:
        changes = ", ".join(f"{key} {value}" for key, value in each.changes.items())
        unscored = "" if each.scored else " (not scored yet)"
        row = (each.name, each.objective, each.data, str(each.epochs), str(each.seeds), escape(changes + unscored))
        variants.add_row(*row)
    objectives = Table("objective", "generator minimises", "discriminator minimises", "source", title="Objectives")
    for objective in listed.objectives:
        formulas = [formula or "no equation on record" for formula in (objective.generator, objective.discriminator)]
        objectives.add_row(objective.name, *map(escape, formulas), escape(objective.source))
    terms = Table("term", "whose loss", "what it is", title="Terms, each with a weight: terms: {r1: 0.5}")
    for term in listed.terms:
        terms.add_row(term.name, term.player, escape(term.text))
    return [variants, objectives, terms]


def _equation(name: str, player: Player) -> str | None:
    equations = EQUATIONS.get(name, {})
    return equations[player].text if player in equations else None


def _source(losses: tuple[Callable[..., Any], ...]) -> str:
    """The works that the losses' own docstrings cite; what the generator's says where none does."""
    cited = dict.fromkeys(match for loss in losses for match in CITATION.findall(_summary(loss)))
    # `Goodfellow et al. 2014` says nothing beside `Goodfellow et al. 2014, eq. 1`.
    works = [work for work in cited if not any(other.startswith(f"{work},") for other in cited)]
    return "; ".join(works) or _summary(losses[0])


def _summary(function: Callable[..., Any]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
