"""Whether params.yaml's recipes can be trained with the objectives, terms and networks that the code offers."""

from pathlib import Path

from gan.audit.soundness import losses_fault, networks_fault
from gan.errors import StudyError
from gan.formatting import unknown
from gan.networks import registry
from gan.own.registration import register
from gan.study.designs import search_trials
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES
from gan.training.terms import TERMS


def check_study(study: Study, path: Path = Path("params.yaml")) -> None:
    """StudyError, a line that names the file and the key, if a recipe in it can't be trained.

    From then on the registries have what the variants take from files of the user's own.
    """
    recipes: dict[str, Variant] = {"baseline": study.baseline} | {
        f"variants.{name}": variant for name, variant in study.variants.items()
    }
    recipes |= {
        f"ladder.rungs.{trial.labels['rung']} ({trial.labels['objective']})": trial.variant
        for trial in study.ladder.trials
    }
    for objective in study.search.objectives:
        trials = search_trials(study.search, study.baseline, objective)
        softest = min(trials, key=lambda trial: trial.variant.real_label)
        recipes |= {f"search.objectives ({objective})": softest.variant}
    for key, variant in recipes.items():
        check_recipe(key, variant, path)
    _check_contrast(study, path)
    for key, names in (("dirac", study.toys.dirac.objectives), ("ring", study.toys.ring.objectives)):
        for name in names:
            if name not in OBJECTIVES:
                raise StudyError(f"{path}: toys.{key}.objectives: {unknown(name, OBJECTIVES)}")


def check_recipe(key: str, variant: Variant, path: Path) -> None:
    """StudyError, a line that names the file and the key, if a recipe can't be trained.

    From then on the registries have what it takes from files of the user's own.
    """
    if fault := _fault(variant):
        raise StudyError(f"{path}: {key}{fault}")


def _check_contrast(study: Study, path: Path) -> None:
    """StudyError unless the search trains both objectives of its declared contrast."""
    search, reference = study.search, study.variants[study.compare.reference].objective
    for key, name in (("against", search.against), ("objectives", reference)):
        if name not in search.objectives:
            raise StudyError(f"{path}: search.{key}: {unknown(name, search.objectives)}")
    if search.against == reference:
        raise StudyError(f"{path}: search.against: {reference} is the objective of compare.reference itself")


def _fault(variant: Variant) -> str | None:
    """What is wrong with a recipe, from the key on."""
    try:
        register([variant])
    except StudyError as fault:
        return f": {fault}"
    if variant.objective not in OBJECTIVES:
        return f".objective: {unknown(variant.objective, OBJECTIVES)}"
    if variant.networks not in registry.NETWORKS:
        return f".networks: {unknown(variant.networks, registry.NETWORKS)}"
    if own := networks_fault(variant):
        return f": {own}"
    try:
        registry.generator(variant), registry.discriminator(variant), registry.encoder(variant)
    except ValueError as fault:
        return f": {fault}"
    for name in variant.terms:
        if name not in TERMS:
            return f".terms.{name}: {unknown(name, TERMS)}"
    players = {name: TERMS[name].player for name in variant.terms}
    encoding = [name for name, player in players.items() if player == "autoencoder"]
    if encoding and variant.encoder_hidden is None:
        return f": terms.{encoding[0]} needs an encoder: give encoder_hidden its layers' widths"
    if variant.encoder_hidden is not None and not encoding:
        return ": encoder_hidden describes an encoder that no term trains: add terms.evidence_bound"
    if not variant.adversarial and all(player == "discriminator" for player in players.values()):
        return ": adversarial is 0 and terms has none for the generator: it would have nothing to minimise"
    if variant.real_label < 1 and not OBJECTIVES[variant.objective].labelled:
        return f": real_label has no meaning for {variant.objective}, which knows no labels: leave it at 1.0"
    if own := losses_fault(variant):
        return f": {own}"
    return None
