"""Variants on two data sets in one small real study: each runs once for what uses it, and nothing is mixed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT, TESTS, Pipeline, contents
from ruamel.yaml import YAML
from safetensors.torch import load_file, save

from gan.commands.presets import prepare
from gan.data.download import download
from gan.files import read_json, room_checksum, sha256, write, write_json

pytestmark = pytest.mark.slow

ONE = """
only: [minimax, non_saturating]
classify: {seeds: [0], epochs: 2, least_accuracy: {fashion_mnist: 0.2, digits: 0.2}}
baseline: {data: digits, seeds: [0], epochs: 2, snapshots: [], latent_dim: 8, generator_hidden: [16]}
simulate: {studies: 4}
toys: {dirac: {objectives: [minimax], turns: 1}, ring: {seeds: [0], hidden: [8], steps: [3], samples: 50}}
specifications: {epochs: [2]}
mechanism: {epochs: [2], seeds: [0], steps: 2}
evaluate: {images: 200, grid_seeds: 1, grid_columns: 4}
compare: {learnt: {coverage: 0.05}}  # noise covers four of the 200 inverted digits
compute: {device: cpu, workers: 1}
tracking: {experiment: two, timeout_seconds: 0.1}
"""
ADDED = {"clothes": {"data": "fashion_mnist"}, "clothes_minimax": {"data": "fashion_mnist", "objective": "minimax"}}


def other_data_set(folder: Path) -> None:
    """Digits as negatives, as if they had been downloaded for Fashion-MNIST, so that nothing must be fetched."""
    download("digits", (), 1.0, folder)
    record: dict[str, Any] = {**read_json(folder / "data.json"), "name": "fashion_mnist", "code": room_checksum("data")}
    for split in ("train", "test"):
        tensors = load_file(folder / f"{split}.safetensors")
        write(folder / f"{split}.safetensors", save({**tensors, "images": torch.bitwise_not(tensors["images"])}))
        record["sha256"][split] = sha256(folder / f"{split}.safetensors")
    write_json(folder / "data.json", record)


def change(project: Path, variants: dict[str, Any]) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(project / "params.yaml")
    params["variants"] |= variants
    yaml.dump({**params, "variants": {name: of for name, of in params["variants"].items() if of is not None}},
              project / "params.yaml")  # fmt: skip


def ran(printed: str) -> list[str]:
    return [line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A study on one data set, compared; Fashion-MNIST lies beside it."""
    folder = tmp_path_factory.mktemp("two")
    write(folder / "one.yaml", ONE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        prepare(folder / "one.yaml", folder / "project", TESTS / "params.yaml")
    pipeline = Pipeline(folder / "project")
    pipeline.reproduce("floor", "compare")
    other_data_set(folder / "other")
    return pipeline


def test_a_variant_on_other_data_leaves_the_others_alone(project: Pipeline, tmp_path: Path) -> None:
    study = project.copy(tmp_path / "project")
    root, before = study.folder, study.results()
    shutil.copytree(project.folder.parent / "other", root / "data/fashion_mnist")
    kept = {path: path.stat().st_mtime_ns for path in root.glob("models/digits/*")}
    write(root / "data/fashion_mnist/notes.txt", b"mine")

    change(root, ADDED)
    assert ran(study.reproduce("train@clothes")) == ["download", "train@clothes"]  # what it needs and no more
    added = {f"{stage}@{name}" for stage in ("train", "evaluate") for name in ADDED} - {"train@clothes"}
    assert set(ran(study.reproduce("floor", "compare"))) == {"classify", "floor", "compare", *added}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # its classifiers were not trained again
    after = study.results()
    changed = {name for name, content in before.items() if after[name] != content}
    assert changed == {"comparison", "models/classifiers.json"}
    assert read_json(root / "reports/floor.json").keys() == {"digits", "fashion_mnist"}
    assert ",fashion_mnist,0,2,2,finished," in (root / "reports/metrics/clothes.csv").read_text(encoding="utf-8")
    comparison = json.loads((root / "reports/comparison.json").read_text(encoding="utf-8"))
    assert [(each["data"], set(each["variants"])) for each in comparison["standings"]] == [
        ("digits", {"minimax", "non_saturating"}),
        ("fashion_mnist", {"clothes", "clothes_minimax"}),
    ]
    assert [each["id"] for each in comparison["contrasts"]] == ["H1"]
    assert ran(study.reproduce("floor", "compare")) == []

    # Its images are damaged: DVC has them made again, and what was made from the same images stays.
    path = root / "data/digits/train.safetensors"
    path.write_bytes(b"damaged")
    assert ran(study.reproduce("floor", "compare")) == ["download"]
    # Other images of one data set: what uses them runs again, and nothing else.
    write(path, save({**(tensors := load_file(path)), "images": tensors["images"].flip(1)}))
    record = read_json(path.with_name("data.json"))
    write_json(path.with_name("data.json"), {**record, "sha256": {**record["sha256"], "train": sha256(path)}})
    again = ran(study.reproduce("--no-run-cache", "evaluate@minimax", "evaluate@clothes"))
    assert sorted(again) == ["classify", "download", "evaluate@minimax", "train@minimax"]  # DVC's order is not fixed

    change(root, dict.fromkeys(ADDED))
    study.reproduce("classify")
    assert contents(root / "data/fashion_mnist") == {"notes.txt": b"mine"}
    assert not (root / "models/fashion_mnist").exists()
