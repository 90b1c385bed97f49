"""The digit classifier: a small convolutional network whose penultimate layer sees images as 64 features."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save
from torch import Tensor, nn

from gan.compute.executors import Executor, ProgressCallback
from gan.compute.progress import progress
from gan.errors import StudyError
from gan.files import read_json, remove_others, sha256, write, write_json
from gan.study.schema import Classify

FEATURES = 64
DIGITS = 10
LAYOUT = torch.channels_last  # on a CPU, convolutions are fastest in this layout, small batches several times


class ClassifierError(StudyError):
    """A classifier's weights are not those that its record describes."""


class Pool(nn.MaxPool2d):
    """The largest of 2 × 2 pixels. Outside of training as two maxima: the same values in a third of the time.

    Their gradient would be another one: of equal pixels, and a digit's background is nothing else, a maximum gives each
    a share and MaxPool2d gives one all of it.
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            return super().forward(images)
        columns = torch.maximum(images[..., ::2], images[..., 1::2])
        return torch.maximum(columns[..., ::2, :], columns[..., 1::2, :])


class Classifier(nn.Module):
    """Images `[image, 1, 28, 28]` in [-1, 1] to features `[image, 64]` and digit logits `[image, 10]`."""

    def __init__(self) -> None:
        super().__init__()
        # Pooling before ReLU gives the same values as after it, and rectifies a quarter as many.
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), Pool(), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, padding=1), Pool(), nn.ReLU()),
            nn.Flatten(),
        )
        self.penultimate = nn.Linear(32 * 7 * 7, FEATURES)
        self.digits = nn.Linear(FEATURES, DIGITS)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = F.relu(self.penultimate(self.convolutions(images)))
        return features, self.digits(features)


def train_classifiers(images: Tensor, labels: Tensor, settings: Classify, executor: Executor) -> dict[int, Classifier]:
    """One classifier for each of `settings.seeds`, in their order, on images `[image, 28, 28]` in [-1, 1]."""
    with progress("classify", len(settings.seeds) * settings.epochs, "epochs") as on_progress:
        trained = dict(executor.run(_train_seed, settings.seeds, (images, labels, settings), on_progress))
    return {seed: trained[seed] for seed in settings.seeds}


def _train_seed(
    shared: tuple[Tensor, Tensor, Classify], seed: int, on_progress: ProgressCallback
) -> tuple[int, Classifier]:
    images, labels, settings = shared
    return seed, train_classifier(images, labels, settings, seed, on_progress)


def train_classifier(
    images: Tensor,
    labels: Tensor,
    settings: Classify,
    seed: int,
    on_progress: ProgressCallback = lambda epochs: None,
) -> Classifier:
    """Train on images `[image, 28, 28]` in [-1, 1] with random shifts; deterministic on one kind of processor."""
    torch.set_num_threads(1)  # with more, the order of additions and so the weights would depend on the cores
    torch.manual_seed(seed)
    model = Classifier()
    model.to(memory_format=LAYOUT)
    batches = -(-len(images) // settings.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, settings.epochs * batches)
    labels = labels.long()
    for _ in range(settings.epochs):
        for chosen in torch.randperm(len(images)).split(settings.batch_size):
            _, logits = model(_shifted(images[chosen], settings.shift).unsqueeze(1))
            optimizer.zero_grad()
            F.cross_entropy(logits, labels[chosen]).backward()
            optimizer.step()
            schedule.step()
        on_progress(1)
    return model.eval()


def _shifted(images: Tensor, most: int) -> Tensor:
    """The whole batch, shifted by one random number of pixels down and right; new pixels are black (-1)."""
    down, right = torch.randint(0, 2 * most + 1, (2,)).tolist()
    height, width = images.shape[-2:]
    return F.pad(images, [most] * 4, value=-1.0)[:, down : down + height, right : right + width]


@torch.inference_mode()
def classify(model: Classifier, images: Tensor, batch: int = 128) -> tuple[Tensor, Tensor]:
    """Features `[image, 64]` and predicted digits `[image]` of images `[image, 28, 28]` in [-1, 1].

    They are worked through in batches that fit into a core's cache.
    """
    results = [model(part.unsqueeze(1)) for part in images.split(batch)]
    return torch.cat([features for features, _ in results]), torch.cat([logits.argmax(1) for _, logits in results])


def accuracy(model: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of images `[image, 28, 28]` in [-1, 1] whose predicted digit is right."""
    _, predictions = classify(model, images)
    return (predictions == labels).double().mean().item()


def save_classifiers(models: Mapping[int, Classifier], folder: Path, record: dict[str, Any]) -> None:
    """Write a classifier-<seed>.safetensors for each seed, and the record with their SHA-256 to classifiers.json.

    Classifiers of other seeds are removed.
    """
    checksums = {}
    for seed, model in models.items():
        path = folder / f"classifier-{seed}.safetensors"
        write(path, save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))
        checksums[path.name] = sha256(path)
    write_json(folder / "classifiers.json", {**record, "sha256": checksums})
    remove_others(folder, "classifier-*.safetensors", {folder / name for name in checksums})


def are_saved(folder: Path, made_from: dict[str, Any]) -> bool:
    """Whether `folder` has whole classifiers whose record says that they were made from this."""
    try:
        record = read_json(folder / "classifiers.json")
        return {key: record[key] for key in made_from} == made_from and bool(load_classifiers(folder))
    except (FileNotFoundError, StudyError, LookupError, TypeError):
        return False


def load_classifiers(folder: Path) -> list[Classifier]:
    """The frozen classifiers, first the one that counts; ClassifierError if weights are not the recorded ones."""
    models = []
    for name, checksum in read_json(folder / "classifiers.json", "sha256").items():
        path = folder / name
        if not path.exists() or sha256(path) != checksum:
            raise ClassifierError(f"{path} is damaged: `git checkout {folder}` or run the classify stage again")
        model = Classifier().to(memory_format=LAYOUT)
        model.load_state_dict(load_file(path))
        models.append(model.eval().requires_grad_(requires_grad=False))
    return models
