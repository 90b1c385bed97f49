"""Scoring trials: a row for each in their order, whatever became of the run."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from gan.compute import store
from gan.compute.executors import ProcessExecutor
from gan.compute.trials import TrainedTrial
from gan.evaluation.classifier import Classifier
from gan.evaluation.metrics import Reference, coverage, neighbourhood_shares
from gan.evaluation.scoring import Scorer
from gan.evaluation.trials import COLUMNS, score_trials
from gan.networks import registry
from gan.networks.architecture import Network
from gan.seeding import random_generator
from gan.study.designs import Trial, search_trials
from gan.study.schema import Study
from gan.training.loop import Run


def kept(trial: Trial, folder: Path, *, failed: bool = False) -> TrainedTrial:
    """A trial whose run is kept, its generator as it was drawn."""
    network = Network(registry.generator(trial.variant), [random_generator(trial.seed, "test")])
    state = {name: part.numpy() for name, part in network.state(0).items()}
    failure = {"epoch": 1, "cause": "weights not finite"} if failed else None
    run = Run(trial.seed, generators={} if failed else {trial.variant.epochs: state}, failure=failure)
    store.save_run(run, folder, {})
    return TrainedTrial(trial, folder.name, folder)


@pytest.fixture
def scorer(study: Study, images: torch.Tensor) -> Scorer:
    torch.manual_seed(0)
    return Scorer.of([Classifier().eval()], images, study.evaluate, "cpu")


def test_every_trial_has_its_row(study: Study, scorer: Scorer, tmp_path: Path) -> None:
    trials = search_trials(study.search, study.baseline, "minimax")
    trained = [kept(trial, tmp_path / f"key{place}", failed=place == 2) for place, trial in enumerate(trials)]
    table = score_trials("test", trained, {"mnist": scorer}, ProcessExecutor(2))
    assert list(table) == [*trials[0].labels, *COLUMNS]
    assert table["configuration"].tolist() == [trial.labels["configuration"] for trial in trials]
    assert table["key"].tolist() == [f"key{place}" for place in range(len(trials))]
    assert table["status"].eq("failed").tolist() == [place == 2 for place in range(len(trials))]
    assert table["fid"].isna().tolist() == [place == 2 for place in range(len(trials))]
    assert table["failed_epoch"].tolist()[2] == 1
    alone = score_trials("test", trained[3:4], {"mnist": scorer}, ProcessExecutor(1))
    pd.testing.assert_frame_equal(alone, table[3:4].reset_index(drop=True), check_dtype=False)


def test_trials_are_scored_as_variants_are(study: Study, scorer: Scorer, tmp_path: Path) -> None:
    trial = search_trials(study.search, study.baseline, "minimax")[0]
    table = score_trials("test", [kept(trial, tmp_path / "key")], {"mnist": scorer}, ProcessExecutor(1))
    generator = store.kept_generator(tmp_path / "key", trial.variant.epochs)
    count, random = study.evaluate.images, random_generator(trial.seed, "evaluation")
    latents = torch.randn(count, trial.variant.latent_dim, generator=random)
    scores = scorer.score(registry.generate(trial.variant, generator, latents).view(-1, 28, 28))
    assert {name: table[name][0] for name in ("fid", "kid", "coverage", "digits")} == {
        name: scores[name] for name in ("fid", "kid", "coverage", "digits")
    }


@pytest.mark.parametrize("spread", [0.05, 1.0])
def test_coverage_alone_is_that_of_all_shares(spread: float) -> None:
    random = torch.Generator().manual_seed(0)
    reference = Reference.of(torch.randn(300, 6, generator=random), 5)
    features = spread * torch.randn(250, 6, generator=random)
    assert coverage(features, reference) == neighbourhood_shares(features, reference)["coverage"] > 0
