"""Which library multiplies a CPU's matrices: chosen by a rule on the processor, so that bits never depend on timing.

Torch's default is Intel's MKL, which on AMD's processors uses half of the vector units that Zen 5 has. oneDNN uses all
of them. Torch gives float32 products to oneDNN only if they may be rounded to bfloat16 ("medium" precision). They are
not: `gan.machine` forbids oneDNN every instruction that could, before torch is imported, and `use` checks the result.
"""

from typing import Literal, TypeAlias, get_args

import torch

from gan import machine

Path: TypeAlias = Literal["default", "onednn"]
PATHS: tuple[Path, ...] = get_args(Path)

PRECISION: dict[Path, str] = {"default": "highest", "onednn": "medium"}
ZEN_5 = 26  # its family, in /proc/cpuinfo
PROVED = ((64, 784, 256), (37, 100, 128), (784, 128, 256))  # rows, summed, columns
# The error of a sum of n products of normal numbers, over √n. In float32 it is 3e-6 at most, in TF32 up to 3e-3.
TOLERANCE = 2e-5


def choose() -> Path:
    """The path for this processor.

    Measured: on an AMD EPYC (Zen 5) a step takes 2.3 ms by oneDNN and 3.4 by default; on a Zen 4, which executes
    512-bit instructions in two halves, both take the same; on an Intel Xeon the default's products are faster by a
    third. `make bench` measures all paths on the machine at hand.
    """
    processor = machine.processor()
    wide = "avx512f" in processor.get("flags", "").split()
    amd = processor.get("vendor_id") == "AuthenticAMD"
    return "onednn" if amd and wide and int(processor.get("cpu family", 0)) >= ZEN_5 else "default"


def use(path: Path) -> Path:
    """Let this process multiply by `path`; by the default where the path is not float32. Returns the one in use."""
    torch.set_float32_matmul_precision(PRECISION[path])
    if path != "default" and not is_float32():
        return use("default")
    return path


def is_float32() -> bool:
    """Whether products on this process's CPU are as exact as float32 can be, against float64."""
    random = torch.Generator().manual_seed(0)
    for rows, summed, columns in PROVED:
        first = torch.randn(1, rows, summed, generator=random)
        second = torch.randn(1, summed, columns, generator=random)
        error = (torch.bmm(first, second).double() - torch.bmm(first.double(), second.double())).abs()
        if not (error / summed**0.5 <= TOLERANCE).all():  # also where one is not a number
            return False
    return True
