"""Training runs from beginning to end: epochs, what is measured in each, snapshots, checkpoints and failures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gan.training import arithmetic
from gan.training.population import Population, RunSpec


@dataclass
class Run:
    """One run's result: plain arrays, so that it crosses process borders.

    `history` holds one row per completed epoch. `generators` maps a snapshot's epoch to the generator's parameters,
    and the encoder's where there is one. A run that stopped being finite has the `failure`'s epoch and cause, and
    nothing from that epoch on.
    """

    seed: int
    history: list[dict[str, float]] = field(default_factory=list)
    generators: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    failure: dict[str, int | str] | None = None
    seconds: float = 0.0

    @property
    def status(self) -> str:
        return "finished" if self.failure is None else "failed"


@dataclass(frozen=True)
class Checkpoint:
    """Runs after so many epochs, as far as they are, and for each the state that its next epoch starts from."""

    epoch: int
    runs: list[Run]
    states: list[dict[str, Tensor]]


class Saver(Protocol):
    """Where the checkpoints of a population's runs are kept."""

    def load(self) -> Checkpoint | None:
        """The last checkpoint, if there is one."""

    def save(self, take: Callable[[], Checkpoint]) -> None:
        """Keep the checkpoint that `take` makes, if it is time; `take` is called at once or never."""


def train(
    specs: Sequence[RunSpec],
    images: Tensor,
    quantiles: Sequence[float],
    device: torch.device | str,
    on_epoch: Callable[[int], None],
    saver: Saver | None = None,
    path: arithmetic.Path | None = None,
) -> list[Run]:
    """Train the given runs side by side on `images` (uint8 `[image, height, width]`) and return them in their order.

    On a CPU there is one: its bits must not depend on what lies beside it in memory. On a GPU the variants must agree
    in their `common_settings`. `quantiles` are those of the fake logits that the history keeps. `on_epoch` is called
    with the number of runs after every epoch. A run whose losses, gradient or weights stop being finite fails; the
    others go on unaffected. What `saver` has kept of this population is not computed again, and the result is the same
    to the last bit. A CPU multiplies by `path`, if not by the one that is chosen for the processor. ValueError for
    several runs on a CPU.
    """
    # A saturated generator's gradients decay into denormal numbers, which cost a processor hundreds of cycles each
    # and lie thirty orders of magnitude below Adam's epsilon.
    torch.set_flush_denormal(True)
    if torch.device(device).type == "cpu" and len(specs) != 1:
        raise ValueError(f"a CPU trains one run at a time, not {len(specs)}")
    if torch.device(device).type == "cpu":  # a GPU would take a CPU's path for leave to round to TF32
        arithmetic.use(path or arithmetic.choose())
    started = time.perf_counter()
    population = Population(specs, images.flatten(1).to(device))
    variant = specs[0].variant
    done, runs = 0, [Run(spec.seed) for spec in specs]
    if saver and (checkpoint := saver.load()):
        for place, state in enumerate(checkpoint.states):
            population.restore(place, state)
        done, runs = checkpoint.epoch, checkpoint.runs
        on_epoch(done * len(runs))
    before = runs[0].seconds
    for epoch in range(done + 1, variant.epochs + 1):
        population.epoch()
        measured = {name: values.tolist() for name, values in _measure(population.log, quantiles).items()}
        finite = population.finite().tolist()
        for index, run in enumerate(runs):
            if run.failure is not None:
                continue
            row = {name: values[index] for name, values in measured.items()}
            broken = [name for name, value in row.items() if not np.isfinite(value)]
            if broken or not finite[index]:
                what = broken[0].replace("_", " ") if broken else "weights"
                run.failure = {"epoch": epoch, "cause": f"{what} not finite"}
                continue
            run.history.append({"epoch": epoch, **row})
            if epoch in variant.checkpoints:
                run.generators[epoch] = population.snapshot(index)
        for run in runs:
            run.seconds = before + (time.perf_counter() - started) / len(runs)
        on_epoch(len(runs))
        if saver:
            # Called at once, or never.
            saver.save(lambda: Checkpoint(epoch, runs, [population.state(place) for place in range(len(runs))]))  # noqa: B023
    return runs


def _measure(log: dict[str, Tensor], quantiles: Sequence[float]) -> dict[str, Tensor]:
    """An epoch's means over steps and quantiles of its fake logits, each `[run]`."""
    measured = {
        "discriminator_loss": log["discriminator_loss"].mean(1),
        "generator_loss": log["generator_loss"].mean(1),
        "real_probability": torch.sigmoid(log["real_logits"]).mean(1),
        "fake_probability": torch.sigmoid(log["fake_logits"]).mean(1),
        "discriminator_accuracy": (log["real_logits"] > 0).float().mean(1) / 2
        + (log["fake_logits"] < 0).float().mean(1) / 2,
        "generator_gradient_norm": log["generator_gradient_norm"].mean(1),
    }
    points = torch.tensor(quantiles, dtype=log["fake_logits"].dtype, device=log["fake_logits"].device)
    values = torch.stack([torch.quantile(logits, points) for logits in log["fake_logits"]], 1)
    return measured | {
        f"fake_logit_q{100 * quantile:02g}": row for quantile, row in zip(quantiles, values, strict=True)
    }
