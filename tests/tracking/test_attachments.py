"""A run in MLflow has its data set, source, pictures by step and a generator that loads; the study has a summary."""

import json
import re
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient, pyfunc
from PIL import Image
from safetensors.numpy import save_file
from showing import a_study, save, shown
from test_synchronise import evaluate, train

from gan.compute.store import generator_file
from gan.compute.trainer import code_checksum
from gan.files import read_json, write_json
from gan.networks import registry
from gan.study.recipe import Variant
from gan.tracking import attachments
from gan.tracking.attachments import commit
from gan.tracking.recorded import recorded_runs
from gan.tracking.summary import NAME, recorded_summary
from gan.tracking.synchronise import Changes, synchronise

EPOCHS = 3
RECIPE = {
    "data": "mnist", "objective": "cewl", "adversarial": 1.0, "terms": {}, "clip": None, "freeze_discriminator": True,
    "epochs": EPOCHS, "snapshots": [1], "batch_size": 8, "discriminator_steps": 1, "networks": "mlp", "latent_dim": 5,
    "generator_hidden": [4, 6], "discriminator_hidden": [6, 4], "encoder_hidden": None, "leaky_slope": 0.2,
    "real_label": 1.0, "pinned": {}, "generator_optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.0},
    "discriminator_optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.0},
}  # fmt: skip


def a_trained_variant(root: Path, recipe: str = "1e") -> dict[str, np.ndarray]:
    """Write two evaluated runs of a variant, its pictures and the generator of its first run, which is returned."""
    train(root, "cewl", [4, 5], recipe=recipe)
    evaluate(root, "cewl", [4, 5], recipe=recipe)
    path = root / "reports/training/cewl.json"
    record = read_json(path)
    write_json(path, {**record, "parameters": {**RECIPE, "seeds": [4, 5]}})
    shades = np.repeat(np.arange(EPOCHS, dtype=np.uint8), 28)[:, None].repeat(28 * 10, 1)
    (root / "reports/strips").mkdir(exist_ok=True)
    Image.fromarray(shades).save(root / "reports/strips/cewl.png")
    strip = {"variant": "cewl", "seed": 4, "data": "mnist", "side": 28, "columns": 10, "epochs": [1, 2, 3]}
    write_json(root / "reports/strips/cewl.json", strip)
    architecture = registry.generator(Variant.model_validate_json(json.dumps({**RECIPE, "seeds": [4]})))
    row = architecture.draw(torch.Generator().manual_seed(0)).reshape(1, -1)
    state = {
        name: part[0].contiguous().numpy()
        for name, part in architecture.named(architecture.parts(row), "model").items()
    }
    folder = root / "runs/cewl/seed-4"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / generator_file(EPOCHS))
    write_json(folder / "run.json", {"seed": 4, "key": f"{recipe}4"})
    return state


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("attached")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/store.db")
        patch.chdir(root)
        client = MlflowClient(f"sqlite:///{root}/store.db")
        state = a_trained_variant(root)
        study = a_study("attached", cewl=[4, 5])
        assert synchronise(study, [], root) == Changes(2, 0, 0)
        yield SimpleNamespace(root=root, client=client, state=state, study=study)


def test_a_run_has_its_data_set_source_and_pictures(store: Any) -> None:
    runs = shown(store.client, "attached")
    first = store.client.get_run(runs["cewl/seed-4"]["id"])
    (used,) = first.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("mnist", "da7a")
    assert json.loads(used.dataset.source) == {"name": "mnist", "sha256": "da7a"}
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}
    assert first.data.tags["mlflow.source.name"] == "stages/train.py"
    assert "mlflow.source.git.commit" not in first.data.tags  # that code isn't this
    pictures = [file.path for file in store.client.list_artifacts(first.info.run_id, "images")]
    for step in (1, 2, 3):
        (name,) = [each for each in pictures if re.search(rf"\Wstep\W{step}\W.*\.png$", each)]
        with Image.open(store.client.download_artifacts(first.info.run_id, name)) as picture:
            assert picture.size == (280, 28)
            assert set(np.asarray(picture).ravel()) == {step - 1}
    assert not store.client.list_artifacts(runs["cewl/seed-5"]["id"], "images")  # they are another seed's


def test_a_generator_loads_and_makes_the_images_of_its_weights(store: Any) -> None:
    (model,) = store.client.search_logged_models([store.client.get_experiment_by_name("attached").experiment_id])
    assert (model.name, model.status) == ("cewl-seed-4", "READY")
    latents = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        generator = pyfunc.load_model(model.artifact_location)
    variant = Variant.model_validate_json(json.dumps({**RECIPE, "seeds": [4]}))
    np.testing.assert_array_equal(
        generator.predict(latents), registry.generate(variant, store.state, torch.from_numpy(latents)).numpy()
    )
    with pytest.raises(Exception, match="shape"):
        generator.predict(latents[:, :3])


def test_an_outdated_generator_leaves_the_list(store: Any, tmp_path: Path) -> None:
    study = a_study("retrained", cewl=[4, 5])
    a_trained_variant(tmp_path)
    synchronise(study, [], tmp_path)
    a_trained_variant(tmp_path, recipe="2e")
    assert synchronise(study, [], tmp_path) == Changes(2, 2, 0)
    (model,) = store.client.search_logged_models([store.client.get_experiment_by_name("retrained").experiment_id])
    assert model.source_run_id == shown(store.client, "retrained")["cewl/seed-4"]["id"]


def test_a_generator_of_another_training_or_none_is_left_out(tmp_path: Path) -> None:
    a_trained_variant(tmp_path)
    assert [bool(run.generator) for run in recorded_runs("cewl", [4, 5], tmp_path / "reports")] == [True, False]
    write_json(tmp_path / "runs/cewl/seed-4/run.json", {"seed": 4, "key": "another"})
    assert not any(run.generator for run in recorded_runs("cewl", [4, 5], tmp_path / "reports"))
    shutil.rmtree(tmp_path / "runs")
    record = tmp_path / "reports/strips/cewl.json"
    assert recorded_runs("cewl", [4, 5], tmp_path / "reports")[0].strip
    write_json(record, {**read_json(record), "epochs": []})  # the run kept no generator
    assert not recorded_runs("cewl", [4, 5], tmp_path / "reports")[0].strip
    save(tmp_path, "strips/cewl.json", "no strip")
    (first, _) = recorded_runs("cewl", [4, 5], tmp_path / "reports")
    assert (first.generator, first.strip) == (None, None)


def test_only_code_that_is_checked_out_has_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    # A third room that decides weights would have to be named in both places.
    monkeypatch.setattr(attachments.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="abc\n"))
    commit.cache_clear()
    assert commit(code_checksum()) == "abc"
    assert commit("other code") is None

    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(attachments.subprocess, "run", missing)
    commit.cache_clear()
    assert commit(code_checksum()) is None
    commit.cache_clear()


def test_the_summary_has_the_verdicts_and_the_report(store: Any, tmp_path: Path) -> None:
    assert recorded_summary(tmp_path / "reports") == []
    ratio = {"ratio": 0.4, "low": 0.3, "high": 0.5}
    contrast = {
        "id": "H1", "family": "declared", "kind": "superiority", "paired": True, "variant": "non_saturating",
        "against": "minimax", "text": "It is lower.", "epoch": 20, "n": {"variant": 7, "against": 7},
        "failures": {"variant": 0, "against": 7, "alone": {"variant": 0, "against": 7}, "p": 0.015625},
        "ratio": None, "low": None, "high": None, "scored_ratio": ratio, "p": 0.01, "p_adjusted": 0.03,
        "hedges_g": None, "improvement": 1.0, "verdict": "supported", "reason": "It is.",
    }  # fmt: skip
    comparison = {
        "metric": "fid", "alpha": 0.05, "margin": 1.1, "learnt": {"coverage": 0.002, "digits": 2, "epochs": 20},
        "preregistration": "before", "standings": [], "contrasts": [contrast], "untested": [],
    }  # fmt: skip
    write_json(tmp_path / "reports/comparison.json", comparison)
    save(tmp_path, "report.md", "# A question\n\n**An answer.**\n\nMore.\n")
    save(tmp_path, "report.html", "<p>An answer.</p>")
    save(tmp_path, "figures/map.svg", "<svg/>")
    study = a_study("summed up", cewl=[])
    assert synchronise(study, [], tmp_path) == Changes(1, 0, 0)
    assert synchronise(study, [], tmp_path) == Changes(0, 0, 1)
    run = shown(store.client, "summed up")[NAME]
    assert run["metrics"] == {"ratio/H1": [(20, 0.4)], "p/H1": [(20, 0.03)]}
    assert run["tags"].items() >= {"verdict H1": "supported", "mlflow.note.content": "**An answer.**"}.items()
    files = {file.path for folder in ("", "figures") for file in store.client.list_artifacts(run["id"], folder)}
    assert files == {"report.html", "report.md", "figures", "figures/map.svg"}
    save(tmp_path, "report.html", "<p>Another answer.</p>")
    assert synchronise(study, [], tmp_path) == Changes(1, 1, 0)
