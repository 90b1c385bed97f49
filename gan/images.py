"""Images: how they lie in files, and their values in networks."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from gan.errors import StudyError
from gan.files import read_json, sha256

SPLITS = ("train", "test")
SIDE = 28  # pixels


class DataError(StudyError):
    """The images can't be had or can't be trusted."""


def scale(images: Tensor) -> Tensor:
    """Bytes 0…255 to floats in [-1, 1], as torchvision's ToTensor and Normalize([0.5], [0.5]) do; any shape."""
    return images.float().div_(255).sub_(0.5).div_(0.5)


def load(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """Images `[image, 28, 28]` and labels `[image]`, uint8; DataError unless their checksum is the recorded one."""
    path = folder / f"{split}.safetensors"
    if sha256(path) != checksum(folder, split):
        raise DataError(f"{path} is damaged: remove {folder} and run the download stage again")
    tensors = load_file(path)
    return tensors["images"], tensors["labels"]


def checksum(folder: Path, split: str) -> str:
    """The SHA-256 that was recorded when the split was downloaded."""
    return read_json(folder / "data.json", "sha256", split)
