"""Scores on a GPU are the processor's, and products there are exact. Skipped where there is no GPU."""

import pytest
import torch
import torch.nn.functional as F

from gan.compute.executors import InProcessExecutor, ProcessExecutor, ProgressCallback, local_executor
from gan.compute.hardware import compute_in_float32
from gan.evaluation.classifier import Classifier
from gan.evaluation.scoring import Scorer
from gan.images import scale
from gan.study.schema import Study

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_scores_are_the_processors(study: Study, images: torch.Tensor) -> None:
    compute_in_float32()
    torch.manual_seed(0)
    classifiers = [Classifier().eval(), Classifier().eval()]
    generated, found = scale(images.flip(0)[:150]) * 0.7, []
    for device in ("cpu", "cuda"):
        scorer = Scorer.of(classifiers, images, study.evaluate, device)
        found.append(scorer.score(generated) | scorer.other_fids(generated))
    assert found[1] == pytest.approx(found[0], rel=1e-4, abs=1e-6)


def product_error(shared: None, item: int, on_progress: ProgressCallback) -> float:
    """A task: the largest error of a product and of a convolution on the GPU, over the root of the numbers summed."""
    first, second = torch.randn(2, 512, 512, device="cuda")
    exact = first.double() @ second.double()
    error = ((first @ second - exact).abs().max() / 512**0.5).item()
    images, filters = torch.randn(16, 64, 14, 14, device="cuda"), torch.randn(64, 64, 3, 3, device="cuda")
    exact = F.conv2d(images.double(), filters.double())
    return max(error, ((F.conv2d(images, filters) - exact).abs().max() / (64 * 9) ** 0.5).item())


def test_products_are_exact_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """In TF32 the error is about 1e-3."""
    monkeypatch.setenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1")
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    (error,) = ProcessExecutor(1, "cuda").run(product_error, [1], None, print)
    assert error < 1e-5


def test_every_gpu_is_used(study: Study) -> None:
    compute = study.compute.model_copy(update={"device": "auto"})
    executor, gpus = local_executor(compute), torch.cuda.device_count()
    assert (executor.device, executor.workers) == ("cuda", gpus)
    assert isinstance(executor, InProcessExecutor) == (gpus == 1)
