"""The same pipeline in a scratch copy with some parameters changed: nothing published is touched."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from gan.audit.recipes import check_study
from gan.commands.dvc import reproduce
from gan.errors import StudyError
from gan.formatting import unknown
from gan.mirrors import elsewhere
from gan.study.loading import load_study, read_yaml, validate

# The study's results; a preset makes its own. The benchmark is not made by a stage, so the copy needs it.
RESULTS = ("dvc.lock", "models", "reports")
BENCHMARK = "reports/benchmark.json"


def run_preset(preset: Path, folder: Path) -> None:
    """Run the pipeline in a scratch copy; one from an earlier run is brought up to date.

    Raises StudyError if the preset has an unknown key or variant, or the pipeline fails.
    """
    if not preset.exists():
        known = ", ".join(str(path) for path in sorted(preset.parent.glob("*.yaml")))
        raise StudyError(f"there is no {preset}; there are {known}")
    prepare(preset, folder)
    reproduce(folder=folder)


def prepare(preset: Path, folder: Path, params: Path = Path("params.yaml")) -> None:
    """Make `folder` a copy of this checkout whose params.yaml is `params` with the preset's values laid over it.

    StudyError, before anything is copied, if `params` or the preset is not valid.
    """
    load_study(params)  # its faults are not the preset's
    laid_over = apply(read_yaml(preset), read_yaml(params), preset)
    study = validate(laid_over, preset, Path())
    check_study(study, preset)
    mirrors = {name: [elsewhere(mirror) for mirror in places] for name, places in study.data.mirrors.items()}
    laid_over["data"] = {**laid_over["data"], "mirrors": mirrors}
    for name in _source_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, target)
    with (folder / "params.yaml").open("w") as file:
        YAML(pure=True).dump(laid_over, file)
    # DVC takes it for a project of its own, not for a part of this repository.
    (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")


def apply(preset: Any, params: dict[str, Any], path: Path) -> dict[str, Any]:
    """Parameters with the values of a preset (read from `path`) in place; StudyError if it names an unknown variant.

    The preset's list `only` names the variants that take part; without it all do. The values in its `baseline` hold for
    all of them. Hypotheses and controls that name a variant which takes no part are left out.
    """
    if not isinstance(preset, dict) or not isinstance(preset.get("only", []), list):
        raise StudyError(f"{path}: a preset is a mapping of params.yaml's keys, and a list of variants, `only`")
    changes = {key: value for key, value in preset.items() if key != "only"}
    only, baseline = preset.get("only", list(params["variants"])), changes.get("baseline") or {}
    for key, names in (("only", only), ("variants", changes.get("variants") or {})):
        for name in names:
            if name not in params["variants"]:
                raise StudyError(f"{path}: {key}: {unknown(str(name), params['variants'])}")
    variants = {
        name: {key: value for key, value in params["variants"][name].items() if key not in baseline} for name in only
    }
    families = {
        family: [each for each in params["compare"][family] if {each["variant"], each["against"]} <= variants.keys()]
        for family in ("hypotheses", "controls")
    }
    return lay_over({**params, "variants": variants, "compare": {**params["compare"], **families}}, changes)


def lay_over(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, key by key; only mappings are merged."""
    merged = dict(base)
    for key, value in changes.items():
        below = base.get(key)
        merged[key] = lay_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _source_files() -> list[str]:
    """The checkout's files, committed or not, without the results and what git ignores."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise StudyError(f"a preset needs the list of this checkout's files, and git says: {listed.stderr.strip()}")
    names = [name for name in listed.stdout.split("\0") if name and Path(name).is_file()]
    return [name for name in names if name.split("/")[0] not in RESULTS or name == BENCHMARK]
