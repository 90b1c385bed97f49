"""What a step draws: each run's from a stream of its own, whoever is trained beside it."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Rule = Literal["normal", "uniform"]

# Steps whose numbers are drawn at once. On a GPU a draw for each run and step would be many small kernels.
AHEAD = {"cpu": 1, "cuda": 16}


class Draws:
    """Random numbers `[run, batch, width]` for one step after another, in `values`.

    `rule` is `normal`, of mean 0 and variance 1, or `uniform`, from 0 to 1. Each run's come from its own stream in
    `streams`, on the device and of the type of `like`.
    """

    def __init__(self, rule: Rule, streams: Sequence[torch.Generator], batch: int, width: int, like: Tensor) -> None:
        self._fill = {"normal": Tensor.normal_, "uniform": Tensor.uniform_}[rule]
        self._streams = streams
        ahead = AHEAD[like.device.type]
        # Streams draw in float32 for any type, so that a test in float64 sees the same numbers.
        self._block = torch.empty(len(streams), ahead, batch, width, device=like.device)
        self.values = like.new_empty(len(streams), batch, width)
        self.begin()

    def begin(self) -> None:
        """Forget what was drawn ahead: an epoch depends on nothing but the streams' states at its beginning."""
        self._next = self._block.shape[1]

    def step(self) -> None:
        """Draw the next step's values."""
        if self._next == self._block.shape[1]:
            for rows, stream in zip(self._block, self._streams, strict=True):
                self._fill(rows, generator=stream)
            self._next = 0
        self.values.copy_(self._block[:, self._next])
        self._next += 1
