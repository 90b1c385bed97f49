"""The time budget of MLflow: how long it may delay one run of the pipeline, all stages together."""

import os
from pathlib import Path

from gan.errors import StudyError
from gan.files import read_json, write_json
from gan.pipeline import pipeline

USUAL = 8.0  # seconds that an update takes when nothing is wrong; only what it takes beyond them is a delay


class TimeBudget:
    """The seconds that are left of `most` in this run of the pipeline; kept in `path` from stage to stage."""

    def __init__(self, most: float, path: Path = Path(".work/time_budget.json")) -> None:
        dvc = pipeline()
        self._run = f"{dvc.pid}-{dvc.create_time()}" if dvc else f"command {os.getpid()}"
        self._path = path
        try:
            known = read_json(path)
        except (FileNotFoundError, StudyError):
            known = {}
        self.left = known["left"] if known.get("run") == self._run else most

    def spend(self, seconds: float, failed: bool) -> None:
        """Subtract an update's time: all of it if it failed, else what is more than usual."""
        self.left = max(0.0, self.left - (seconds if failed else max(0.0, seconds - USUAL)))
        write_json(self._path, {"run": self._run, "left": self.left})
