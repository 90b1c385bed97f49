"""The same pipeline in a scratch copy with some parameters changed: nothing published is touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from gan.errors import StudyError
from gan.formatting import unknown

# What the pipeline publishes; a presets makes its own. The benchmark is no stage's, but measured on its own.
PUBLISHED = ("dvc.lock", "models", "reports")
MEASURED = ("reports/benchmark.json",)

DVC = (sys.executable, "-m", "dvc")


def run_preset(preset: Path, folder: Path) -> None:
    """Run the pipeline in a scratch copy; one from an earlier presets is brought up to date.

    Raises StudyError if the preset names a variant that isn't there, or the pipeline fails.
    """
    prepare(YAML(pure=True).load(preset), folder)
    if subprocess.run([*DVC, "repro"], cwd=folder, env=environment(), check=False).returncode:
        raise StudyError(f"the pipeline failed in {folder}; what it printed is above")


def environment() -> dict[str, str]:
    """For a pipeline whose stages are to be run by this very Python."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def prepare(preset: dict[str, Any], folder: Path, params: Path = Path("params.yaml")) -> None:
    """Make `folder` a copy of this checkout whose params.yaml is `params` with `preset`'s values laid over it.

    The preset's list `only` says which variants take part, without it all, and what it has in `baseline` holds for all
    of them. Hypotheses and controls that name a variant which takes no part are left out. StudyError if the preset
    names a variant that isn't there.
    """
    root = Path.cwd()
    for name in _source_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target)
    yaml = YAML(pure=True)
    laid_over = apply(preset, yaml.load(root / params))
    for mirrors in laid_over["data"]["mirrors"].values():
        mirrors[:] = [mirror if "://" in mirror else str((root / mirror).resolve()) for mirror in mirrors]
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(laid_over, file)
    # A repository of its own, or DVC would take this one.
    (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")


def apply(preset: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """Parameters with a preset's values in place; StudyError if it names a variant that they lack."""
    changes = {key: value for key, value in preset.items() if key != "only"}
    only, rules = preset.get("only", params["variants"]), changes.get("baseline", {})
    for name in only:
        if name not in params["variants"]:
            raise StudyError(f"the preset's only: {unknown(str(name), params['variants'])}")
    variants = {
        name: {key: value for key, value in params["variants"][name].items() if key not in rules} for name in only
    }
    families = {
        family: [each for each in params["compare"][family] if {each["variant"], each["against"]} <= variants.keys()]
        for family in ("hypotheses", "controls")
    }
    return lay_over({**params, "variants": variants, "compare": {**params["compare"], **families}}, changes)


def lay_over(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, key by key down to what isn't a mapping."""
    merged = dict(base)
    for key, value in changes.items():
        below = base.get(key)
        merged[key] = lay_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _source_files() -> list[str]:
    """The checkout's files, committed or not, but for what git ignores and what the study publishes."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise StudyError(f"a presets copies what git knows of this checkout, and git says: {listed.stderr.strip()}")
    names = [name for name in listed.stdout.split("\0") if name and Path(name).is_file()]
    return [name for name in names if name.split("/")[0] not in PUBLISHED or name in MEASURED]
