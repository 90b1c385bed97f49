"""The same pipeline in a scratch copy with some parameters changed: nothing published is touched."""

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from gan.audit.recipes import check_study
from gan.commands.dvc import reproduce
from gan.data.mirrors import elsewhere
from gan.errors import StudyError
from gan.files import write
from gan.formatting import unknown
from gan.study.loading import load_study, read_yaml, validate
from gan.study.own_files import FOLDER as OWN

# All that a copy needs: code, pipeline, and the benchmark, which no stage makes.
CODE = ("gan", "stages", OWN)
FILES = ("dvc.yaml", ".dvc/config", ".dvcignore", "reports/benchmark.json")
MORE = ("reports/history-of-studies/*.csv", ".dvc/plots/*.json")  # the earlier studies, the charts' templates
MARK = ".preset"  # a file that a copy has and nobody else's folder


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

    The copy is a rehearsal, whatever the preset says: its seeds are not the declared ones, so it gives no verdict.
    StudyError, before anything is copied, if `params` or the preset is not valid, or `folder` is somebody else's.
    """
    load_study(params)  # its faults are not the preset's
    laid_over = apply(read_yaml(preset), read_yaml(params), preset) | {"rehearsal": True}
    study = validate(laid_over, preset, Path())
    check_study(study, preset)
    mirrors = {name: [elsewhere(mirror) for mirror in places] for name, places in study.data.mirrors.items()}
    laid_over["data"] = {**laid_over["data"], "mirrors": mirrors}
    _claim(folder, preset)
    for name in CODE:
        shutil.rmtree(folder / name, ignore_errors=True)  # modules that the checkout no longer has
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*FILES, *(str(path) for pattern in MORE for path in Path().glob(pattern))):
        write(folder / name, Path(name).read_bytes())
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(pure=True).dump(laid_over, file)
    # DVC takes it for a project of its own, not for a part of this repository.
    write(folder / ".dvc/config.local", "[core]\n    no_scm = true\n")


def is_rehearsal(reports: Path) -> bool:
    """Whether these reports are those of a preset's copy; False if there is no params.yaml beside them."""
    params = reports.resolve().parent / "params.yaml"
    raw = read_yaml(params) if params.is_file() else None
    return isinstance(raw, dict) and raw.get("rehearsal") is True


def _claim(folder: Path, preset: Path) -> None:
    """Mark `folder` as a preset's copy; StudyError if there is something in it that no preset has put there."""
    here, place = Path.cwd(), folder.resolve()
    if any(place.is_relative_to(here / name) for name in CODE):
        raise StudyError(
            f"{folder} is inside the code that is to be copied: name another folder, such as .scratch/mine"
        )
    if not (folder / MARK).exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StudyError(f"{folder} has files that no preset has made: name an empty or a new folder, or remove it")
        write(folder / MARK, f"`gan run-preset {preset}` keeps its copy of the study here and overwrites it.\n")


def apply(preset: Any, params: dict[str, Any], path: Path) -> dict[str, Any]:
    """Parameters with the values of a preset (read from `path`) in place; StudyError if it names an unknown variant.

    The preset's list `only` names the variants that take part, its list `rungs` the ladder's; without them all do. The
    values in its `baseline` hold for all variants. Hypotheses and controls that name a variant which takes no part are
    left out.
    """
    lists = ("only", "rungs")
    if not isinstance(preset, dict) or not all(isinstance(preset.get(key, []), list) for key in lists):
        raise StudyError(f"{path}: a preset is a mapping of params.yaml's keys, and two lists, `only` and `rungs`")
    changes = {key: value for key, value in preset.items() if key not in lists}
    all_rungs = params["ladder"]["rungs"]
    only, baseline = preset.get("only", list(params["variants"])), changes.get("baseline") or {}
    rungs = preset.get("rungs", list(all_rungs))
    for key, names, known in (
        ("only", only, params["variants"]),
        ("variants", changes.get("variants") or {}, params["variants"]),
        ("rungs", rungs, all_rungs),
    ):
        for name in names:
            if name not in known:
                raise StudyError(f"{path}: {key}: {unknown(str(name), known)}")
    variants = {
        name: {key: value for key, value in params["variants"][name].items() if key not in baseline} for name in only
    }
    families = {
        family: [each for each in params["compare"][family] if {each["variant"], each["against"]} <= variants.keys()]
        for family in ("hypotheses", "controls")
    }
    ladder = {**params["ladder"], "rungs": {name: all_rungs[name] for name in rungs}}
    compare = {**params["compare"], **families}
    return lay_over({**params, "variants": variants, "compare": compare, "ladder": ladder}, changes)


def lay_over(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, key by key; only mappings are merged."""
    merged = dict(base)
    for key, value in changes.items():
        below = base.get(key)
        merged[key] = lay_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged
