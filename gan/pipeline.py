"""The `dvc` that started this process: whether it still runs, which stage this process is, how long it takes."""

import atexit
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

from gan.formatting import duration

GLANCE = 0.5  # seconds between looks at the pipeline
TIMES = "GAN_STAGE_TIMES"  # the file in which stages note their times, set by a command that keeps them


def pipeline() -> psutil.Process | None:
    """The `dvc` process among this one's ancestors, if there is one."""
    between = _up_to_dvc()
    return between[-1] if between else None


def end_with_pipeline() -> None:
    """End this process when the `dvc` that started it has ended, or a process between them has.

    Otherwise it would go on beside the stage that the next `dvc` starts. A process that `dvc` didn't start goes on. The
    ancestors are noted now, because Linux gives orphans another parent.
    """
    if between := _up_to_dvc():
        # The main thread handles Ctrl-C, so this one must not receive it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        threading.Thread(target=_watch, args=(between,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def note_time(stage: str, times: Path) -> None:
    """When this process ends, note in a line of `times` how many seconds it took since it was started."""

    atexit.register(lambda: note(stage, time.time() - psutil.Process().create_time(), times))


def note(stage: str, seconds: float, times: Path) -> None:
    """Note a stage's seconds in a line of `times`."""
    with suppress(OSError), times.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"stage": stage, "seconds": seconds}) + "\n")


def noted_times(times: Path) -> dict[str, float]:
    """Each stage's seconds, of all its processes, in the order in which the stages began."""
    seconds: dict[str, float] = {}
    for line in times.read_text(encoding="utf-8").splitlines() if times.exists() else ():
        noted = json.loads(line)
        seconds[noted["stage"]] = seconds.get(noted["stage"], 0.0) + noted["seconds"]
    return seconds


def place(stage: str, root: Path = Path()) -> str:
    """`stage 9 of 24: train@cewl, 12 min left …`, from dvc.yaml, params.yaml and the last study's times in `root`.

    What is not known is left out.
    """
    order = stages(root)
    if stage not in order:
        return f"stage {stage}"  # the stage itself or dvc reports what is wrong with the files
    number = order.index(stage)
    seconds = seconds_left(order[number:], root)
    left = "" if seconds is None else f", {duration(seconds)} left if all that follow run as last time"
    return f"stage {number + 1} of {len(order)}: {stage}{left}"


def seconds_left(stages: Sequence[str], root: Path) -> float | None:
    """How long these stages took the last time; None where reports/times.json lacks one of them or can't be read."""
    try:
        times = json.loads((root / "reports/times.json").read_text(encoding="utf-8"))
        return sum(float(times[stage]["seconds"]) for stage in stages)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def stages(root: Path = Path()) -> list[str]:
    """All stages in the order in which they run, from dvc.yaml and params.yaml in `root`; none if these are faulty."""
    yaml = YAML(typ="safe", pure=True)
    try:
        return running_order(*(yaml.load(root / name) for name in ("dvc.yaml", "params.yaml")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def running_order(pipeline: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """The stages of dvc.yaml in the order in which `dvc repro` runs them: each after those whose outputs it reads."""
    stages = dict(_expanded(pipeline["stages"], params))
    outputs = {path: name for name, stage in stages.items() for path in _paths(stage, "outs", "metrics")}
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        for read in (*_paths(stages[name], "deps"), *_params_files(stages[name])):
            for path, maker in outputs.items():
                inside = f"{path}/".startswith(f"{read}/") or f"{read}/".startswith(f"{path}/")
                if inside and maker not in order:
                    visit(maker)
        order[name] = None

    for name in stages:
        if name not in order:
            visit(name)
    return list(order)


def _expanded(stages: dict[str, Any], params: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each stage by its name; one with `foreach` once for each entry of the mapping or list that it names."""
    for name, stage in stages.items():
        if "foreach" in stage:
            for entry in reduce(getitem, stage["foreach"].strip("${}").split("."), params):
                yield f"{name}@{entry}", _filled(stage["do"], {**params, "key": entry, "item": entry})
        else:
            yield name, _filled(stage, params)


def _filled(value: Any, params: dict[str, Any]) -> Any:
    """`value` with each `${a.b}` in its texts replaced by that parameter."""
    if isinstance(value, dict):
        return {_filled(key, params): _filled(below, params) for key, below in value.items()}
    if isinstance(value, list):
        return [_filled(below, params) for below in value]
    if isinstance(value, str):
        return re.sub(r"\$\{([^}]+)\}", lambda name: str(reduce(getitem, name[1].split("."), params)), value)
    return value


def _paths(stage: dict[str, Any], *kinds: str) -> list[str]:
    entries = [entry for kind in kinds for entry in stage.get(kind, [])]
    return [path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)]


def _params_files(stage: dict[str, Any]) -> list[str]:
    """The files that a stage reads parameters from, beside params.yaml."""
    return [path for entry in stage.get("params", []) if isinstance(entry, dict) for path in entry]


def _up_to_dvc() -> list[psutil.Process]:
    """This process's ancestors as far as the next `dvc`; none if there is no `dvc` or the system doesn't show them."""
    between = []
    try:
        process = psutil.Process().parent()
        while process:
            between.append(process)
            if _is_dvc(process):
                return between
            process = process.parent()
    except psutil.Error:
        pass  # it belongs to another user
    return []


def _is_dvc(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return any(Path(word).name == "dvc" for word in words[:2]) or words[1:3] == ["-m", "dvc"]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _watch(between: list[psutil.Process]) -> None:
    while all(map(is_alive, between)):
        time.sleep(GLANCE)
    print("error: dvc, which started this, has ended: run it again to go on", file=sys.stderr, flush=True)
    os._exit(1)
