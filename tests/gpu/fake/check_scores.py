"""Runs are scored on the fake runtime, without PyTorch's cache: then all memory is zero, and features are finite."""

from pathlib import Path
from statistics import fmean

import pytest
import torch
from gpu.fake.engine import train_variants

from gan.compute.executors import InProcessExecutor
from gan.compute.store import export_runs
from gan.evaluation import scoring
from gan.evaluation.classifier import Classifier
from gan.evaluation.scoring import Further, Scorer, evaluate_variant
from gan.study.schema import Study


@pytest.mark.parametrize("name", ["non_saturating", "vae"])
def test_runs_are_scored(
    study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(scoring, "geometric_mean", fmean)  # every score is zero
    export_runs(train_variants(study, [name], images, tmp_path / "store").kept, tmp_path / "runs")
    scorer = Scorer.of([Classifier().eval(), Classifier().eval()], images, study.evaluate, "cuda")
    variant = study.variants[name]
    everything = Further(confirmed=True, repeated=True)
    scored = evaluate_variant(name, variant, tmp_path / "runs", scorer, InProcessExecutor(), everything)
    assert [len(run.rows) for run in scored] == [1] * len(variant.seeds)
    assert all(row["status"] == "finished" for run in scored for row in run.rows)
