"""Image values: bytes in files, floats in [-1, 1] in networks."""

from torch import Tensor


def scale(images: Tensor) -> Tensor:
    """Bytes 0…255 to floats in [-1, 1], as ToTensor and Normalize([0.5], [0.5]) do."""
    return images.float().div_(255).sub_(0.5).div_(0.5)
