"""What a study of many variants costs beside its training: each part of it, timed in a scratch copy.

Every variant has losses of its own, the audit's worst case. Rows are what was done, its seconds, and a note.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import requests
from ruamel.yaml import YAML

from gan.errors import StudyError
from gan.rehearsal import prepare

Row: TypeAlias = dict[str, str | float]

PRESET = Path("presets/load.yaml")
STEP = 0.001  # of the label that sets each variant's losses apart
# It stands before the stages' own `python`, and notes what each command takes.
STOPWATCH = """#!/bin/sh
begun=$(date +%s.%N)
"{python}" "$@"
code=$?
echo "$begun $(date +%s.%N) $*" >> "{log}"
exit $code
"""
FILES = (
    "params.yaml",
    "dvc.lock",
    "mlflow.db",
    "reports/audit.json",
    "reports/comparison.json",
    "reports/report.html",
    "reports/report.md",
)
TRACK_ONE = "track, of one variant"
PAGES = (100, 1000)  # runs in one answer of MLflow
PATIENCE = 120  # seconds for its page to open


@dataclass(frozen=True)
class Command:
    """A stage's command: `python -m stages.<kind> [variant]`."""

    kind: str
    begun: float
    ended: float

    @classmethod
    def read(cls, line: str) -> "Command":
        begun, ended, _, module, *variants = line.split()
        kind = module.removeprefix("stages.")
        return cls(TRACK_ONE if kind == "track" and variants else kind, float(begun), float(ended))


def measure(variants: int, seeds: int, folder: Path, say: Callable[[str], None]) -> list[Row]:
    """Run a study of so many variants and seeds from nothing in `folder`, then what is done with it; all rows.

    StudyError if the folder holds anything but an earlier such study, which is removed.
    """
    tools, log = folder.resolve() / ".work/tools", folder.resolve() / ".work/commands.log"
    if folder.exists() and any(folder.iterdir()) and not tools.exists():
        raise StudyError(f"{folder} is no load study's, and would be emptied: name a folder that is not there yet")
    shutil.rmtree(folder, ignore_errors=True)
    tools.mkdir(parents=True)
    prepare(preset(variants, seeds), folder)
    (tools / "python").write_text(STOPWATCH.format(python=sys.executable, log=log))
    (tools / "python").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}

    def took(what: str, *module: str) -> Row:
        say(what)
        begun = time.time()
        if subprocess.run([sys.executable, "-m", *module], cwd=folder, env=environment, check=False).returncode:
            raise StudyError(f"{' '.join(module)} failed in {folder}; what it printed is above")
        return {"what": what, "seconds": round(time.time() - begun, 1)}

    begun = time.time()
    rows = [took(f"dvc repro of {variants} variants x {seeds} seeds", "dvc", "repro")]
    rows += shares([Command.read(line) for line in log.read_text().splitlines()], begun, time.time())
    rows.append(took("dvc repro, nothing to do", "dvc", "repro"))
    for store in folder.glob("mlflow.db*"):
        store.unlink()
    shutil.rmtree(folder / "mlartifacts", ignore_errors=True)
    rows.append(took("make sync from nothing", "stages.track", "--strict"))
    rows.append(took("make sync, nothing to do", "stages.track", "--strict"))
    return rows + browse(folder, say) + sizes(folder)


def preset(variants: int, seeds: int) -> dict[str, Any]:
    """The load preset with so many variants: the question's three, then the same with softer and softer labels."""
    base = YAML(pure=True).load(PRESET)
    named = base["only"]
    softer = {
        f"{named[place % len(named)]}-{place:04}": {
            "objective": named[place % len(named)],
            "real_label": round(1 - STEP * place, 6),
        }
        for place in range(len(named), variants)
    }
    return {**base, "baseline": {**base["baseline"], "seeds": list(range(seeds))}, "variants": softer}


def shares(commands: Sequence[Command], begun: float, ended: float) -> list[Row]:
    """A row for each kind of command, and one for what DVC does between two."""
    kinds: dict[str, list[float]] = {}
    for command in commands:
        kinds.setdefault(command.kind, []).append(command.ended - command.begun)
    before = [begun, *(command.ended for command in commands)]
    after = [*commands, Command("", ended, ended)]
    # A stage's second command follows the first at once.
    dvc = [each.begun - since for since, each in zip(before, after, strict=True) if each.kind != TRACK_ONE]
    return [_summary(kind, times) for kind, times in {**kinds, "dvc, between stages": dvc}.items()]


def _summary(what: str, times: Sequence[float]) -> Row:
    row: Row = {"what": what, "seconds": round(sum(times), 1)}
    if len(times) > 1:
        tenth = -(-len(times) // 10)
        first, last = fmean(times[:tenth]), fmean(times[-tenth:])
        row["note"] = f"{len(times)} times; the first tenth {first:.2f} s each, the last {last:.2f}"
    return row


def browse(folder: Path, say: Callable[[str], None]) -> list[Row]:
    """How long MLflow takes to be up, and to answer what its list of runs asks for."""
    say("MLflow's page")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    store = f"sqlite:///{(folder / 'mlflow.db').resolve().as_posix()}"
    # One worker, for a busy machine's are killed and started again when they are slow to answer.
    command = [sys.executable, "-m", "mlflow", "ui", "--port", port, "--workers", "1", "--backend-store-uri", store]
    begun, page = time.time(), f"http://127.0.0.1:{port}"
    with (folder / ".work/page.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        while not _answers(page):
            if server.poll() is not None or time.time() - begun > PATIENCE:
                raise StudyError(f"MLflow's page did not open: {' '.join(command)}")
            time.sleep(0.1)
        rows: list[Row] = [{"what": "make ui, until it answers", "seconds": round(time.time() - begun, 1)}]
        for most in PAGES:
            # As the page asks, which calls /ajax-api what programs call /api.
            query = {"experiment_ids": ["1"], "max_results": most, "order_by": ["attributes.start_time DESC"]}
            begun = time.time()
            answer = requests.post(f"{page}/ajax-api/2.0/mlflow/runs/search", json=query, timeout=PATIENCE)
            answer.raise_for_status()
            seconds, runs = time.time() - begun, len(answer.json()["runs"])
            note = f"{len(answer.content) / 1e6:.1f} MB"
            rows.append({"what": f"its list of {runs} runs", "seconds": round(seconds, 2), "note": note})
        return rows
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _answers(page: str) -> bool:
    try:
        return requests.get(f"{page}/health", timeout=1).ok
    except requests.RequestException:
        return False


def sizes(folder: Path) -> list[Row]:
    return [{"what": name, "megabytes": round((folder / name).stat().st_size / 1e6, 3)} for name in FILES]
