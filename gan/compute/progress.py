"""How far a stage is and how long it still takes: a bar on a terminal, elsewhere a plain line every half minute."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gan.formatting import duration

PERIOD = 30.0  # seconds between two lines


@contextmanager
def progress(
    description: str, total: int, unit: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many further units are done; `clock` returns seconds."""
    if not sys.stderr.isatty():
        yield _Lines(description, total, unit, clock).advance
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(description, total=total)
        yield lambda done: display.advance(task, done)


class _Lines:
    """Writes `train cewl: 40 of 160 epochs, 3 min left` to stderr when units are done and the last line is old enough.

    The pace is that since the last line: continued runs report all their earlier epochs at once, and so only the first
    line is too hopeful.
    """

    def __init__(self, description: str, total: int, unit: str, clock: Callable[[], float]) -> None:
        self._description, self._total, self._unit, self._clock = description, total, unit, clock
        self._done = self._told_done = 0
        self._told_at = clock()

    def advance(self, done: int) -> None:
        self._done += done
        now = self._clock()
        if now - self._told_at < PERIOD or self._done == self._told_done:
            return
        left = (self._total - self._done) * (now - self._told_at) / (self._done - self._told_done)
        told = f"{self._description}: {self._done} of {self._total} {self._unit}, {duration(left)} left"
        print(told, file=sys.stderr, flush=True)
        self._told_done, self._told_at = self._done, now
