"""An interrupted run goes on from its checkpoint to the same bits; a damaged checkpoint is noticed and not used."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from conftest import contents, same

from gan.compute import trainer
from gan.compute.checkpoints import CheckpointFile, pack, unfinished, unpack
from gan.compute.executors import ProcessExecutor
from gan.compute.store import export_runs
from gan.compute.trainer import Trained, train_variant
from gan.files import read_json
from gan.images import scale
from gan.study.schema import Study, Variant
from gan.training.loop import Checkpoint, Run, train
from gan.training.population import Population

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
    return train(variant, [SEED], images, QUANTILES, "cpu", on_epoch, saver)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_interrupted_run_ends_with_the_same_bits(
    study: Study, images: torch.Tensor, tmp_path: Path, name: str
) -> None:
    variant = variant_of(study, name)
    whole = train_all(variant, images)
    with pytest.raises(KeyboardInterrupt):  # in the third epoch's report, when two epochs have been kept
        train_all(variant, images, CheckpointFile(tmp_path, [SEED], 0, ORIGIN), interrupt(3))
    epochs: list[int] = []
    resumed = train_all(variant, images, CheckpointFile(tmp_path, [SEED], 0, ORIGIN), epochs.append)
    assert epochs == [2, 1, 1]
    assert same(*whole, *resumed)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_population_goes_on_from_its_state(study: Study, images: torch.Tensor, name: str) -> None:
    """Several runs side by side, as on a GPU."""
    scaled = scale(images.flatten(1))
    whole, resumed = (Population(variant_of(study, name), [4, 1], scaled) for _ in range(2))
    whole.epoch()
    state = whole.state()
    whole.epoch()
    resumed.restore(state)
    resumed.epoch()
    for first, second in zip(whole.players.values(), resumed.players.values(), strict=True):
        assert torch.equal(first.parameters, second.parameters)


def test_a_failed_run_stays_failed(variant: Variant, images: torch.Tensor) -> None:
    broken = variant.model_copy(
        update={"generator_optimizer": variant.generator_optimizer.model_copy(update={"lr": 1e30})}
    )
    kept: list[bytes] = []

    class Saver:
        def load(self) -> Checkpoint | None:
            return unpack(kept[-1])[0] if kept else None

        def save(self, take: Callable[[], Checkpoint]) -> None:
            kept.append(pack(take(), [ORIGIN]))

    saver = Saver()
    first = train_all(broken, images, saver)
    assert {run.status for run in first} == {"failed"}
    assert all(same(*runs) for runs in zip(first, train_all(broken, images, saver), strict=True))


def test_a_checkpoint_is_renewed_when_it_is_time(tmp_path: Path) -> None:
    def take() -> Checkpoint:
        return Checkpoint(1, [Run(0)], {"x": torch.ones(1)})

    CheckpointFile(tmp_path, [0], 1000, ORIGIN).save(take)
    assert list(tmp_path.iterdir()) == []
    CheckpointFile(tmp_path, [0], 0, ORIGIN).save(take)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "pickle"])
def test_damage_is_noticed_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    CheckpointFile(tmp_path, [0], 0, ORIGIN).save(lambda: Checkpoint(1, [Run(0)], {"x": torch.ones(100)}))
    (path,) = tmp_path.iterdir()
    assert unfinished(tmp_path, [0]) == [[0]]
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "cut": content[:-1],
            "pickle": b"cos\nsystem\n(S'touch executed'\ntR.",
        }[damage]
    )
    assert unfinished(tmp_path, [0]) == []
    assert capsys.readouterr().err == f"warning: {path} is damaged: its runs start anew\n"
    assert not path.exists()


def test_a_resumed_run_keeps_its_origin(tmp_path: Path) -> None:
    CheckpointFile(tmp_path, [0], 0, ORIGIN).save(lambda: Checkpoint(1, [Run(0)], {"x": torch.ones(1)}))
    resumed = CheckpointFile(
        tmp_path, [0], 0, {"hardware": {"name": "that"}, "versions": {"torch": "1"}, "preregistration": "later"}
    )
    for _ in range(2):  # twice on that machine
        resumed.load()
        resumed.save(lambda: Checkpoint(2, [Run(0)], {"x": torch.ones(1)}))
    assert resumed.origin == {
        "hardware": {"name": "this / that"},
        "versions": {"torch": "1"},
        "preregistration": "declared",
    }


def run_study(
    study: Study,
    images: torch.Tensor,
    store: Path,
    seeds: Sequence[int] = (0, 1, 2, 3),
    declared: str = "declared",
) -> Trained:
    compute = study.compute.model_copy(update={"checkpoint_seconds": 0})
    variant = study.variants["cewl"].model_copy(update={"epochs": 4, "seeds": tuple(seeds)})
    return train_variant("test", variant, images, "data", QUANTILES, compute, store, declared)


class Dying(ProcessExecutor):
    """Trains the first two runs, and of the third as much as an interruption leaves."""

    def run(self, task, items, shared, on_progress):
        for place, item in enumerate(items):
            yield task(shared, item, interrupt(3) if place > 1 else on_progress)


@pytest.fixture
def begun(study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with seeds 0 and 1 trained, and 2 for two epochs of four."""
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "local_executor", lambda compute: Dying(2))
        with pytest.raises(KeyboardInterrupt):
            run_study(study, images, tmp_path / "store")
    assert len(list(tmp_path.glob("store/*/checkpoints/*/*.checkpoint"))) == 3
    assert len(list(tmp_path.glob("store/*/*/run.json"))) == 2
    return tmp_path / "store"


def test_an_interrupted_variant_continues_its_runs(
    study: Study, images: torch.Tensor, begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_runs(run_study(study, images, tmp_path / "whole").kept, tmp_path / "expected")
    shares: list[list[int]] = []
    reported: list[int] = []
    real = ProcessExecutor.run

    def counting(self, task, items, shared, on_progress):
        shares.extend(items)
        return real(self, task, items, shared, lambda done: (reported.append(done), on_progress(done)))

    monkeypatch.setattr(ProcessExecutor, "run", counting)
    export_runs(run_study(study, images, begun).kept, tmp_path / "resumed")
    assert shares == [[2], [3]]
    assert sorted(reported) == [1, 1, 1, 1, 1, 1, 2]  # two epochs of seed 2 were there already
    assert contents(tmp_path / "resumed") == contents(tmp_path / "expected")
    assert not list(begun.glob("*/checkpoints/*"))


def test_seeds_and_rules_may_change_after_an_interruption(
    study: Study, images: torch.Tensor, begun: Path, tmp_path: Path
) -> None:
    """A run that was begun is finished as it was begun, even if params.yaml asks for other seeds."""
    exported = export_runs(run_study(study, images, begun, (1, 4), "later").kept, tmp_path / "resumed")
    declared = {record["seed"]: record["preregistration"] for record in exported}
    assert declared == {1: "declared", 4: "later"}
    export_runs(run_study(study, images, begun, (1, 2), "later").kept, tmp_path / "again")
    assert {read_json(path)["preregistration"] for path in begun.glob("*/*/run.json")} == {"declared", "later"}
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
