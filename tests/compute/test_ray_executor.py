"""Work on a Ray cluster of several machines, simulated on this one: equal results, and lost tasks are done again."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import contents

from gan.compute.executors import ProgressCallback
from gan.compute.hardware import versions
from gan.compute.ray_executor import RayExecutor, _work
from gan.compute.store import export_runs
from gan.compute.trainer import TrainingImages, train_runs
from gan.errors import StudyError
from gan.study.schema import Study
from gan.training.population import RunSpec

ray = pytest.importorskip("ray")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    """A head that computes nothing and two machines of one core each; RAY_ADDRESS names them."""
    from ray.cluster_utils import Cluster as Simulated

    simulated = Simulated(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        simulated.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = simulated.address
    yield simulated
    ray.shutdown()
    simulated.shutdown()
    del os.environ["RAY_ADDRESS"]


def train(study: Study, images: torch.Tensor, folder: Path, **compute: Any) -> dict[str, bytes]:
    odd = {"batch_size": 37, "latent_dim": 5, "generator_hidden": (6, 3), "discriminator_hidden": (5, 3)}
    variant = study.variants["minimax"].model_copy(update={"seeds": (0, 1, 2, 3, 4), **odd})
    settings = study.compute.model_copy(update=compute)
    specs = [RunSpec(variant, seed) for seed in variant.seeds]
    sets = {"mnist": TrainingImages(images, "data")}
    trained = train_runs("test", specs, sets, (0.05, 0.5), settings, folder / "store", "declared")
    export_runs(trained.kept, folder / "runs")
    return contents(folder / "runs")


def test_weights_are_those_of_this_machine(machines: Any, study: Study, images: torch.Tensor, tmp_path: Path) -> None:
    local = train(study, images, tmp_path / "local", engine="local")
    remote = train(study, images, tmp_path / "ray", engine="ray", workers="auto")
    assert len(local) == 5 * 3
    assert remote == local


def test_a_cluster_on_this_machine_says_who_can_reach_it(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    options: dict[str, Any] = {}
    monkeypatch.setattr(ray, "init", options.update)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2})
    RayExecutor(study.compute)
    assert not options["include_dashboard"]
    assert capsys.readouterr().err.startswith("warning: Ray starts on this machine and listens on all its addresses")


def test_a_cluster_that_is_not_there_is_told(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(StudyError, match=r"^no Ray cluster answers at RAY_ADDRESS, 127\.0\.0\.1:9: .*refused"):
        RayExecutor(study.compute)


def test_a_failing_task_raises_its_error(machines: Any, study: Study) -> None:
    def fail(shared: Any, item: int, on_progress: ProgressCallback) -> None:
        raise StudyError("no such luck")

    with pytest.raises(StudyError, match=r"^no such luck$"):
        list(RayExecutor(study.compute).run(fail, [1], None, lambda done: None))


def test_products_are_exact_whatever_the_environment_says() -> None:
    def exact(shared: Any, item: int, on_progress: ProgressCallback) -> bool:
        return not torch.backends.cuda.matmul.allow_tf32

    torch.set_float32_matmul_precision("high")  # as the variable TORCH_ALLOW_TF32_CUBLAS_OVERRIDE does
    assert _work(exact, None, 1, None, versions(), [])


def test_another_torch_is_refused(machines: Any, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.compute.ray_executor.versions", lambda: {"torch": "1.0"})
    with pytest.raises(StudyError, match=r"^a machine of the Ray cluster has torch .*, this one 1\.0$"):
        list(RayExecutor(study.compute).run(lambda *_: None, [1], None, lambda done: None))


def test_a_killed_worker_and_a_lost_machine_cost_nothing(machines: Any, study: Study, tmp_path: Path) -> None:
    """Of six tasks two are under way when one's worker is killed, and two again when the other's machine is lost."""

    def work(shared: Path, item: int, on_progress: ProgressCallback) -> int:
        marker = shared / f"{item}-{os.getpid()}-{ray.get_runtime_context().get_node_id()}"
        marker.touch()
        time.sleep(2)
        on_progress(1)
        return item * item

    markers = tmp_path / "markers"
    markers.mkdir()

    def started() -> list[list[str]]:
        return [path.name.split("-") for path in sorted(markers.iterdir(), key=lambda path: path.stat().st_mtime)]

    def wait_for(count: int) -> list[list[str]]:
        deadline = time.monotonic() + 120
        while len(started()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return started()

    def disturb() -> None:
        wait_for(2)
        os.kill(int(started()[0][1]), signal.SIGKILL)
        *_, (_, _, node) = wait_for(4)
        (lost,) = (machine for machine in machines.worker_nodes if machine.node_id == node)
        machines.remove_node(lost, allow_graceful=False)

    executor = RayExecutor(study.compute.model_copy(update={"engine": "ray", "workers": 2}))
    with ThreadPoolExecutor() as pool:
        trouble = pool.submit(disturb)
        reported: list[int] = []
        results = sorted(executor.run(work, list(range(6)), markers, reported.append))
        trouble.result()
    assert results == [item * item for item in range(6)]
    assert len(machines.worker_nodes) == 1
    assert len(started()) >= 8, "two tasks were started twice"
    assert sum(reported) >= 6
