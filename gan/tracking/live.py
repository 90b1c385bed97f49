"""Runs in MLflow while they are trained: `python -m gan.tracking.live PLAN` follows what trainers write.

The trainer starts this as a process of its own, of low priority, and closes its input when it is done. It reads files
alone and stops at the first failure: the update after the training shows the same runs exactly, in the place of these.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gan.compute.checkpoints import history_file
from gan.compute.guards import TakenError, lock
from gan.errors import StudyError
from gan.files import read_json, read_sealed_json, write_json
from gan.study.recipe import Variant
from gan.study.schema import Tracking
from gan.tracking.time_budget import TimeBudget

LIVE = "live"  # tag of a run that is shown while it is trained
LOCK = Path(".work/locks/live.lock")
PLAN = Path(".work/live.json")
STORE = Path(".work/runs")
ENDING = 3.0  # seconds to show the last epochs when the training has ended
PERIOD = 5.0  # seconds between two looks at the files
SHARE = 0.01  # of a core's time that this may take after it has started
NICENESS = 10


@dataclass(frozen=True)
class LiveRun:
    """A run that is about to be trained: its key, what its name in MLflow says, its recipe, its images' checksum."""

    key: str
    variant: str
    seed: int
    recipe: dict[str, Any]
    checksum: str

    @classmethod
    def of(cls, key: str, name: str, variant: Variant, seed: int, checksum: str) -> "LiveRun":
        return cls(key, name, seed, variant.model_dump(mode="json", exclude={"seeds"}), checksum)


@contextmanager
def shown_live(runs: Iterable[LiveRun], tracking: Tracking, root: Path = Path()) -> Iterator[None]:
    """Show these runs in MLflow while the body trains them.

    Nothing is shown if all are trained already, if MLflow isn't installed, or when it has delayed the study enough.
    """
    # Folders of the store are named after the kind of device, which only the trainer knows.
    missing = [run for run in runs if not _kept(run.key, root)]
    budget = TimeBudget(tracking.timeout_seconds)
    if not missing or not find_spec("mlflow") or budget.left < ENDING:
        yield
        return
    process = _start(missing, tracking, root)
    try:
        yield
    finally:
        if process:
            _end(process, budget)


def is_live(root: Path) -> bool:
    """Whether a process shows runs that are being trained in this folder."""
    path = root / LOCK
    if not path.exists():
        return False
    try:
        with lock(path, 0):
            return False
    except TakenError:
        return True


def _start(runs: Sequence[LiveRun], tracking: Tracking, root: Path) -> "subprocess.Popen[bytes] | None":
    plan = {"experiment": tracking.experiment, "runs": [asdict(run) for run in runs]}
    try:
        write_json(root / PLAN, plan)
        with (root / PLAN).with_suffix(".log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "gan.tracking.live", str(PLAN)],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
    except OSError:
        return None  # a full disk, no memory: the training says so itself, if it matters


def _end(process: "subprocess.Popen[bytes]", budget: TimeBudget) -> None:
    """Let it show the last epochs; kill it if MLflow doesn't answer in time, and count the delay."""
    assert process.stdin
    with suppress(OSError):
        process.stdin.close()
    started = time.monotonic()
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        with suppress(OSError):
            budget.spend(time.monotonic() - started, failed=True)


def _kept(key: str, root: Path) -> Path | None:
    """The folder of a run that is trained."""
    return next((path.parent for path in (root / STORE).glob(f"*/{key}/run.json")), None)


class _Followed:
    """A run as MLflow shows it: how many of its epochs, and whether it is complete."""

    def __init__(self, run: LiveRun, root: Path) -> None:
        self.run, self._root = run, root
        self.run_id = ""
        self.status = "RUNNING"
        self._shown = 0

    def look(self, client: Any, experiment: str) -> None:
        """Show what is new; MLflow's errors, if it fails."""
        history, status = self._progress()
        if history is None:
            return  # it has not begun
        if not self.run_id:
            self._create(client, experiment)
        self._log(client, history[self._shown :])
        self._shown = max(self._shown, len(history))
        if status:
            self.end(client, status)

    def end(self, client: Any, status: str) -> None:
        client.set_terminated(self.run_id, status)
        self.status = status

    def _progress(self) -> tuple[list[dict[str, float]] | None, str]:
        """The rows of the epochs so far, None before it begins; and its status at the end."""
        try:
            if kept := _kept(self.run.key, self._root):
                record = read_sealed_json(kept / "run.json")
                return record["history"], str(record["status"]).upper()
            files = (self._root / STORE).glob(f"*/checkpoints/*/{history_file(self.run.key)}")
            return max((read_json(path) for path in files), key=len, default=None), ""
        except (OSError, StudyError):
            return None, ""  # it has just been moved

    def _create(self, client: Any, experiment: str) -> None:
        from mlflow.entities import Param

        from gan.tracking.recorded import SOURCE, flat

        run = self.run
        tags = {"variant": run.variant, "seed": str(run.seed), "run_key": run.key, LIVE: "true"}
        tags |= {"data_checksum": run.checksum, SOURCE: "stages/train.py", "mlflow.source.type": "LOCAL"}
        created = client.create_run(experiment, None, tags, f"{run.variant}/seed-{run.seed}")
        self.run_id = created.info.run_id
        client.log_batch(self.run_id, params=[Param(*each) for each in flat(run.recipe).items()])

    def _log(self, client: Any, rows: Sequence[dict[str, float]]) -> None:
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        points = [
            Metric(f"train/{name}", value, now, int(row["epoch"]))
            for row in rows
            for name, value in row.items()
            if name != "epoch"
        ]
        for place in range(0, len(points), 1_000):  # MLflow's limit
            client.log_batch(self.run_id, points[place : place + 1_000])


def follow(runs: Sequence[LiveRun], client: Any, experiment: str, ended: threading.Event, root: Path) -> None:
    """Show the runs until all are trained or `ended` is set; those that aren't trained then are `KILLED`."""
    # What an interrupted training showed of these runs begins anew.
    for old in client.search_runs([experiment], f"tags.{LIVE} = 'true'"):
        client.delete_run(old.info.run_id)
    followed = [_Followed(run, root) for run in runs]
    pause = 0.0
    while any(each.status == "RUNNING" for each in followed):
        last = ended.wait(pause)
        started = time.process_time()
        for each in followed:
            if each.status == "RUNNING":
                each.look(client, experiment)
        if last:
            break
        pause = max(PERIOD, (time.process_time() - started) / SHARE)
    for each in followed:
        if each.run_id and each.status == "RUNNING":
            each.end(client, "KILLED")


def main() -> None:
    """Follow the plan's runs until the input is closed."""
    os.nice(NICENESS)
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "20"
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    from gan.tracking.synchronise import opened  # it imports MLflow, which takes seconds

    root = Path()
    with lock(root / LOCK, ENDING):
        with opened(plan["experiment"], root) as (client, experiment):
            pass  # from now on others may use the store as well
        follow([LiveRun(**run) for run in plan["runs"]], client, experiment, ended, root)


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
