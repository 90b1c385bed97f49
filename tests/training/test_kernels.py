"""The compiled kernels against torch's operations, which they replace."""

import pytest
import torch
from torch import Tensor

from gan.images import scale
from gan.training import kernels

pytestmark = pytest.mark.skipif(not kernels.AVAILABLE, reason="numba is not installed")

SHAPES = [(1, 64, 784), (3, 37, 5), (1, 1, 1)]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, None])
def test_activations_and_their_gradients(shape: tuple[int, int, int], slope: float | None) -> None:
    x, bias, grad = 3 * normal(*shape), normal(shape[0], shape[2], seed=1), normal(*shape, seed=2)
    leaf, leaf_bias = (tensor.double().requires_grad_() for tensor in (x, bias))
    shifted = leaf + leaf_bias[:, None]
    expected = shifted.tanh() if slope is None else torch.nn.functional.leaky_relu(shifted, slope)
    expected.backward(grad.double())
    kernels.activate(x, bias, slope)
    torch.testing.assert_close(x, expected.detach().float(), rtol=2e-6, atol=1e-6)
    bias_gradient = torch.full_like(bias, 7.0)
    alone = grad.clone()
    kernels.pull_back(alone, x, slope, None)
    kernels.pull_back(grad, x, slope, bias_gradient)
    assert torch.equal(alone, grad)
    torch.testing.assert_close(grad, leaf.grad.float(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(bias_gradient, leaf_bias.grad.float(), rtol=1e-4, atol=1e-4)


def test_tanh_is_exact_to_a_rounding_everywhere() -> None:
    x = torch.cat([torch.linspace(-12, 12, 100_001), torch.tensor([0.0, 1e-30, -1e-6, 1e4, torch.inf, -torch.inf])])
    made = x.clone()[None, None]
    kernels.activate(made, torch.zeros(1, len(x)), None)
    expected = x.double().tanh()
    error = (made[0, 0] - expected).abs()
    assert (error <= 2**-24 * expected.abs() + 1e-12).all()
    assert made.abs().max() <= 1


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, None])
def test_what_is_no_number_stays_none(slope: float | None) -> None:
    """A run that breaks must be seen to break."""
    x = torch.tensor([[[1.0, torch.nan]]])
    kernels.activate(x, torch.zeros(1, 2), slope)
    assert x.isnan().tolist() == [[[False, True]]]
    grad, bias_gradient = torch.tensor([[[torch.nan, 1.0]]]), torch.empty(1, 2)
    kernels.pull_back(grad, torch.ones(1, 1, 2), slope, bias_gradient)
    assert bias_gradient.isnan().tolist() == [[True, False]]


def test_images_are_gathered_and_scaled_to_the_last_bit() -> None:
    images = torch.arange(256, dtype=torch.uint8).repeat(3, 2)[:, :300].contiguous()
    chosen = torch.tensor([[2, 0], [1, 1]])
    out = torch.empty(2, 2, 300)
    kernels.gather(images, chosen, out)
    assert torch.equal(out, scale(images)[chosen])
    double = torch.empty(2, 2, 300, dtype=torch.float64)
    kernels.gather(images, chosen, double)
    assert torch.equal(double, scale(images)[chosen].double())


def test_norms_are_those_of_rows() -> None:
    rows = normal(4, 1001)
    rows[2, 5] = torch.nan
    torch.testing.assert_close(kernels.norms(rows), torch.linalg.vector_norm(rows, dim=1), equal_nan=True)


@pytest.mark.parametrize(
    "options", [{"lr": 2e-4, "betas": (0.9, 0.999), "eps": 1e-8}, {"lr": 0.1, "betas": (0.0, 0.5), "eps": 0.0}]
)
def test_adam_is_torchs(options: dict) -> None:
    mine = normal(2, 1001)
    theirs = mine.double().requires_grad_()
    oracle = torch.optim.Adam([theirs], **options)
    mean, square = torch.zeros_like(mine), torch.zeros_like(mine)
    for step in range(1, 8):
        gradient = normal(2, 1001, seed=step) * 10.0 ** (step % 3)
        theirs.grad = gradient.double()
        oracle.step()
        before = mine.clone()
        kernels.adam(mine, gradient, mean, square, step, **options)
        torch.testing.assert_close(mine.double(), theirs.detach(), rtol=1e-5, atol=1e-5 * options["lr"] * step)
        assert not torch.equal(before, mine)
