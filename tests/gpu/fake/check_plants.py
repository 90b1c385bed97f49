"""What a recorded step may not do is planted in it, and the fake runtime or PyTorch must notice."""

import gc
from collections.abc import Callable

import pytest
import torch
from gpu.fake import runtime
from gpu.fake.engine import train

from gan.study.recipe import Variant
from gan.training.cuda_graph import Recorded


class Plants:
    """Things to do with `values`, a tensor on the GPU, each in a step that is recorded."""

    def __init__(self) -> None:
        self.values = torch.zeros(2, 3, device="cuda")
        self.side = torch.cuda.Stream()
        self.on_cpu, self.pinned = torch.ones(3), torch.ones(3).pin_memory()
        self.cpu_stream = torch.Generator()
        self.unknown_stream = torch.Generator("cuda")

    def item(self) -> None:
        self.values.sum().item()

    def truth(self) -> None:
        assert not self.values.sum() > 0

    def all_finite(self) -> None:
        bool(self.values.isfinite().all())

    def nonzero(self) -> None:
        self.values.nonzero()

    def boolean_index(self) -> None:
        self.values[self.values > 0]

    def tensor_from_list(self) -> None:
        torch.tensor([1.0, 2.0], device="cuda")

    def quantile_of_a_list(self) -> None:
        torch.quantile(self.values.flatten(), torch.tensor([0.5], device="cuda"))

    def copy_from_cpu(self) -> None:
        self.values[0].copy_(self.on_cpu)

    def copy_to_cpu(self) -> None:
        self.values.to("cpu")

    def mixed_devices(self) -> None:
        self.values[0] + self.on_cpu

    def random_from_cpu(self) -> None:
        torch.randn(3, device="cuda", generator=self.cpu_stream)

    def synchronize(self) -> None:
        torch.cuda.synchronize()

    def stream_not_joined(self) -> None:
        with torch.cuda.stream(self.side):
            self.values.add_(1)


class Allowed(Plants):
    """What CUDA allows: no alarm may be raised."""

    def nothing(self) -> None:
        pass

    def pinned_copy(self) -> None:
        self.values[0].copy_(self.pinned, non_blocking=True)

    def stream_joined(self) -> None:
        self.side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.side):
            self.values.add_(1)
        torch.cuda.current_stream().wait_stream(self.side)


@pytest.fixture
def train_with(
    variant: Variant, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], None]], None]:
    """Train a population whose steps do something more."""
    call, variant = Recorded.__call__, variant.model_copy(update={"epochs": 2, "snapshots": ()})

    def train_with(plant: Callable[[], None]) -> None:
        def planted(self: Recorded, work: Callable[[], None]) -> None:
            def both() -> None:
                work()
                plant()

            call(self, both)

        monkeypatch.setattr(Recorded, "__call__", planted)
        train([(variant, seed) for seed in (0, 1)], images)

    return train_with


def names(kind: type) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


@pytest.mark.parametrize("name", names(Plants))
def test_caught(train_with: Callable[[Callable[[], None]], None], name: str) -> None:
    noticed = False
    try:
        train_with(getattr(Plants(), name))
    except RuntimeError:
        noticed = True
    assert runtime.forgive() or noticed
    gc.collect()
    train_with(lambda: None)  # it was this plant: nothing is left of it


@pytest.mark.parametrize("name", names(Allowed))
def test_allowed(train_with: Callable[[Callable[[], None]], None], name: str) -> None:
    train_with(getattr(Allowed(), name))
