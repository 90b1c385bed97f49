"""What a step does between its matrix products, in one pass over memory each: on a CPU compiled by numba.

Torch would take a call and a pass for every operation; between products of this size the calls alone are a fifth of a
step. On a GPU, in float64 and where numba is missing the same is done by torch's own operations. Tensors are
`[run, batch, width]`, biases and their gradients `[run, width]`.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan.images import scale

try:
    from numba import njit
except ImportError:  # machines that train on a GPU need none
    njit = None  # type: ignore[assignment]

AVAILABLE = njit is not None

Array: TypeAlias = np.ndarray

_aten = torch.ops.aten
_float = np.float32

# Multiplications and additions may be joined; the order of sums is the one written, except where `reassoc` is.
EXACT = {"contract", "nsz"}
ANY_ORDER = {"contract", "nsz", "reassoc"}


def compiled(tensor: Tensor) -> bool:
    """Whether compiled kernels work on such tensors."""
    return AVAILABLE and tensor.device.type == "cpu" and tensor.dtype == torch.float32


def gather(images: Tensor, chosen: Tensor, out: Tensor) -> None:
    """Put the images that each run has chosen, `[run, batch]`, into `out` `[run, batch, pixel]`, scaled to [-1, 1].

    `images` are bytes `[image, pixel]`: a quarter of the memory, whose speed decides this one's.
    """
    if compiled(out):
        _gather(images.numpy(), chosen.numpy(), out.numpy())
    else:
        out.copy_(scale(images.index_select(0, chosen.flatten()).to(out.dtype)).view_as(out))


def activate(x: Tensor, bias: Tensor, slope: float | None) -> None:
    """Add the bias to `x`, then take its leaky ReLU, in place: its tanh without a slope, nothing with a slope of 1."""
    if not compiled(x):
        x += bias.unsqueeze(1)
        if slope is None:
            x.tanh_()
        elif slope != 1:
            F.leaky_relu_(x, slope)
    elif slope is None:
        _add_tanh(x.numpy(), bias.numpy())
    else:
        _add_leaky(x.numpy(), bias.numpy(), _float(slope))


def pull_back(grad: Tensor, output: Tensor, slope: float | None, bias_gradient: Tensor | None) -> None:
    """Turn the gradient at `output`, which `activate` has made, into that before it, in place; sum it for the bias."""
    if compiled(grad):
        if slope is None:
            _tanh_backward(grad.numpy(), output.numpy())
        elif slope != 1:
            _leaky_backward(grad.numpy(), output.numpy(), _float(slope))
        if bias_gradient is not None:
            _sum_batch(grad.numpy(), bias_gradient.numpy())
        return
    if slope is None:
        _aten.tanh_backward.grad_input(grad, output, grad_input=grad)
    elif slope != 1:
        # The sign of the output is the sign of what entered the activation.
        _aten.leaky_relu_backward.grad_input(grad, output, slope, True, grad_input=grad)
    if bias_gradient is not None:
        torch.sum(grad, 1, out=bias_gradient)


def norms(rows: Tensor) -> Tensor:
    """Each run's Euclidean norm, `[run]` of `[run, size]`."""
    if compiled(rows):
        return torch.from_numpy(_norms(rows.numpy()))
    return torch.linalg.vector_norm(rows, dim=1)


def adam(
    parameters: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
) -> None:
    """The `step`-th step of torch.optim.Adam (Kingma & Ba 2015, algorithm 1) on compiled `[run, size]`, in place."""
    first, second = betas
    arrays = (tensor.numpy() for tensor in (parameters, gradient, mean, square))
    constants = (first, second, lr / (1 - first**step), sqrt(1 - second**step), eps)
    _adam(*arrays, *map(_float, constants), _float(1 - first), _float(1 - second))


def _compile(fastmath: set[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if njit is None:
            return function
        try:
            return njit(function, fastmath=fastmath, error_model="numpy", cache=True)
        except RuntimeError:  # no folder for the cache: it is compiled anew in each process
            return njit(function, fastmath=fastmath, error_model="numpy")

    return decorate


@_compile(EXACT)
def _gather(images: Array, chosen: Array, out: Array) -> None:
    for run in range(out.shape[0]):
        for row in range(out.shape[1]):
            image = chosen[run, row]
            for pixel in range(out.shape[2]):
                # As gan.images.scale does it, to the last bit.
                share = _float(images[image, pixel]) / _float(255)
                out[run, row, pixel] = (share - _float(0.5)) / _float(0.5)


@_compile(EXACT)
def _add_leaky(x: Array, bias: Array, slope: np.float32) -> None:
    for run in range(x.shape[0]):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                value = x[run, row, column] + bias[run, column]
                x[run, row, column] = value if value > 0 else value * slope


@_compile(EXACT)
def _add_tanh(x: Array, bias: Array) -> None:
    # tanh|x| = (1 - e) / (1 + e), e = exp(-2|x|), in float64: exact to the last bit of float32, or nearly always.
    # e is the 64th power of exp(-|x| / 32), whose Taylor series needs ten terms up to |x| = 10; beyond it tanh is 1.
    ten = _float(10)
    for run in range(x.shape[0]):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                shifted = x[run, row, column] + bias[run, column]
                size = -shifted if shifted < 0 else shifted
                size = ten if size > ten else size  # not min: it would hide that a number is none
                u = -np.float64(size) / 32.0
                e = 1.0 + u * (1.0 / 9.0)
                e = 1.0 + u * (1.0 / 8.0) * e
                e = 1.0 + u * (1.0 / 7.0) * e
                e = 1.0 + u * (1.0 / 6.0) * e
                e = 1.0 + u * (1.0 / 5.0) * e
                e = 1.0 + u * (1.0 / 4.0) * e
                e = 1.0 + u * (1.0 / 3.0) * e
                e = 1.0 + u * (1.0 / 2.0) * e
                e = 1.0 + u * e
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                e = e * e
                bounded = (1.0 - e) / (1.0 + e)
                x[run, row, column] = -bounded if shifted < 0 else bounded


@_compile(EXACT)
def _leaky_backward(grad: Array, output: Array, slope: np.float32) -> None:
    for run in range(grad.shape[0]):
        for row in range(grad.shape[1]):
            for column in range(grad.shape[2]):
                if not output[run, row, column] > 0:
                    grad[run, row, column] *= slope


@_compile(EXACT)
def _tanh_backward(grad: Array, output: Array) -> None:
    for run in range(grad.shape[0]):
        for row in range(grad.shape[1]):
            for column in range(grad.shape[2]):
                grad[run, row, column] *= _float(1) - output[run, row, column] * output[run, row, column]


@_compile(EXACT)
def _sum_batch(grad: Array, total: Array) -> None:
    for run in range(grad.shape[0]):
        total[run] = _float(0)
        for row in range(grad.shape[1]):
            for column in range(grad.shape[2]):
                total[run, column] += grad[run, row, column]


@_compile(ANY_ORDER)
def _norms(rows: Array) -> Array:
    norms = np.empty(rows.shape[0], dtype=rows.dtype)
    for run in range(rows.shape[0]):
        total = _float(0)
        for place in range(rows.shape[1]):
            total += rows[run, place] * rows[run, place]
        norms[run] = np.sqrt(total)
    return norms


@_compile(EXACT)
def _adam(
    parameters: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    beta1: np.float32,
    beta2: np.float32,
    rate: np.float32,
    correction: np.float32,
    eps: np.float32,
    share1: np.float32,
    share2: np.float32,
) -> None:
    for run in range(parameters.shape[0]):
        for place in range(parameters.shape[1]):
            slope = gradient[run, place]
            mean[run, place] = beta1 * mean[run, place] + share1 * slope
            square[run, place] = beta2 * square[run, place] + share2 * slope * slope
            parameters[run, place] -= rate * mean[run, place] / (np.sqrt(square[run, place]) / correction + eps)
