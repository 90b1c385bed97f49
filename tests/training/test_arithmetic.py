"""The rule that chooses a path, and that no path but float32's is ever taken."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gan import machine
from gan.environment import own
from gan.training import arithmetic

AMD = "vendor_id\t: AuthenticAMD\ncpu family\t: {family}\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 {flags}\n\n"
PROCESSORS = {
    "zen 5": (AMD.format(family=26, flags="avx512f avx512_bf16"), "onednn"),
    "zen 4": (AMD.format(family=25, flags="avx512f avx512_bf16"), "default"),
    "zen 3": (AMD.format(family=25, flags="fma"), "default"),
    "intel": ("vendor_id : GenuineIntel\ncpu family : 6\nflags : avx512f amx_bf16\n", "default"),
    "arm": ("processor : 0\nCPU implementer : 0x41\n", "default"),
    "nothing": ("", "default"),
}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("name", PROCESSORS)
def test_the_rule_looks_at_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text, path = PROCESSORS[name]
    (tmp_path / "cpuinfo").write_text(text + AMD.format(family=99, flags="of another core"), encoding="utf-8")
    known = machine.processor(tmp_path / "cpuinfo") if text else {}
    monkeypatch.setattr(machine, "processor", lambda: known)
    assert arithmetic.choose() == path


def test_a_path_that_rounds_more_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As bfloat16 would, of which oneDNN has been deprived here, and TF32."""

    def rounded(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if first.dtype == torch.float64:
            return first @ second
        return (first.bfloat16().float() @ second.bfloat16().float()).float()

    assert arithmetic.is_float32()
    monkeypatch.setattr(torch, "bmm", rounded)
    assert not arithmetic.is_float32()
    assert arithmetic.use("onednn") == "default"
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("path", arithmetic.PATHS)
def test_every_path_is_float32_here(path: arithmetic.Path) -> None:
    """In a process of its own, whose user allows oneDNN everything."""
    code = (
        "import gan, torch; from gan.training import arithmetic as a;"
        f"print(a.use('{path}'), a.is_float32(), torch.backends.mkldnn.is_available())"
    )
    environment = own(os.environ) | {"ONEDNN_MAX_CPU_ISA": "ALL", "ONEDNN_DEFAULT_FPMATH_MODE": "BF16"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", env=environment, check=True
    )
    used, exact, has_onednn = done.stdout.split()
    assert exact == "True"
    assert used == path or has_onednn == "False"
