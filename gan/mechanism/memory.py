"""What goes on in Adam while a generator trains: how far it moves, when it freezes, what it remembers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.mechanism.directions import direction
from gan.mechanism.recovery import recovery, recovery_steps
from gan.records.memory import Adam, Curve, Direction, Freeze, Memory, Run
from gan.study import analyses, recipe
from gan.study.recipe import Variant
from gan.training import arithmetic
from gan.training.optimizers import Optimizer
from gan.training.population import Population, RunSpec

Array = NDArray[np.float64]
State = dict[str, Tensor]  # of a population's run


class Watched:
    """Takes the place of a run's Adam and notes every step of it; calls `before` with a step's number first.

    `updates` are means over the parameters of |m / (sqrt(v) + eps)|, both without their bias: the change over the
    learning rate, but not rounded to the parameters' float32. `remembered` are the norms of sqrt(v).
    """

    def __init__(self, optimizer: Optimizer, settings: recipe.Adam, before: Callable[[int], None]) -> None:
        self.state = optimizer.state
        self._optimizer, self._settings, self._before = optimizer, settings, before
        self.updates: list[float] = []
        self.remembered: list[float] = []

    def step(self) -> None:
        self._before(len(self.updates) + 1)
        self._optimizer.step()
        taken = int(self.state["steps"][0])
        first, second = (1 - beta**taken for beta in self._settings.betas)
        root = (self.state["square"] / second).sqrt_()
        self.remembered.append(torch.linalg.vector_norm(root).item())
        self.updates.append((self.state["mean"] / root.add_(self._settings.eps)).abs_().mean().item() / first)


def measure(
    baseline: Variant,
    settings: analyses.Memory,
    quantiles: Sequence[float],
    confidence: float,
    images: Tensor,
    executor: Executor,
) -> Memory:
    """All measurements; `images` uint8 `[image, height, width]`, `executor` one of processes on CPUs.

    Only a step on a CPU calls what stands in an optimizer's place each time. A swept run's beta2 and eps are the
    generator's alone: its discriminator is trained as the baseline's, so that one memory differs at a time. Other Adams
    train from the start, with the printed eps; and from `settings.switch` epochs of the printed one on, so that all of
    a seed's begin with the same generator in the same freeze.
    """
    flat = images.flatten(1)
    printed, others, switched = conditions(baseline, settings)
    runs: list[Run] = []
    directions: list[Direction] = []
    states: dict[int, State] = {}
    total = settings.epochs * len(settings.seeds) * len([*printed, *others, *switched])
    with progress("memory", total, "epochs") as on_progress:
        for adams in ([*printed, *others], switched):  # these go on where those were
            tasks = [(adam, seed) for adam in adams for seed in settings.seeds]
            shared = (baseline, settings, tuple(quantiles), flat, dict(states))
            for run, compared, state in executor.run(_run, tasks, shared, on_progress):
                runs.append(run)
                directions += compared
                if state:
                    states[run.seed] = state
    runs.sort(key=lambda run: ([*printed, *others, *switched].index(run.adam), run.seed))
    directions.sort(key=lambda row: (row.objective, row.seed, row.step))
    swept = [run for run in runs if run.adam.objective == settings.swept]
    # Only the first freeze is the one that all of a seed's have in common.
    after = [replace(run, freezes=run.freezes[:1]) for run in swept if run.adam.switch is not None]
    return Memory(
        sum(run.steps for run in runs),
        runs,
        directions,
        from_start=recovery([run for run in swept if run.adam.switch is None], confidence),
        after_switch=recovery(after, confidence),
    )


def conditions(baseline: Variant, settings: analyses.Memory) -> tuple[list[Adam], list[Adam], list[Adam]]:
    """The printed optimizer under each objective, the swept one's with another beta2, and those after the switch."""
    optimizer = _adam(baseline)
    memory, eps = optimizer.betas[1], optimizer.eps
    objectives = dict.fromkeys((*settings.objectives, settings.swept))
    return (
        [Adam(objective, memory, eps, printed=True) for objective in objectives],
        [Adam(settings.swept, beta2, eps, printed=False) for beta2 in settings.beta2 if beta2 != memory],
        [
            Adam(settings.swept, beta2, each, printed=False, switch=settings.switch)
            for beta2, each in product(settings.beta2, settings.eps)
        ],
    )


def _adam(baseline: Variant) -> recipe.Adam:
    optimizer = baseline.generator_optimizer
    assert optimizer.name == "adam", "the study checks it when it is read"
    return optimizer


def _run(
    shared: tuple[Variant, analyses.Memory, tuple[float, ...], Tensor, dict[int, State]],
    task: tuple[Adam, int],
    on_progress: ProgressCallback,
) -> tuple[Run, list[Direction], State | None]:
    """A run, its directions, and the state that the switched runs of its seed go on from, if this one has it."""
    # As in the study's own training.
    torch.set_flush_denormal(True)
    arithmetic.use(arithmetic.choose())
    (baseline, settings, quantiles, images, states), (adam, seed) = shared, task
    optimizer = _adam(baseline)
    optimizer = optimizer.model_copy(update={"betas": (optimizer.betas[0], adam.beta2), "eps": adam.eps})
    changes = {"objective": adam.objective, "generator_optimizer": optimizer, "discriminator_steps": 1}
    spec = RunSpec(baseline.model_copy(update=changes), seed)
    population = Population([spec], images)
    if adam.switch is not None:
        population.restore(0, states[seed])
    directions: list[Direction] = []

    def compare(step: int) -> None:
        if adam.printed and step in settings.compared:
            directions.append(direction(population, spec, step, quantiles))

    watched = Watched(population.generator.optimizer, optimizer, compare)
    population.generator.optimizer = watched  # type: ignore[assignment]
    gradients, fakes = [], []
    state = None
    for epoch in range(1, settings.epochs + 1):
        population.epoch()
        gradients.append(population.log["generator_gradient_norm"][0].clone())
        probabilities = torch.sigmoid(population.log["fake_logits"][0])
        fakes += [batch.mean().item() for batch in probabilities.split(baseline.batch_size)]
        on_progress(1)
        if adam.printed and adam.objective == settings.swept and epoch == settings.switch:
            state = population.state(0)
        if adam.switch is not None and max(watched.updates) > settings.awake:
            on_progress(settings.epochs - epoch)
            break
    noted = {
        "update": np.array(watched.updates),
        "gradient_norm": torch.cat(gradients).double().numpy(),
        "remembered_norm": np.array(watched.remembered),
        "fake_probability": np.array(fakes),
    }
    steps, size = len(fakes), population.generator.architecture.size
    run = Run(
        adam,
        seed,
        steps,
        asleep=float((noted["update"] < settings.frozen).mean()),
        curve=curve(noted, min(settings.windows, steps)),
        freezes=freezes(noted["update"], noted["gradient_norm"], adam, size, settings.frozen, settings.awake),
    )
    return run, directions, state


def curve(noted: dict[str, Array], windows: int) -> Curve:
    """Medians of each quantity, `[step]`, over so many windows."""
    parts = np.array_split(np.arange(len(noted["update"])), windows)
    medians = {name: [float(f"{np.median(values[part]):.4g}") for part in parts] for name, values in noted.items()}
    return Curve([int(part[-1]) + 1 for part in parts], **medians)


def freezes(updates: Array, gradients: Array, adam: Adam, size: int, frozen: float, awake: float) -> list[Freeze]:
    """The freezes of a run's `updates` and gradient norms, both `[step]`; `size` is its number of parameters."""
    found: list[Freeze] = []
    begin = 0
    while (below := np.flatnonzero(updates[begin:] < frozen)).size:
        start = begin + int(below[0])
        above = np.flatnonzero(updates[start:] > awake)
        begin = start + int(above[0]) if above.size else len(updates)
        lowest = start + int(updates[start:begin].argmin())
        fell_to, norm = float(updates[lowest]), float(gradients[lowest])
        # Adam's eps beside the gradient of one parameter, in the root mean square.
        share = adam.eps * size**0.5 / norm if norm else np.inf
        predicted = recovery_steps(fell_to, awake, adam.beta2, share)
        quarter = -(-(begin - start) // 4)
        first, last = (float(np.median(part)) for part in (gradients[start:][:quarter], gradients[:begin][-quarter:]))
        found.append(
            Freeze(
                start + 1,
                lowest + 1,
                fell_to,
                norm,
                gradient_growth=last / first if first else None,
                lasted=begin - lowest if above.size else None,
                predicted=predicted if isfinite(predicted) else None,
            )
        )
    return found
