"""From runs on disk to a row of metrics per seed: shared latents, every seed a row, failures too."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan import runs
from gan.classifier import Classifier
from gan.evaluation import Judge, evaluate_variant, generate, metrics_table, sample_grid, snapshots_table
from gan.networks import Pass, Perceptrons
from gan.randomness import random_generator
from gan.study import Study, Variant
from gan.training import Run, generator_architecture
from gan.workers import Cores

SIDE = 28
ONE = Cores(1)


@pytest.fixture
def judge(study: Study, images: torch.Tensor) -> Judge:
    torch.manual_seed(0)
    return Judge.of(Classifier().eval(), images, study.evaluate, "cpu")


def make_runs(variant: Variant, folder: Path) -> None:
    """Seeds 0 and 1 finished, seed 2 failed after its first snapshot."""
    kept = {}
    for seed in variant.seeds:
        network = Perceptrons(generator_architecture(variant, SIDE**2), [random_generator(seed, "test")])
        state = {name: part.numpy() for name, part in network.state(0).items()}
        failure = {"epoch": 2, "cause": "weights not finite"} if seed == 2 else None
        generators = {epoch: state for epoch in variant.checkpoints if not (failure and epoch == 2)}
        runs.keep(Run(seed, generators=generators, failure=failure), folder / "kept" / str(seed), {})
        kept[f"key{seed}"] = folder / "kept" / str(seed)
    runs.gather(kept, folder / "runs")


def test_generated_images_are_the_networks(variant: Variant) -> None:
    network = Perceptrons(generator_architecture(variant, SIDE**2), [random_generator(0, "test")])
    latents = torch.randn(5, 8)
    state = {name: part.numpy() for name, part in network.state(0).items()}
    expected = Pass(network, latents.unsqueeze(0)).forward().view(5, SIDE, SIDE)
    torch.testing.assert_close(generate(state, latents, SIDE), expected)


def test_every_seed_has_its_row(variant: Variant, judge: Judge, tmp_path: Path) -> None:
    make_runs(variant, tmp_path)
    scored = evaluate_variant("mine", variant, tmp_path / "runs", judge, SIDE, Cores(2))
    table = metrics_table(scored)
    assert table["seed"].tolist() == [0, 1, 2]
    assert table["status"].tolist() == ["finished", "finished", "failed"]
    assert table["key"].tolist() == ["key0", "key1", "key2"]
    assert table["fid"].notna().tolist() == [True, True, False]
    assert table.loc[2, "failed_epoch"] == 2
    assert table.loc[2, "failure"] == "weights not finite"
    shares = table.filter(regex=r"digit_\d").iloc[:2].sum(axis=1)
    assert np.allclose(shares.astype(float), 1)

    snapshots = snapshots_table("mine", scored)
    assert snapshots[["seed", "epoch"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [2, 1]]
    final = snapshots[(snapshots["seed"] == 1) & (snapshots["epoch"] == 2)]["fid"].item()
    assert final == table.loc[1, "fid"]

    again = evaluate_variant("mine", variant, tmp_path / "runs", judge, SIDE, ONE)
    assert metrics_table(again).equals(table)
    assert sample_grid(again, 2) == sample_grid(scored, 2)


def test_a_variant_is_scored_on_the_same_latents_as_any_other(variant: Variant, judge: Judge, tmp_path: Path) -> None:
    """Equal generators under another name get equal scores, so a contrast has no noise from latents."""
    make_runs(variant, tmp_path)
    tables = [
        metrics_table(evaluate_variant(name, variant, tmp_path / "runs", judge, SIDE, ONE)).drop(columns="variant")
        for name in ("one", "other")
    ]
    assert tables[0].equals(tables[1])


def test_the_grid_has_a_row_per_seed_and_a_column_per_latent(variant: Variant, judge: Judge, tmp_path: Path) -> None:
    make_runs(variant, tmp_path)
    scored = evaluate_variant("mine", variant, tmp_path / "runs", judge, SIDE, ONE)
    (tmp_path / "grid.png").write_bytes(sample_grid(scored, 2))
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (2 * 30 + 2, 4 * 30 + 2)
    shown = torch.randn(4, 8, generator=random_generator(0, "grid"))
    third = generate(runs.load_generator(tmp_path / "runs", 1, 2), shown, SIDE)[2]
    assert np.abs(pixels[32:60, 62:90] / 127.5 - 1 - third.numpy()).max() < 0.01


def test_the_reference_is_measured_on_one_thread(study: Study, images: torch.Tensor) -> None:
    """The last digits of a covariance depend on the threads, and scores are not to depend on a machine's cores."""
    torch.set_num_threads(2)
    Judge.of(Classifier().eval(), images, study.evaluate, "cpu")
    assert torch.get_num_threads() == 1


def test_training_images_score_better_than_noise(judge: Judge, images: torch.Tensor) -> None:
    noise = torch.rand(200, SIDE, SIDE) * 2 - 1
    from gan.pixels import scale

    assert judge.fid(scale(images)) < 1e-6 < judge.fid(noise * 0.2)
