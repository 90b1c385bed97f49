"""Runs are trained once, kept complete, exported alike, and the same from any number of processes."""

import json
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import contents

from gan.compute import store, trainer
from gan.compute.executors import ProcessExecutor
from gan.compute.store import common, export_runs, history_table, load_generator
from gan.compute.trainer import Missing, Trained, TrainingImages, populations, run_key, train_runs
from gan.files import DamagedError
from gan.study.schema import Study
from gan.training.loop import Run
from gan.training.population import RunSpec, common_settings, memory_per_run

QUANTILES = (0.05, 0.5)
ODD = {"batch_size": 37, "latent_dim": 5, "generator_hidden": (6, 3), "discriminator_hidden": (5, 3)}
RECIPE = {"batch_size": 64, "latent_dim": 100, "generator_hidden": (128, 256), "discriminator_hidden": (256, 128)}


def train(study: Study, images: torch.Tensor, store: Path, **changes) -> Trained:
    where = {name: changes.pop(name) for name in ("workers", "population", "engine") if name in changes}
    compute = study.compute.model_copy(update=where)
    variant = study.variants["cewl"].model_copy(update=changes)
    specs = [RunSpec(variant, seed) for seed in variant.seeds]
    sets = {"mnist": TrainingImages(images, "data")}
    return train_runs("test", specs, sets, QUANTILES, compute, store, "declared")


@pytest.mark.parametrize("shapes", [ODD, RECIPE], ids=["odd", "recipe"])
def test_workers_populations_and_threads_change_no_bit(
    study: Study, images: torch.Tensor, tmp_path: Path, shapes: dict[str, Any]
) -> None:
    """On the study's shapes, and on small and odd ones, for which libraries may round in other ways."""
    for workers, population in ((1, 3), (2, "auto")):
        torch.set_num_threads(workers)  # of this process; it must not matter to the workers
        name = f"{workers}-{population}"
        trained = train(study, images, tmp_path / name, workers=workers, population=population, **shapes)
        assert trained.workers == workers
        export_runs(trained.kept, tmp_path / f"runs-{name}")
    first, second = (contents(folder) for folder in tmp_path.glob("runs-*"))
    assert second == first
    assert len(first) == 3 * 3


def test_only_what_is_missing_is_trained(
    study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    real = ProcessExecutor.run

    def listening(self, task, items, *rest):
        asked.append([run.spec.seed for share in items for run in share])
        return real(self, task, items, *rest)

    monkeypatch.setattr(ProcessExecutor, "run", listening)
    folder = tmp_path / "store"
    train(study, images, folder, seeds=(0, 1))
    train(study, images, folder, seeds=(0, 1))
    trained = train(study, images, folder, seeds=(0, 2, 1))
    assert asked == [[0, 1], [], [2]]
    damaged = trained.kept[next(iter(trained.kept))] / store.generator_file(2)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    train(study, images, folder, seeds=(0, 2, 1))
    assert asked[3:] == [[0]]


def test_a_key_is_the_runs_identity(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = study.variants["cewl"]

    def key(seed: int = 0, data: str = "data", quantiles: tuple[float, ...] = QUANTILES, **changes) -> str:
        return run_key(variant.model_copy(update=changes), seed, quantiles, data)

    assert key() == key() == key(seeds=(5,))
    others = [key(seed=1), key(data="x"), key(quantiles=(0.5,)), key(epochs=3), key(real_label=0.9)]
    monkeypatch.setattr(trainer, "code_checksum", lambda: "other code")
    others.append(key())
    monkeypatch.undo()
    assert len({key(), *others}) == 7


def test_exported_runs_have_no_durations_and_are_checked(study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    records = export_runs(train(study, images, tmp_path / "store").kept, folder)
    assert [record["seed"] for record in records] == [0, 1, 2]
    assert {record["hardware"]["device"] for record in records} == {"cpu"}
    assert "seconds" not in (folder / "seed-0/run.json").read_text()
    table = history_table(records)
    assert table[["seed", "epoch"]].to_numpy().tolist() == [[s, e] for s in range(3) for e in (1, 2)]
    assert load_generator(folder, 1, 2)["model.0.weight"].shape == (16, 8)
    record = folder / "seed-0/run.json"
    key = json.loads(record.read_text())["key"]
    assert store.is_exported(folder, 0, key)
    assert not store.is_exported(folder, 0, "another")
    for name in ("key", "files"):
        content = record.read_text()
        record.write_text(content.replace(f'"{name}"', '"kez"'))
        assert not store.is_exported(folder, 0, key)
        record.write_text(content)
    path = folder / "seed-1" / store.generator_file(2)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="is damaged"):
        load_generator(folder, 1, 2)


def test_a_generator_loads_into_the_tutorials_module(study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    export_runs(train(study, images, tmp_path / "store", seeds=(0,)).kept, tmp_path)
    layers = (torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 24), torch.nn.ReLU())
    module = torch.nn.Module()
    module.model = torch.nn.Sequential(*layers, torch.nn.Linear(24, 784), torch.nn.Tanh())
    state = load_generator(tmp_path, 0, 2)
    module.load_state_dict({name: torch.as_tensor(part) for name, part in state.items()})


def test_a_failed_run_is_kept_with_its_cause(tmp_path: Path) -> None:
    run = Run(3, failure={"epoch": 2, "cause": "weights not finite"})
    store.save_run(run, tmp_path / "kept", {})
    (record,) = export_runs({"k": tmp_path / "kept"}, tmp_path / "runs")
    assert record["status"] == "failed"
    assert json.loads((tmp_path / "runs/seed-3/run.json").read_text())["failure"]["epoch"] == 2
    assert history_table([record]).empty


def test_different_hardware_is_listed() -> None:
    here, there = {"device": "cpu", "cores": 2}, {"device": "cpu", "cores": 8}
    assert common([here, here]) == here
    assert common([here, there]) == {"device": "cpu", "cores": "2 / 8"}


def test_a_gpus_memory_decides_how_many_runs_are_trained_at_once(
    study: Study, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = study.variants["cewl"]
    per_run, shared = memory_per_run(variant, len(images), 784, "cuda"), images.numel()
    total = (4.5 * per_run + shared) / trainer.MEMORY_SHARE
    trained: list[int] = []

    def train_specs(specs, *rest) -> list:
        trained.append(len(specs))
        return [Run(spec.seed) for spec in specs]

    monkeypatch.setattr(trainer.loop, "train", train_specs)
    monkeypatch.setattr(trainer, "describe_hardware", lambda device, path: {})
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (total, 2 * total))
    for gpu_share in (1.0, 0.25):  # half of the free memory is a quarter of all
        trained.clear()
        compute = study.compute.model_copy(update={"gpu_share": gpu_share})
        task = trainer.Task({"mnist": TrainingImages(images, "data")}, (0.5,), "cuda", compute, None, "declared")
        share = [Missing(str(seed), RunSpec(variant, seed)) for seed in range(10)]
        trainer.train_population(task, share, lambda done: None)
        assert max(trained) == (4 if gpu_share == 1.0 else 2)
        assert sum(trained) == 10


def test_a_gpu_is_filled_by_the_whole_study(study: Study) -> None:
    """Runs are side by side if they share shapes, terms and schedule and are as far; neighbours are alike."""
    compute = study.compute.model_copy(update={"population": "auto"})
    sgd = study.variants["minimax_sgd"]
    optimizer = sgd.generator_optimizer.model_copy(update={"momentum": 0.9})
    variants = [*study.variants.values(), sgd.model_copy(update={"generator_optimizer": optimizer})]
    specs = [RunSpec(variant, seed) for variant in variants for seed in variant.seeds]
    missing = [Missing(str(place), spec) for place, spec in enumerate(specs)]
    begun = {run.key: 1 if run.spec == specs[0] else 0 for run in missing}
    on_gpu = SimpleNamespace(device="cuda", workers=1)
    shares = populations(missing, begun, on_gpu, compute)
    assert sorted(int(run.key) for share in shares for run in share) == list(range(len(specs)))
    for share in shares:
        assert len({common_settings(run.spec.variant) for run in share}) == 1
        assert len({begun[run.key] for run in share}) == 1
        objectives = [run.spec.variant.objective for run in share]
        assert len(list(groupby(objectives))) <= 2 * len(set(objectives))
    assert max(len({run.spec.variant.objective for run in share}) for share in shares) > 3
    assert len(shares) < len(study.variants)
    two = populations(missing, begun, SimpleNamespace(device="cuda", workers=2), compute)
    assert len(two) > len(shares)
    alone = populations(missing, begun, SimpleNamespace(device="cpu", workers=2), compute)
    assert [len(share) for share in alone] == [1] * len(specs)
    work = [share[0].spec.variant.epochs * (1 + len(share[0].spec.variant.terms)) for share in alone]
    assert work == sorted(work, reverse=True)
