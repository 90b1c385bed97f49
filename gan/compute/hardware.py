"""What this machine is: its device, its cores, their names, and the versions that decide a result's last digits."""

import platform
from pathlib import Path

import torch

from gan import machine
from gan.errors import StudyError
from gan.study.schema import Compute


def choose_device(compute: Compute) -> str:
    """`cuda` or `cpu`; StudyError if params.yaml asks for a GPU that isn't there."""
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise StudyError("compute.device is cuda, but this machine has no usable GPU: set it to auto or cpu")
    device = compute.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        # In TF32, convolutions round to ten bits, and scores would differ from those on a CPU.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    return device


def describe_hardware(device: str) -> dict[str, str | int]:
    """What this process computes on: device, its name, the cores at hand, and the library of the matrix products."""
    if device == "cuda":
        name, library = torch.cuda.get_device_name(), "cuBLAS"
    else:
        blas = "MKL" if torch.backends.mkl.is_available() else "BLAS"
        name, library = _processor_name(), f"{blas}, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": device, "name": name, "cores": machine.cores(), "arithmetic": f"float32 ({library})"}


def versions() -> dict[str, str]:
    """The versions that decide a result's last digits."""
    return {"python": platform.python_version(), "torch": torch.__version__}


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
