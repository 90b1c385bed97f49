"""A new variant joins the published scores only where they belong to the present parameters and code."""

from pathlib import Path
from typing import Any

import pytest

from gan.commands.published import check_joining
from gan.errors import StudyError
from gan.files import write_json
from gan.study.schema import Study


@pytest.fixture
def published(tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Scores of every variant in `tmp_path`; the test sets what `dvc status` says of them."""
    for folder in ("training", "metrics"):
        (tmp_path / "reports" / folder).mkdir(parents=True)
    for name, variant in study.variants.items():
        write_json(tmp_path / f"reports/training/{name}.json", {"parameters": variant.model_dump(mode="json")})
        (tmp_path / f"reports/metrics/{name}.csv").write_text(f"variant,seed\n{name},0\n")
    status: dict[str, Any] = {}
    monkeypatch.setattr("gan.commands.published._status", lambda root: status)
    return status


def test_a_new_variant_joins_only_scores_of_the_same_study(tmp_path: Path, study: Study, published: Any) -> None:
    check_joining(study, "cewl", tmp_path)
    with pytest.raises(StudyError, match=r"^params\.yaml, variants: cewll is unknown: did you mean cewl\?$"):
        check_joining(study, "cewll", tmp_path)
    write_json(tmp_path / "reports/training/cewl.json", {"parameters": {}})
    check_joining(study, "cewl", tmp_path)
    with pytest.raises(StudyError, match=r"minimax can't join the published scores: .* none of cewl; `make study`"):
        check_joining(study, "minimax", tmp_path)
    write_json(tmp_path / "reports/training/cewl.json", {})
    with pytest.raises(StudyError, match=r"training/cewl\.json is damaged"):
        check_joining(study, "minimax", tmp_path)
    write_json(tmp_path / "reports/training/cewl.json", {"parameters": study.variants["cewl"].model_dump(mode="json")})
    lock = {"train@cewl": {"outs": [{"path": "runs/cewl", "md5": "new"}]}}
    lock["evaluate@cewl"] = {"deps": [{"path": "runs/cewl", "md5": "old"}]}
    write_json(tmp_path / "dvc.lock", {"stages": lock})
    with pytest.raises(StudyError, match="cewl was trained after it was scored"):
        check_joining(study, "minimax", tmp_path)
    check_joining(study, "cewl", tmp_path)
    (tmp_path / "reports/metrics/non_saturating.csv").unlink()
    with pytest.raises(StudyError, match="none of non_saturating;"):
        check_joining(study, "cewl", tmp_path)


@pytest.mark.parametrize(
    ("stage", "change", "told"),
    [
        ("evaluate@minimax", {"changed outs": {"reports/metrics/minimax.csv": "modified"}}, "minimax.csv is modified"),
        ("classify", {"changed deps": {"params.yaml": {"classify.lr": "modified"}}}, "params.yaml, classify.lr, is"),
        ("evaluate@minimax", {"changed deps": {"gan/evaluation": "modified"}}, "gan/evaluation is modified"),
        ("evaluate@minimax", {"changed deps": {"gan/training/networks.py": "modified"}}, "networks.py is modified"),
        (
            "evaluate@minimax",
            {"changed deps": {"params.yaml": {"evaluate.images": "modified"}}},
            "params.yaml, evaluate.images, is modified",
        ),
        ("floor", {"changed deps": {"gan/evaluation": "modified"}}, "gan/evaluation is modified"),
        ("train@minimax", {"changed outs": {"reports/history/minimax.csv": "modified"}}, "history/minimax.csv is"),
        ("floor", {"changed outs": {"reports/floor.json": "modified"}}, "reports/floor.json is modified"),
        ("publish@minimax", {"changed outs": {"reports/strips/minimax.png": "modified"}}, "minimax.png is modified"),
        # As in a clone that has other runs, or none, and a new objective.
        ("evaluate@minimax", {"changed deps": {"runs/minimax": "modified"}}, ""),
        ("evaluate@minimax", {"changed deps": {"runs/minimax": "deleted", "data": "deleted"}}, ""),
        ("train@minimax", {"changed deps": {"gan/training": "modified"}}, ""),
        ("publish@minimax", {"changed deps": {"runs/minimax": "deleted", "gan/pictures": "modified"}}, ""),
        ("publish@cewl", {"changed outs": {"reports/strips/cewl.png": "modified"}}, ""),
        ("train@minimax", {"changed outs": {"runs/minimax": "not in cache"}}, ""),
        # It brings a data set of its own, which other variants don't use.
        ("download", {"changed deps": {"params.yaml": {"variants": "modified"}}}, ""),
        ("classify", {"changed deps": {"data/data.json": {"sets": "modified", "variants": "modified"}}}, ""),
        ("floor", {"changed deps": {"data/data.json": {"sets": "modified"}}}, ""),
        (
            "evaluate@minimax",
            {"changed deps": {"data/data.json": {"variants.minimax": "modified"}}},
            "data/data.json, variants.minimax, is modified",
        ),
        ("evaluate@cewl", {"changed outs": {"reports/metrics/cewl.csv": "modified"}}, ""),
        ("compare", {"changed outs": {"reports/comparison.json": "modified"}}, ""),
    ],
)
def test_published_scores_are_as_they_were_made(
    tmp_path: Path, study: Study, published: Any, stage: str, change: dict[str, Any], told: str
) -> None:
    published[stage] = ["changed command", change]
    if not told:
        check_joining(study, "cewl", tmp_path)
        return
    with pytest.raises(
        StudyError, match=f"^cewl can't join the published scores: of stage {stage}, .*{told}.*; put it"
    ):
        check_joining(study, "cewl", tmp_path)
