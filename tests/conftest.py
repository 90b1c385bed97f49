"""What tests share: a small valid study, small pipelines, and small data sets."""

import gzip
import hashlib
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from ruamel.yaml import YAML
from torch import nn
from torchvision.datasets import MNIST

from gan.commands.dvc import DVC
from gan.commands.presets import apply, prepare
from gan.data.datasets import UNPACKED
from gan.environment import own
from gan.networks.architecture import Network
from gan.networks.convolutions import ConvolutionalDiscriminator, ConvolutionalGenerator
from gan.networks.perceptrons import Perceptron
from gan.study.loading import load_study, read_yaml
from gan.study.recipe import Variant
from gan.study.schema import Study
from gan.training.loop import Run
from gan.training.population import Population, RunSpec

TESTS = Path(__file__).parent
ROOT = TESTS.parent
SMALL = {
    "baseline": {
        "seeds": [0, 1, 2],
        "epochs": 2,
        "snapshots": [1],
        "batch_size": 16,
        "latent_dim": 8,
        "generator_hidden": [16, 24],
        "discriminator_hidden": [24, 16],
    },
    "variants": {
        "vae": {"encoder_hidden": [12, 10]},
        "vae_gan": {"encoder_hidden": [12, 10]},
    },
    "evaluate": {"images": 200, "scores": {2: [1, 2]}, "grid_columns": 4, "grid_seeds": 2},
    "toys": {"ring": {"seeds": [0, 1], "hidden": [8], "steps": [3, 6], "samples": 50}},
    "specifications": {"epochs": [2]},
    "ladder": {"seeds": [0, 1], "epochs": 1},
    "search": {"points": 4, "epochs": 1, "chosen": 1, "chosen_seeds": [0, 1], "final_seeds": [2, 3], "final_epochs": 1},
    "mechanism": {"epochs": [1], "seeds": [0], "steps": 2},
    "memory": {"seeds": [0], "epochs": 1, "beta2": [0.9], "eps": [1e-8], "windows": 3, "compared": [1, 4]},
    "compute": {"device": "cpu", "workers": 2},
}

settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile("same every time")


@pytest.fixture(autouse=True)
def _as_a_process_starts() -> None:
    """With one thread, as workers have; training sets flags for its whole process, which must not outlive the test."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)
    # A job in the background of a script ignores Ctrl-C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def raw_params() -> dict[str, Any]:
    """A study that belongs to the tests, whatever the project's params.yaml says: every form of training, small."""
    return apply(SMALL, read_yaml(TESTS / "params.yaml"), TESTS / "params.yaml")


@pytest.fixture
def write_params(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def write(params: dict[str, Any]) -> Path:
        path = tmp_path / "params.yaml"
        with path.open("w") as file:
            YAML(pure=True).dump(params, file)
        return path

    return write


@pytest.fixture
def study(raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path]) -> Study:
    return load_study(write_params(raw_params))


@pytest.fixture
def variant(study: Study) -> Variant:
    return study.variants["non_saturating"]


@pytest.fixture
def images() -> torch.Tensor:
    """200 images of noise, uint8 `[image, 28, 28]`: a last batch of 8 is part of every epoch."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (200, 28, 28), dtype=torch.uint8, generator=generator)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(first: Run, second: Run) -> bool:
    """Bitwise equal weights and history."""
    if first.history != second.history or first.generators.keys() != second.generators.keys():
        return False
    return all(
        np.array_equal(first.generators[epoch][name], second.generators[epoch][name])
        for epoch in first.generators
        for name in first.generators[epoch]
    )


def populate(variant: Variant, seeds: Sequence[int], images: torch.Tensor, dtype=torch.float32) -> Population:
    """A population of one variant's seeds on bytes `[image, height, width]`."""
    return Population([RunSpec(variant, seed) for seed in seeds], images.flatten(1), dtype)


def as_module(network: Network, run: int) -> nn.Sequential:
    """One run's network in torch's own layers, loaded from the state that is saved for users."""
    architecture = network.architecture
    shapes = [layer.weight for layer in architecture.layers]
    layers: list[nn.Module]
    if isinstance(architecture, ConvolutionalGenerator):
        (small, latents), (first, second, *_), _ = shapes
        side = architecture.side
        layers = [nn.Linear(latents, small), nn.ReLU(), nn.Unflatten(1, (first, side, side))]
        layers += [nn.ConvTranspose2d(first, second, 4, 2, 1), nn.ReLU()]
        layers += [nn.ConvTranspose2d(second, 1, 4, 2, 1), nn.Tanh(), nn.Flatten()]
    elif isinstance(architecture, ConvolutionalDiscriminator):
        (first, *_), (second, *_), (outputs, flat) = shapes
        activation = nn.LeakyReLU(architecture.negative_slope)
        layers = [nn.Unflatten(1, (1, architecture.side, architecture.side)), nn.Conv2d(1, first, 4, 2, 1), activation]
        layers += [nn.Conv2d(first, second, 4, 2, 1), activation, nn.Flatten(), nn.Linear(flat, outputs)]
    else:
        assert isinstance(architecture, Perceptron)
        layers = []
        for outputs, inputs in shapes:
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(architecture.negative_slope)]
        layers[-1] = nn.Tanh() if architecture.bounded else nn.Identity()
    module = nn.Sequential(*layers).to(network.parameters.dtype)
    module.load_state_dict({name.removeprefix("model."): part for name, part in network.state(run).items()})
    return module


# The least of a preset's designed experiments, which take most of a small pipeline's time.
DESIGNED = """
rungs: [printed, beta1 0.5]
ladder: {seeds: [0, 1], epochs: 1}
search:
  {objectives: [minimax, non_saturating], points: 2, epochs: 1, chosen: 1, chosen_seeds: [0], final_seeds: [1, 2],
  final_epochs: 1}
memory: {seeds: [0], epochs: 1, beta2: [0.9], eps: [1.0e-8], windows: 3, compared: [1, 4]}
"""
SMALLEST = (
    DESIGNED
    + """
only: [minimax, non_saturating]
classify: {seeds: [0], epochs: 2}
baseline:
  {data: digits, seeds: [0, 1], epochs: 120, snapshots: [40], latent_dim: 8, generator_hidden: [32],
  discriminator_hidden: [32]}
simulate: {studies: 20}
mechanism: {epochs: [120], seeds: [1], steps: 2}
evaluate: {images: 200, scores: {120: [40, 120]}, grid_seeds: 2, grid_columns: 4}
toys: {dirac: {objectives: [minimax], turns: 1}, ring: {seeds: [0], hidden: [8], steps: [3], samples: 50}}
compute: {device: cpu, workers: 2, checkpoint_seconds: 0.2}
tracking: {experiment: smallest, timeout_seconds: 0.1}  # MLflow has tests of its own
"""
)


@dataclass(frozen=True)
class Pipeline:
    """A small real study in its own folder, which `dvc` reproduces."""

    folder: Path

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command there, in its own process group; stdout has what it prints."""
        settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        settings |= {"env": own(os.environ), "start_new_session": True}
        return subprocess.Popen(command, cwd=self.folder, **(settings | options))

    def reproduce(self, *targets: str) -> str:
        """What `dvc repro` printed; it has to succeed."""
        process = self.start(*DVC, "repro", *targets)
        printed, _ = process.communicate()
        assert process.returncode == 0, printed
        return printed

    def copy(self, folder: Path) -> "Pipeline":
        """Another such study at the same stage; without MLflow's store, which belongs to its folder."""
        return Pipeline(
            shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts"))
        )

    def results(self) -> dict[str, bytes]:
        """Everything that an interruption must not change: weights, histories, scores, samples and comparison."""
        places = ("models", "runs", "reports/history", "reports/metrics", "reports/snapshots", "reports/samples")
        files = {f"{place}/{name}": file for place in places for name, file in contents(self.folder / place).items()}
        comparison = self.folder / "reports/comparison.json"
        return files | ({"comparison": comparison.read_bytes()} if comparison.exists() else {})

    def pages(self) -> dict[str, bytes]:
        """All that people read, and all that it was made from."""
        pages = {name: (self.folder / "reports" / name).read_bytes() for name in ("report.html", "report.md")}
        return self.results() | contents(self.folder / "reports/figures") | pages


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Pipeline:
    """The small study `name`; the first process of this test session that asks makes it in the folder that all get."""
    root = factory.getbasetemp()
    if root.name.startswith("popen-"):  # pytest-xdist's folder of one process, below that of the session
        root = root.parent
    folder, made = root / name / "project", root / f"{name}.made"
    with FileLock(root / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            made.touch()
    return Pipeline(folder)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The smallest study, before anything is trained but the classifier."""

    def make(folder: Path) -> None:
        preset = folder.with_name("smallest.yaml")
        preset.parent.mkdir(exist_ok=True)
        preset.write_text(SMALLEST)
        with chdir(ROOT):
            prepare(preset, folder, TESTS / "params.yaml")
        Pipeline(folder).reproduce("classify")

    return made_once(tmp_path_factory, "begun", make)


@pytest.fixture(scope="session")
def finished(begun: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The smallest study, never disturbed, trained and compared."""
    return made_once(tmp_path_factory, "finished", lambda folder: begun.copy(folder).reproduce("compare"))


@pytest.fixture(scope="session")
def reported(finished: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The finished study with all that comes after the comparison, its report too."""
    return made_once(tmp_path_factory, "reported", lambda folder: finished.copy(folder).reproduce())


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def tiny_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four files shaped like MNIST's, whose checksums are known instead of MNIST's."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    random = np.random.default_rng(0)
    resources, unpacked = [], {}
    for prefix, count in (("train", 60_000), ("t10k", 10_000)):
        labels = random.integers(0, 10, count, np.uint8)
        images = np.broadcast_to(labels[:, None, None], (count, 28, 28))  # each shows its label in every pixel
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            content = gzip.compress(idx(values), compresslevel=1, mtime=0)
            name = f"{prefix}-{kind}-ubyte.gz"
            (folder / name).write_bytes(content)
            resources.append((name, hashlib.md5(content).hexdigest()))
            unpacked[name.removesuffix(".gz")] = hashlib.sha256(idx(values)).hexdigest()
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr("gan.data.download.UNPACKED", {**UNPACKED, "mnist": unpacked})
    return folder


def mirrors(*places: str, name: str = "mnist", timeout_seconds: float = 5.0) -> tuple[str, tuple[str, ...], float]:
    """The arguments of `download` before the folder."""
    return name, places, timeout_seconds
