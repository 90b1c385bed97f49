"""What this machine is: a missing GPU is reported, and the hardware has a name."""

import pytest
import torch

from gan import machine
from gan.compute.hardware import choose_device, describe_hardware
from gan.errors import StudyError
from gan.study.schema import Study


def test_a_missing_gpu_is_reported(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    auto, cuda = (study.compute.model_copy(update={"device": device}) for device in ("auto", "cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(auto) == "cpu"
    with pytest.raises(StudyError, match=r"compute\.device is cuda, but"):
        choose_device(cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(auto) == "cuda"


def test_hardware_has_a_name() -> None:
    hardware = describe_hardware("cpu")
    assert hardware["name"]
    assert hardware["cores"] == machine.cores()
    assert "float32" in hardware["arithmetic"]
    assert "oneDNN" in describe_hardware("cpu", "onednn")["arithmetic"], "the path in use, not the rule's"
    assert "oneDNN" not in describe_hardware("cpu", "default")["arithmetic"]
