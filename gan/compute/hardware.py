"""What this machine is: its device, its cores, their names, and the versions that decide a result's last digits."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version

import torch

from gan import machine
from gan.errors import StudyError
from gan.study.schema import Compute
from gan.training import arithmetic, kernels


def choose_device(compute: Compute) -> str:
    """`cuda` or `cpu`; StudyError if params.yaml asks for a GPU that isn't there."""
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise StudyError("compute.device is cuda, but this machine has no usable GPU: set it to auto or cpu")
    device = compute.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        compute_in_float32()
    return device


def compute_in_float32() -> None:
    """Let this process's GPU multiply and convolve in float32, whatever the environment says; for every worker.

    In TF32 it would round to ten bits, and weights and scores would differ from those on a CPU.
    """
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # cuBLAS and cuDNN read it when they are first used
    torch.set_float32_matmul_precision("highest")  # the only setting of products that no other call contradicts
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def describe_hardware(device: str, path: arithmetic.Path | None = None) -> dict[str, str | int]:
    """What this process computes on: device, its name, the cores at hand, and the library of the matrix products.

    A CPU multiplies by `path`; if it is not given, by the one that the rule chooses.
    """
    if device == "cuda":
        name, library = torch.cuda.get_device_name(), "cuBLAS"
    else:
        blas = "MKL" if torch.backends.mkl.is_available() else "BLAS"
        products = {"default": blas, "onednn": "oneDNN"}[path or arithmetic.choose()]
        others = "numba" if kernels.AVAILABLE else "torch"
        name = machine.processor().get("model name") or platform.processor() or platform.machine()
        library = f"{products} and {others}, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": device, "name": name, "cores": machine.cores(), "arithmetic": f"float32 ({library})"}


def kind(hardware: Mapping[str, str | int]) -> str:
    """What tells described hardware from other: `AMD EPYC, 2 cores`, and a GPU's name alone."""
    name = str(hardware["name"])
    return name if hardware["device"] == "cuda" else f"{name}, {hardware['cores']} cores"


def versions() -> dict[str, str]:
    """The versions that decide a result's last digits."""
    known = {"python": platform.python_version(), "torch": torch.__version__}
    return known | ({"numba": version("numba")} if kernels.AVAILABLE else {})
