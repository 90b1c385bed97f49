"""CEWL beside the non-saturating objective on logits: one algorithm under Adam up to its eps, two under SGD.

CEWL's generator loss is the non-saturating one, its discriminator loss is half of the other's (claim Q8). Adam divides
a gradient by its own size, so a constant factor c in it is the same as an eps of eps / c: 1/2 doubles the eps, and
changes no bit otherwise. SGD takes a factor in the loss for one in the learning rate.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.records.mechanism import Twin, Twins, UpdateRatio
from gan.study.recipe import Optimizer, Sgd, Variant
from gan.training.losses import OBJECTIVES, Objective
from gan.training.population import Population, RunSpec

REFERENCE = "non_saturating_logits"
FORMS = {"matching": "cewl_matching", "printed": "cewl"}  # an objective for each


def twins(baseline: Variant, seed: int, steps: int, sgd_lr: float, images: Tensor, executor: Executor) -> Twins:
    """Train the baseline's recipe under both objectives for so many steps on `images` (uint8 `[image, pixel]`)."""
    few = images[: steps * baseline.batch_size]
    tasks = list(conditions(baseline, sgd_lr))
    trained: list[Twin] = []
    with progress("mechanism", len(tasks), "pairs of twins") as on_progress:
        for rows in executor.run(_train, tasks, (baseline, seed, sgd_lr, few), on_progress):
            trained += rows
    order = [(condition, form) for condition in tasks for form in FORMS]
    trained.sort(key=lambda row: order.index((row.condition, row.form)))
    return Twins(seed, steps, trained, [first_update(baseline, seed, sgd_lr, images, form) for form in FORMS])


def conditions(baseline: Variant, sgd_lr: float) -> dict[str, tuple[Optimizer, Optimizer]]:
    """Of each condition the optimizer of all players, and that of CEWL's discriminator instead."""
    adam = baseline.discriminator_optimizer
    assert adam.name == "adam", "the study checks it when it is read"
    zero = adam.model_copy(update={"eps": 0.0})
    # With eps 0 a weight that has had no gradient yet is moved by 0 / 0.
    least = adam.model_copy(update={"eps": torch.finfo(torch.float32).tiny})
    halved = adam.model_copy(update={"eps": adam.eps / 2})
    sgd = Sgd(name="sgd", lr=sgd_lr, momentum=0.0)
    doubled = sgd.model_copy(update={"lr": 2 * sgd_lr})
    return {
        "eps zero": (zero, zero),
        "eps least": (least, least),
        "eps printed": (adam, adam),
        "eps halved": (adam, halved),
        "sgd": (sgd, sgd),
        "sgd doubled": (sgd, doubled),
    }


def first_update(baseline: Variant, seed: int, sgd_lr: float, images: Tensor, form: str) -> UpdateRatio:
    """The discriminator's first update by SGD without momentum under CEWL over that under its twin, weight by weight.

    SGD's update is its learning rate times the gradient; the difference of the weights would be rounded to theirs.
    """
    sgd = Sgd(name="sgd", lr=sgd_lr, momentum=0.0)
    first = images[: baseline.batch_size]
    with _matching_form():
        cewl, twin = (
            _trained(baseline, objective, seed, (sgd, sgd), first).discriminator.gradient
            for objective in (FORMS[form], REFERENCE)
        )
    ratios = (cewl.double() / twin.double())[twin != 0]
    return UpdateRatio(form, ratios.min().item(), ratios.max().item())


def _train(shared: tuple[Variant, int, float, Tensor], condition: str, on_progress: ProgressCallback) -> list[Twin]:
    baseline, seed, sgd_lr, images = shared
    common, cewl_discriminator = conditions(baseline, sgd_lr)[condition]
    reference = _weights(_trained(baseline, REFERENCE, seed, (common, common), images))
    rows = []
    with _matching_form():
        for form, objective in FORMS.items():
            weights = _weights(_trained(baseline, objective, seed, (common, cewl_discriminator), images))
            largest = (weights.double() - reference.double()).abs().max().item()
            same = torch.equal(weights, reference)
            rows.append(Twin(condition, form, same, largest if largest == largest else None))
    on_progress(1)
    return rows


def _trained(
    baseline: Variant, objective: str, seed: int, optimizers: tuple[Optimizer, Optimizer], images: Tensor
) -> Population:
    """A run after an epoch of these images, by the generator's and the discriminator's optimizer."""
    generator, discriminator = optimizers
    players = {"generator_optimizer": generator, "discriminator_optimizer": discriminator}
    recipe = baseline.model_copy(update={"objective": objective, "discriminator_steps": 1, **players})
    population = Population([RunSpec(recipe, seed)], images)
    population.epoch()
    return population


def _weights(population: Population) -> Tensor:
    return torch.cat([player.parameters for player in population.players.values()], 1)


@contextmanager
def _matching_form() -> Iterator[None]:
    """Offer CEWL with its discriminator loss written as half of its twin's, l_f + log(1 + exp(-l_f)) as softplus(l_f).

    The two are equal, but not in the last bit.
    """
    twin = OBJECTIVES[REFERENCE]

    def half(real_logits: Tensor, fake_logits: Tensor, real_label: Tensor | float) -> Tensor:
        return twin.discriminator(real_logits, fake_logits, real_label) / 2

    OBJECTIVES[FORMS["matching"]] = Objective(half, twin.generator)
    try:
        yield
    finally:
        del OBJECTIVES[FORMS["matching"]]
