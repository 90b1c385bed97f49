"""An interrupted run goes on from its checkpoint to the same bits; a damaged checkpoint is noticed and not used."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from conftest import contents, populate, same

from gan.compute import trainer
from gan.compute.checkpoints import CheckpointFolder, begun, pack, unpack
from gan.compute.executors import ProcessExecutor
from gan.compute.store import export_runs
from gan.compute.trainer import Trained, TrainingImages, train_runs
from gan.files import read_json
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training.loop import Checkpoint, Run, train
from gan.training.population import RunSpec

SEED = 4
QUANTILES = (0.05, 0.5)
ORIGIN = {"hardware": {"name": "this"}, "versions": {"torch": "1"}, "preregistration": "declared"}
# Each kind of state: of Adam, momentum, none, bounded weights, an encoder, terms that draw at random.
VARIANTS = ("cewl", "momentum", "minimax_sgd", "wgan", "vae_gan", "wgan_gp")


def interrupt(at: int) -> Callable[[int], None]:
    """Stops training after so many runs' epochs."""
    done = 0

    def on_epoch(runs: int) -> None:
        nonlocal done
        done += runs
        if done >= at:
            raise KeyboardInterrupt

    return on_epoch


def variant_of(study: Study, name: str) -> Variant:
    if name == "momentum":
        sgd = study.variants["minimax_sgd"].generator_optimizer.model_copy(update={"momentum": 0.9})
        return study.variants["minimax_sgd"].model_copy(update={"epochs": 4, "generator_optimizer": sgd})
    return study.variants[name].model_copy(update={"epochs": 4, "snapshots": (1, 3)})


def train_all(variant: Variant, images: torch.Tensor, saver=None, on_epoch=lambda runs: None) -> list[Run]:
    return train([RunSpec(variant, SEED)], images, QUANTILES, "cpu", on_epoch, saver)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_interrupted_run_ends_with_the_same_bits(
    study: Study, images: torch.Tensor, tmp_path: Path, name: str
) -> None:
    variant = variant_of(study, name)
    whole = train_all(variant, images)
    with pytest.raises(KeyboardInterrupt):  # in the third epoch's report, when two epochs have been kept
        train_all(variant, images, CheckpointFolder(tmp_path, ["key"], 0, ORIGIN), interrupt(3))
    epochs: list[int] = []
    resumed = train_all(variant, images, CheckpointFolder(tmp_path, ["key"], 0, ORIGIN), epochs.append)
    assert epochs == [2, 1, 1]
    assert same(*whole, *resumed)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_population_goes_on_from_its_state(study: Study, images: torch.Tensor, name: str) -> None:
    """Several runs side by side, as on a GPU, where a run may find other neighbours when it goes on."""
    whole, same_ones, others = (
        populate(variant_of(study, name), seeds, images) for seeds in ([4, 1], [4, 1], [2, 1, 3])
    )
    whole.epoch()
    states = [whole.state(run) for run in range(2)]
    whole.epoch()
    for run, state in enumerate(states):
        same_ones.restore(run, state)
    others.epoch()  # all runs of a population are as old
    others.restore(1, states[1])
    for population in (same_ones, others):
        population.epoch()
    for name, player in whole.players.items():
        assert torch.equal(player.parameters, same_ones.players[name].parameters)
        torch.testing.assert_close(player.parameters[1], others.players[name].parameters[1])


def test_a_failed_run_stays_failed(variant: Variant, images: torch.Tensor) -> None:
    broken = variant.model_copy(
        update={"generator_optimizer": variant.generator_optimizer.model_copy(update={"lr": 1e30})}
    )
    kept: list[bytes] = []

    class Saver:
        def load(self) -> Checkpoint | None:
            return unpack(kept[-1])[0] if kept else None

        def save(self, take: Callable[[], Checkpoint]) -> None:
            checkpoint = take()
            kept.append(pack(checkpoint.epoch, checkpoint.runs[0], checkpoint.states[0], [ORIGIN]))

    saver = Saver()
    first = train_all(broken, images, saver)
    assert {run.status for run in first} == {"failed"}
    assert all(same(*runs) for runs in zip(first, train_all(broken, images, saver), strict=True))


def test_a_checkpoint_is_renewed_when_it_is_time(tmp_path: Path) -> None:
    def take() -> Checkpoint:
        return Checkpoint(1, [Run(0), Run(1)], [{"x": torch.ones(1)}] * 2)

    CheckpointFolder(tmp_path, ["a", "b"], 1000, ORIGIN).save(take)
    assert list(tmp_path.glob("*.checkpoint")) == []
    CheckpointFolder(tmp_path, ["a", "b"], 0, ORIGIN).save(take)
    assert sorted(path.name for path in tmp_path.glob("*.checkpoint")) == ["a.checkpoint", "b.checkpoint"]


def test_each_run_goes_on_by_itself(tmp_path: Path) -> None:
    """Checkpoints of a population are those of its runs: another population may take them up."""

    def take() -> Checkpoint:
        return Checkpoint(3, [Run(seed) for seed in range(3)], [{"x": torch.full((2,), seed)} for seed in range(3)])

    CheckpointFolder(tmp_path, ["a", "b", "c"], 0, ORIGIN).save(take)
    assert begun(tmp_path, ["c", "d", "a"]) == {"c": 3, "d": 0, "a": 3}
    checkpoint = CheckpointFolder(tmp_path, ["c", "a"], 0, ORIGIN).load()
    assert checkpoint is not None
    assert (checkpoint.epoch, [run.seed for run in checkpoint.runs]) == (3, [2, 0])
    assert [state["x"].tolist() for state in checkpoint.states] == [[2, 2], [0, 0]]
    assert CheckpointFolder(tmp_path, ["c", "d"], 0, ORIGIN).load() is None


@pytest.mark.parametrize("damage", ["flip", "cut", "pickle"])
def test_damage_is_noticed_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    CheckpointFolder(tmp_path, ["a"], 0, ORIGIN).save(lambda: Checkpoint(1, [Run(0)], [{"x": torch.ones(100)}]))
    (path,) = tmp_path.glob("*.checkpoint")
    assert begun(tmp_path, ["a"]) == {"a": 1}
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "cut": content[:-1],
            "pickle": b"cos\nsystem\n(S'touch executed'\ntR.",
        }[damage]
    )
    assert begun(tmp_path, ["a"]) == {"a": 0}
    assert capsys.readouterr().err == f"warning: {path} is damaged: its run starts anew\n"
    assert not path.exists()


def test_a_resumed_run_keeps_its_origin(tmp_path: Path) -> None:
    CheckpointFolder(tmp_path, ["a"], 0, ORIGIN).save(lambda: Checkpoint(1, [Run(0)], [{"x": torch.ones(1)}]))
    resumed = CheckpointFolder(
        tmp_path, ["a"], 0, {"hardware": {"name": "that"}, "versions": {"torch": "1"}, "preregistration": "later"}
    )
    for _ in range(2):  # twice on that machine
        resumed.load()
        resumed.save(lambda: Checkpoint(2, [Run(0)], [{"x": torch.ones(1)}]))
    assert resumed.origins == [
        {"hardware": {"name": "this / that"}, "versions": {"torch": "1"}, "preregistration": "declared"}
    ]


def run_study(
    study: Study,
    images: torch.Tensor,
    store: Path,
    seeds: Sequence[int] = (0, 1, 2, 3),
    declared: str = "declared",
) -> Trained:
    compute = study.compute.model_copy(update={"checkpoint_seconds": 0})
    variant = study.variants["cewl"].model_copy(update={"epochs": 4, "seeds": tuple(seeds)})
    sets = {"mnist": TrainingImages(images, "data")}
    specs = [RunSpec(variant, seed) for seed in seeds]
    return train_runs("test", specs, sets, QUANTILES, compute, store, declared)


class Dying(ProcessExecutor):
    """Trains the first two runs, and of the third as much as an interruption leaves."""

    def run(self, task, items, shared, on_progress):
        for place, item in enumerate(items):
            yield task(shared, item, interrupt(3) if place > 1 else on_progress)


@pytest.fixture
def begun_store(study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with seeds 0 and 1 trained, and 2 for two epochs of four."""
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "local_executor", lambda compute: Dying(2))
        with pytest.raises(KeyboardInterrupt):
            run_study(study, images, tmp_path / "store")
    assert len(list(tmp_path.glob("store/*/checkpoints/*/*.checkpoint"))) == 1
    assert len(list(tmp_path.glob("store/*/*/run.json"))) == 2
    return tmp_path / "store"


def test_an_interrupted_variant_continues_its_runs(
    study: Study, images: torch.Tensor, begun_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_runs(run_study(study, images, tmp_path / "whole").kept, tmp_path / "expected")
    shares: list[list[int]] = []
    reported: list[int] = []
    real = ProcessExecutor.run

    def counting(self, task, items, shared, on_progress):
        shares.extend([run.spec.seed for run in item] for item in items)
        return real(self, task, items, shared, lambda done: (reported.append(done), on_progress(done)))

    monkeypatch.setattr(ProcessExecutor, "run", counting)
    export_runs(run_study(study, images, begun_store).kept, tmp_path / "resumed")
    assert shares == [[2], [3]]
    assert sorted(reported) == [1, 1, 1, 1, 1, 1, 2]  # two epochs of seed 2 were there already
    assert contents(tmp_path / "resumed") == contents(tmp_path / "expected")
    assert not list(begun_store.glob("*/checkpoints/*/*"))


def test_seeds_and_rules_may_change_after_an_interruption(
    study: Study, images: torch.Tensor, begun_store: Path, tmp_path: Path
) -> None:
    """A run that was begun is finished as it was begun, even if it is asked for again only later."""
    exported = export_runs(run_study(study, images, begun_store, (1, 4), "later").kept, tmp_path / "resumed")
    declared = {record["seed"]: record["preregistration"] for record in exported}
    assert declared == {1: "declared", 4: "later"}
    export_runs(run_study(study, images, begun_store, (1, 2), "later").kept, tmp_path / "again")
    assert {read_json(path)["preregistration"] for path in begun_store.glob("*/*/run.json")} == {"declared", "later"}
    export_runs(run_study(study, images, tmp_path / "whole", (1, 4)).kept, tmp_path / "expected")
    assert contents(tmp_path / "resumed") == contents(tmp_path / "expected")


def test_runs_are_kept_under_the_code_that_began_them(
    study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys name the code at the start, because it has trained the runs."""
    real, codes = ProcessExecutor.run, ["before"]

    def changing(self, task, items, shared, on_progress):
        for result in real(self, task, items, shared, on_progress):
            codes[0] = "after"
            yield result

    monkeypatch.setattr(trainer, "code_checksum", lambda: codes[0])
    monkeypatch.setattr(ProcessExecutor, "run", changing)
    trained = run_study(study, images, tmp_path / "store")
    assert codes == ["after"]
    assert all((folder / "run.json").exists() for folder in trained.kept.values())
    assert len(list(tmp_path.glob("store/*/*/run.json"))) == 4


def test_a_worker_that_is_ended_in_a_write_leaves_nothing(
    study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another worker finds the disk full."""

    class Ending(ProcessExecutor):
        def run(self, task, items, shared, on_progress):
            shared.checkpoints.mkdir(parents=True)
            (shared.checkpoints / ".x.checkpoint.part").write_bytes(b"half")
            yield from ()
            raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(trainer, "local_executor", lambda compute: Ending(2))
    with pytest.raises(OSError, match="No space left"):
        run_study(study, images, tmp_path / "store")
    assert not list(tmp_path.rglob(".*.part"))
