"""What holds of every check on the fake runtime: CUDA's rules are kept, and what PyTorch's stubs lack is left out."""

from collections.abc import Iterator

import pytest
import torch
from gpu.fake import runtime

from gan.compute.hardware import compute_in_float32
from gan.training.population import Population

torch.backends.cudnn.enabled = False  # cuDNN is not part of the runtime; convolutions take torch's own kernels


@pytest.fixture(autouse=True)
def _rules_are_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No fault, and float32 stays float32. Values are junk, so that no run may fail for want of finite ones."""
    finite = Population.finite
    monkeypatch.setattr(Population, "finite", lambda self: torch.ones_like(finite(self), device="cpu"))
    compute_in_float32()
    runtime.forgive()
    yield
    assert runtime.count("faults") == 0
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
