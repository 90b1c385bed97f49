"""A step's recording: every call is one real call, on a GPU as without one."""

from types import SimpleNamespace

import torch

from gan.training.cuda_graph import WARM_UP, Recorded


def test_without_a_gpu_it_just_calls() -> None:
    calls: list[int] = []
    step = Recorded(torch.device("cpu"))
    for _ in range(WARM_UP + 5):
        step(lambda: calls.append(1))
    assert len(calls) == WARM_UP + 5


def test_on_a_gpu_calls_before_the_recording_are_real_ones_too(monkeypatch) -> None:
    happened: list[str] = []
    step = Recorded(torch.device("cuda"))
    monkeypatch.setattr(step, "_aside", lambda work: work())
    graph = SimpleNamespace(replay=lambda: happened.append("replayed"))
    monkeypatch.setattr(step, "_record", lambda work: graph)
    for _ in range(WARM_UP + 2):
        step(lambda: happened.append("called"))
    assert happened == ["called"] * WARM_UP + ["replayed"] * 2
