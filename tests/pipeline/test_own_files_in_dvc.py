"""DVC trains a variant again when a file of own/ that it names was edited, and no other variant."""

import re
from pathlib import Path

import pytest
from conftest import ROOT, SMALLEST, TESTS, Pipeline

from gan.commands.presets import prepare

pytestmark = pytest.mark.slow

# What DVC does with a stage does not depend on what the stage does: these files stand for a training.
TRAIN = """
import sys
from gan.files import write
from pathlib import Path

for output in ("runs/{}/seed-0/run.json", "reports/history/{}.csv", "reports/training/{}.json"):
    write(Path(output.format(sys.argv[1])), sys.argv[1])
"""
PRESET = SMALLEST.replace("[minimax, non_saturating]", "[minimax, non_saturating, cewl]", 1)
PRESET += "variants: {cewl: {objective: hinge}}\n"
STAGES = ("audit", "train@minimax", "train@cewl")


def test_an_edit_of_an_own_file_trains_its_variants_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "mine.yaml").write_text(PRESET)
    prepare(tmp_path / "mine.yaml", tmp_path / "project", TESTS / "params.yaml")
    study = Pipeline(tmp_path / "project")
    (study.folder / "stages/train.py").write_text(TRAIN)
    (study.folder / "stages/track.py").write_text("")
    (study.folder / "stages/audit.py").write_text(
        "from gan.files import write_json\nfrom pathlib import Path\nwrite_json(Path('reports/audit.json'), {})"
    )

    def ran() -> set[str]:
        return set(re.findall(r"Running stage '(.*)'", study.reproduce(*STAGES)))

    params, own = study.folder / "params.yaml", study.folder / "own/mine.py"
    own.write_text("first")
    params.write_text(params.read_text().replace("objective: hinge", "objective: mine.py:boundary"))
    assert ran() == {"download", *STAGES}
    own.write_text("second")
    assert ran() == {"download", "audit", "train@cewl"}
    (study.folder / "own/other.py").write_text("of no variant")
    assert ran() == {"download", "audit"}
