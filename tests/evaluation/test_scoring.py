"""From runs on disk to a row of metrics per seed: shared latents, every seed a row, failures too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from gan.compute import store
from gan.compute.executors import ProcessExecutor
from gan.evaluation.classifier import Classifier
from gan.evaluation.scoring import (
    Further,
    Scorer,
    evaluate_variant,
    metrics_table,
    sample_grid,
    snapshots_table,
)
from gan.images import scale
from gan.networks import registry
from gan.networks.architecture import Network
from gan.seeding import random_generator
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training.loop import Run

SIDE = 28
ONE = ProcessExecutor(1)
ALL = Further(confirmed=True, repeated=True)


@pytest.fixture
def scorer(study: Study, images: torch.Tensor) -> Scorer:
    torch.manual_seed(0)
    return Scorer.of([Classifier().eval(), Classifier().eval()], images, study.evaluate, "cpu")


def make_runs(variant: Variant, folder: Path) -> None:
    """Seeds 0 and 1 finished, seed 2 failed after its first snapshot."""
    kept = {}
    for seed in variant.seeds:
        network = Network(registry.generator(variant), [random_generator(seed, "test")])
        state = {name: part.numpy() for name, part in network.state(0).items()}
        failure = {"epoch": 2, "cause": "weights not finite"} if seed == 2 else None
        generators = {epoch: state for epoch in variant.checkpoints if not (failure and epoch == 2)}
        store.save_run(Run(seed, generators=generators, failure=failure), folder / "kept" / str(seed), {})
        kept[f"key{seed}"] = folder / "kept" / str(seed)
    store.export_runs(kept, folder / "runs")


def test_every_seed_has_its_row(variant: Variant, scorer: Scorer, tmp_path: Path) -> None:
    make_runs(variant, tmp_path)
    scored = evaluate_variant("name", variant, tmp_path / "runs", scorer, ProcessExecutor(2), ALL)
    table = metrics_table(scored, 1)
    assert table["seed"].tolist() == [0, 1, 2]
    assert table["status"].tolist() == ["finished", "finished", "failed"]
    assert table["key"].tolist() == ["key0", "key1", "key2"]
    assert table["fid"].notna().tolist() == [True, True, False]
    assert table.loc[2, "failed_epoch"] == 2
    assert table.loc[2, "failure"] == "weights not finite"
    shares = table.filter(regex=r"digit_\d").iloc[:2].sum(axis=1)
    assert np.allclose(shares.astype(float), 1)

    snapshots = snapshots_table("name", scored)
    assert snapshots[["seed", "epoch"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [2, 1]]
    course = snapshots[snapshots["seed"] == 1]["fid"].to_numpy()
    assert table.loc[1, "fid"] == pytest.approx(np.sqrt(course.prod()), rel=1e-12)
    assert table.loc[1, "fid_last"] == course[-1]
    assert table["averaged"].tolist() == ["1 2"] * 3
    # Another classifier's FID averages the same snapshots: here all of one generator, so of one FID.
    latents = torch.randn(200, variant.latent_dim, generator=random_generator(1, "evaluation"))
    last = scorer.other_fids(
        registry.generate(variant, store.load_generator(tmp_path / "runs", 1, 2), latents).view(-1, SIDE, SIDE)
    )
    assert table.loc[1, "fid_classifier_1"] == pytest.approx(last["fid_classifier_1"], rel=1e-12)
    assert table.loc[1, "epoch"] == 2

    again = evaluate_variant("name", variant, tmp_path / "runs", scorer, ONE, ALL)
    assert metrics_table(again, 1).equals(table)
    assert sample_grid(again, 2) == sample_grid(scored, 2)


def test_a_variant_is_scored_on_the_same_latents_as_any_other(variant: Variant, scorer: Scorer, tmp_path: Path) -> None:
    """Equal generators under another name get equal scores, so a contrast has no noise from latents."""
    make_runs(variant, tmp_path)
    tables = [
        metrics_table(evaluate_variant(name, variant, tmp_path / "runs", scorer, ONE, ALL), 1).drop(columns="variant")
        for name in ("one", "other")
    ]
    assert tables[0].equals(tables[1])


def test_the_grid_has_a_row_per_seed_and_a_column_per_latent(variant: Variant, scorer: Scorer, tmp_path: Path) -> None:
    make_runs(variant, tmp_path)
    scored = evaluate_variant("name", variant, tmp_path / "runs", scorer, ONE, ALL)
    (tmp_path / "grid.png").write_bytes(sample_grid(scored, 2))
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (2 * 30 + 2, 4 * 30 + 2)
    shown = torch.randn(4, 8, generator=random_generator(0, "grid"))
    third = registry.generate(variant, store.load_generator(tmp_path / "runs", 1, 2), shown).view(-1, SIDE, SIDE)[2]
    assert np.abs(pixels[32:60, 62:90] / 127.5 - 1 - third.numpy()).max() < 0.01


def test_the_reference_is_measured_on_one_thread(study: Study, images: torch.Tensor) -> None:
    """The last digits of a covariance depend on the threads, and scores must not depend on a machine's cores."""
    torch.set_num_threads(2)
    Scorer.of([Classifier().eval()], images, study.evaluate, "cpu")
    assert torch.get_num_threads() == 1


def test_training_images_score_better_than_noise(scorer: Scorer, images: torch.Tensor) -> None:
    noise = torch.rand(200, SIDE, SIDE) * 2 - 1
    assert scorer.fid(scale(images)) < 1e-6 < scorer.fid(noise * 0.2)


def test_a_run_is_scored_at_every_epoch_that_is_asked_for(variant: Variant, scorer: Scorer, tmp_path: Path) -> None:
    """A run that failed in epoch 2 has its score after epoch 1."""
    scorer = replace(scorer, settings=scorer.settings.model_copy(update={"scores": {1: (1,)}}))
    make_runs(variant, tmp_path)
    table = metrics_table(evaluate_variant("name", variant, tmp_path / "runs", scorer, ONE, ALL), 1)
    assert table[["seed", "epoch"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [2, 1], [2, 2]]
    assert table["status"].tolist() == ["finished"] * 5 + ["failed"]
    assert table["failed_epoch"].notna().tolist() == [False] * 5 + [True]
    assert table["fid"][:5].to_numpy() == pytest.approx(table["fid_last"][:5].to_numpy(), rel=1e-12)
    # The other classifiers confirm what is decided after the last epoch.
    assert table["fid_classifier_1"].notna().tolist() == [False, True, False, True, False, False]
    assert table["fid_again"].notna().tolist() == [True] * 5 + [False]


def test_nothing_is_scored_that_nobody_asks_for(variant: Variant, scorer: Scorer, tmp_path: Path) -> None:
    """The table has the same columns and the same scores; where nobody asked, it is empty."""
    make_runs(variant, tmp_path)
    everything, alone = (
        metrics_table(evaluate_variant("name", variant, tmp_path / "runs", each, ONE, further), 1)
        for each, further in ((scorer, ALL), (replace(scorer, others=[]), Further(confirmed=False, repeated=False)))
    )
    asked = ["fid_classifier_1", "fid_again"]
    assert everything.loc[:1, asked].notna().all(axis=None)
    assert alone.equals(everything.assign(**dict.fromkeys(asked, None)).astype(alone.dtypes))


def test_further_scores_are_what_their_names_say(scorer: Scorer, images: torch.Tensor) -> None:
    real = scale(images)
    scores = scorer.score(real)
    assert scores["fid_half"] == scorer.fid(real[:100])
    assert scorer.other_fids(real)["fid_classifier_1"] == pytest.approx(0, abs=1e-6)
    assert scorer.score(real.flip(0))["fid_half"] != scores["fid_half"]
    flat = real.flatten(1).numpy()
    assert scores["output_variance"] == pytest.approx(flat.var(0, ddof=1).mean(), rel=1e-5)
    assert scores["mean_distance"] == pytest.approx(flat.var(0).mean(), rel=1e-5)
    lower = np.quantile(flat, 0.5, axis=0, method="lower")
    assert scores["median_distance"] == pytest.approx(((flat - lower) ** 2).mean(), rel=1e-5)
    same = scorer.score(scorer.mean_image.expand(200, SIDE, SIDE) + 1e-3 * torch.randn(200, 1, 1))
    assert same["mean_distance"] == pytest.approx(1e-6, rel=0.5)


def test_an_encoders_reconstructions_are_scored(study: Study, scorer: Scorer, tmp_path: Path) -> None:
    """A generator that ignores its latents rebuilds one image, whatever the encoder says."""
    variant = study.variants["vae"].model_copy(update={"seeds": (0,), "epochs": 1})
    generator = Network(registry.generator(variant), [random_generator(0, "test")])
    encoder = Network(registry.encoder(variant), [random_generator(1, "test")])
    generator.parts[0].zero_()
    state = {name: part.numpy() for name, part in (generator.state(0) | encoder.state(0, "encoder")).items()}
    store.save_run(Run(0, generators={1: state}), tmp_path / "kept", {})
    store.export_runs({"key": tmp_path / "kept"}, tmp_path / "runs")
    table = metrics_table(evaluate_variant("vae", variant, tmp_path / "runs", scorer, ONE, ALL), 1)
    only = registry.generate(variant, state, torch.zeros(1, 8)).view(SIDE, SIDE)
    assert table["reconstruction_error"].item() == pytest.approx(
        (scorer.images - only).square().mean().item(), rel=1e-5
    )


def test_every_column_of_a_row_is_of_the_same_images(study: Study, scorer: Scorer, tmp_path: Path) -> None:
    """FID by its geometric mean over the snapshots, by whichever classifier; all other scores by the arithmetic one."""
    variant = study.variants["vae"].model_copy(update={"seeds": (0,), "epochs": 3, "snapshots": (1, 2)})
    settings = scorer.settings.model_copy(update={"scores": {2: (1, 2), 3: (3,)}})
    states = {}
    for epoch in variant.checkpoints:
        generator = Network(registry.generator(variant), [random_generator(epoch, "test")])
        encoder = Network(registry.encoder(variant), [random_generator(epoch, "encoder")])
        states[epoch] = {n: part.numpy() for n, part in (generator.state(0) | encoder.state(0, "encoder")).items()}
    store.save_run(Run(0, generators=states), tmp_path / "kept", {})
    store.export_runs({"key": tmp_path / "kept"}, tmp_path / "runs")

    def scored(scores: dict[int, tuple[int, ...]]) -> pd.DataFrame:
        with_these = replace(scorer, settings=settings.model_copy(update={"scores": scores}))
        table = metrics_table(evaluate_variant("vae", variant, tmp_path / "runs", with_these, ONE, ALL), 1)
        return table.set_index("epoch")

    alone, means = scored({1: (1,), 2: (2,), 3: (3,)}), scored({2: (1, 2), 3: (2, 3)})
    assert means["averaged"].to_dict() == {2: "1 2", 3: "2 3"}
    lasts = [name for name in means if name.endswith("_last")] + ["fid_half", "fid_again"]
    apart = (*lasts, "seed", "failed_epoch", "fid_classifier_1")
    numbers = [name for name in means.select_dtypes("number") if name not in apart]
    assert {"fid", "coverage", "digits", "digit_3", "mean_distance", "reconstruction_error"} <= set(numbers)
    for last, both in ((2, [1, 2]), (3, [2, 3])):
        assert means.loc[last, lasts].tolist() == alone.loc[last, lasts].tolist()
        for name in numbers:
            of = alone.loc[both, name].astype(float)
            expected = np.exp(np.log(of).mean()) if name == "fid" else of.mean()
            assert means.loc[last, name] == pytest.approx(expected, rel=1e-12, nan_ok=True), name
    assert alone["fid_classifier_1"].notna().tolist() == [False, False, True]
    assert means["fid_classifier_1"].notna().tolist() == [False, True]
    assert means.loc[3, "fid_classifier_1"] != alone.loc[3, "fid_classifier_1"]
