"""What a run's score costs, from how its variant was trained."""

import pytest

from gan.records.training import Checksums, Failure, Hardware, TrainedRun, Training


def training(*runs: TrainedRun) -> Training:
    hardware = Hardware("cpu", "Synthetic CPU", 2, "float32", 2)
    return Training("v", {"epochs": 20}, Checksums("", ""), hardware, {}, 100.0, list(runs))


def test_an_epochs_time_is_the_mean_over_the_runs_that_finished() -> None:
    finished = [TrainedRun(seed, "", "finished", None, seconds, "") for seed, seconds in enumerate((30.0, 50.0))]
    diverged = TrainedRun(2, "", "failed", Failure(1, "loss not finite"), 1.0, "")
    assert training(*finished, diverged).seconds_per_epoch == pytest.approx(2)
    assert training(diverged).seconds_per_epoch is None
