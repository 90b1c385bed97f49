"""Scoring images, or all seeds of a trained variant, as the study scores them."""

from pathlib import Path

import pandas as pd
from torch import Tensor

from gan import images
from gan.api.materials import WORK, classifier, data_folder
from gan.api.training import TrainedVariant
from gan.compute.executors import local_executor
from gan.compute.store import export_runs
from gan.evaluation.scoring import Further, Scorer, evaluate_variant, metrics_table
from gan.study.fields import DataSet
from gan.study.loading import load_study
from gan.study.schema import Study


def score(generated: Tensor, data: DataSet, root: Path | str = ".") -> dict[str, float]:
    """All metrics of images `[image, 28, 28]` in [-1, 1] beside the test images of a data set: FID, KID and so on.

    The classifier whose features they are is the study's own, or one that is trained in the same way (seconds).
    """
    study = load_study(Path(root) / "params.yaml")
    return _scorer(study, data, Path(root), "cpu").score(generated)


def evaluate(trained: TrainedVariant, root: Path | str = ".") -> pd.DataFrame:
    """A row per seed and scored epoch, with the columns of `reports/metrics/`."""
    root = Path(root)
    study = load_study(root / "params.yaml")
    executor = local_executor(study.compute, most_gpus=1)
    scorer = _scorer(study, trained.variant.data, root, executor.device)
    folder = root / WORK / "api" / trained.name
    export_runs({path.name: path for path in trained.folders.values()}, folder)
    plain = Further(confirmed=False, repeated=False)
    return metrics_table(evaluate_variant(trained.name, trained.variant, folder, scorer, executor, plain), 0)


def _scorer(study: Study, data: DataSet, root: Path, device: str) -> Scorer:
    test, _ = images.load(data_folder(study, data, root), "test")
    return Scorer.of([classifier(study, data, root)], test, study.evaluate, device)
