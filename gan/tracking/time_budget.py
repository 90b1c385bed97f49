"""How long a study still waits for MLflow: what one run of the pipeline loses by it is bounded, over all its stages."""

import os
from pathlib import Path

from gan.compute.pipeline import pipeline
from gan.errors import StudyError
from gan.files import read_json, write_json

USUAL = 8.0  # seconds that an update takes where nothing is wrong; what it takes beyond is a delay


class TimeBudget:
    """The seconds that this run of the pipeline may still lose, `most` at its start; kept in `path` between stages."""

    def __init__(self, most: float, path: Path = Path(".work/time_budget.json")) -> None:
        dvc = pipeline()
        self._run = f"{dvc.pid}-{dvc.create_time()}" if dvc else f"command {os.getpid()}"
        self._path = path
        try:
            known = read_json(path)
        except (FileNotFoundError, StudyError):
            known = {}
        self.left = known["left"] if known.get("run") == self._run else most

    def lose(self, seconds: float, failed: bool) -> None:
        """Count what an update took: all of it if it failed, else what is more than usual."""
        self.left = max(0.0, self.left - (seconds if failed else max(0.0, seconds - USUAL)))
        write_json(self._path, {"run": self._run, "left": self.left})
