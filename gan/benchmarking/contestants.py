"""Those whose speed the benchmark compares, each in processes of its own, and how each trains."""

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan import machine
from gan.benchmarking.roofline import Rates, Timed, measure_rates, timed
from gan.compute.executors import Executor, ProcessExecutor, ProgressCallback
from gan.mechanism import tutorial
from gan.study.recipe import Variant
from gan.training import arithmetic
from gan.training.loop import train
from gan.training.population import RunSpec

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
WARM_UP = 640  # images to train on before the clock starts: libraries choose their kernels at first use
TUTORIAL_SHARE = 0.5  # of an epoch's images in each round: its time is proportional to them
PEER_RUNS, PEER_PARTS = 2, 5  # side by side on each core, its fastest number; tenths of an epoch in each round
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MOST_WAIT = 300.0  # seconds that a worker waits for the others to be ready


@dataclass(frozen=True)
class Work:
    """What all do: each worker trains `runs` for `epochs` on `images`, uint8 `[image, height, width]`.

    Workers begin together, when all have come to the barrier; there is none for a single worker.
    """

    variant: Variant
    images: Tensor
    labels: Tensor
    device: str
    runs: int
    epochs: int
    barrier: Any

    def wait(self) -> None:
        if self.barrier:
            self.barrier.wait(MOST_WAIT)


@dataclass(frozen=True)
class Turn:
    """One turn of one contestant: seconds of the whole machine per run-epoch, and of all; bytes of all processes."""

    per_run_epoch: float
    seconds: float
    peak_bytes: int
    operations: float = 0.0  # per second, and bytes per second, of all its workers
    bytes: float = 0.0

    @classmethod
    def of(cls, parts: Sequence[Timed], run_epochs: float, rates: Sequence[Rates] = ()) -> "Turn":
        """The turn of workers side by side, each of which trained so many run-epochs."""
        return cls(
            1 / sum(run_epochs / part.seconds for part in parts),
            max(part.end for part in parts) - min(part.begin for part in parts),
            sum(part.peak_bytes for part in parts),
            sum(rate.operations for rate in rates),
            sum(rate.bytes for rate in rates),
        )


def usable_paths() -> list[arithmetic.Path]:
    """The ways of multiplying that are exact here; each is tried in a process of its own, which can't change again."""
    default, *others = arithmetic.PATHS
    return [default, *(path for path in others if all(ProcessExecutor(1).run(_is_usable, [path], None, _silent)))]


def curve(variant: Variant, images: Tensor, device: str) -> dict[int, Timed]:
    """An epoch on `images` of populations of growing size, by size; set-up is not timed."""
    # Each in a process of its own, because a process's peak never falls.
    executor, shared = ProcessExecutor(1), (variant, images, device)
    return {size: next(iter(executor.run(_last_epoch, [range(size)], shared, _silent))) for size in SIZES}


def tutorial_turn(work: Work) -> Turn:
    shared = (work.images, work.labels, torch.get_num_threads(), work.device)
    return Turn.of(list(ProcessExecutor(1).run(_tutor, [0], shared, _silent)), TUTORIAL_SHARE)


def engine_turn(work: Work, executor: Executor, path: arithmetic.Path) -> Turn:
    parts = list(executor.run(_engine, range(executor.workers), (work, path), _silent))
    return Turn.of([part for part, _ in parts], work.runs * work.epochs, [rates for _, rates in parts])


def peer_turn(work: Work, executor: Executor) -> Turn:
    parts = list(executor.run(_peer, range(executor.workers), work, _silent))
    return Turn.of([part for part, _ in parts], PEER_RUNS * parts[0][1])


def _tutor(shared: tuple[Tensor, Tensor, int, str], _: int, on_progress: ProgressCallback) -> Timed:
    images, labels, threads, device = shared
    torch.set_num_threads(threads)
    tutorial.train(images[:WARM_UP], labels[:WARM_UP], 1, device)
    some = round(TUTORIAL_SHARE * len(images))
    return timed(lambda: tutorial.train(images[:some], labels[:some], 1, device), device)


def _engine(shared: tuple[Work, arithmetic.Path], worker: int, on_progress: ProgressCallback) -> tuple[Timed, Rates]:
    work, path = shared
    seeds = range(worker * work.runs, (worker + 1) * work.runs)
    few = work.images[: max(WARM_UP, work.variant.discriminator_steps * work.variant.batch_size)]
    _train(work.variant.model_copy(update={"epochs": 1}), seeds, few, work.device, path, _silent)
    gc.collect()
    work.wait()
    trained = timed(lambda: _train(work.variant, seeds, work.images, work.device, path, _silent), work.device)
    work.wait()
    return trained, measure_rates(work.variant, work.images[0].numel(), work.device)


def _train(
    variant: Variant,
    seeds: Sequence[int],
    images: Tensor,
    device: str,
    path: arithmetic.Path,
    on_epoch: ProgressCallback,
) -> None:
    """On a GPU side by side, on a CPU one after another."""
    specs = [RunSpec(variant, seed) for seed in seeds]
    for share in [specs] if device == "cuda" else [[spec] for spec in specs]:
        train(share, images, QUANTILES, device, on_epoch, path=path)


def _last_epoch(shared: tuple[Variant, Tensor, str], seeds: Sequence[int], on_progress: ProgressCallback) -> Timed:
    """The second of two epochs: the first one chooses kernels and records steps."""
    variant, images, device = shared
    ends: list[float] = []

    def end(_: int) -> None:
        ends.append(time.perf_counter())

    two = variant.model_copy(update={"epochs": 2, "snapshots": ()})
    both = timed(lambda: _train(two, seeds, images, device, "default", end), device)
    begin, last = ends
    return Timed(begin, last, both.peak_bytes)


def _peer(work: Work, worker: int, on_progress: ProgressCallback) -> tuple[Timed, float]:
    """The time, and the epochs that each of its runs was trained."""
    from gan.benchmarking import peer  # JAX is optional

    cores = sorted(machine.AFFINITY or ())
    peer.prepare(cores[worker % len(cores)] if cores else None)
    training = peer.Training(work.variant, work.images.flatten(1).numpy(), PEER_RUNS)
    training.run(1)
    work.wait()
    done: list[float] = []
    return timed(lambda: done.append(training.run(PEER_PARTS)), "cpu"), done[0]


def _is_usable(_: None, path: arithmetic.Path, on_progress: ProgressCallback) -> bool:
    return arithmetic.use(path) == path


def _silent(done: int) -> None:
    pass
