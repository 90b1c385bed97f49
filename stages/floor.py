"""Score training images as if they were generated, and images that have learnt nothing: to reports/floor.json.

By data set: the best to be hoped for, and under `controls` what a failure scores.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from gan import errors
from gan.compute.executors import local_executor
from gan.evaluation.classifier import load_classifiers
from gan.evaluation.instrument import check_floor, control_images
from gan.evaluation.metrics import SHARES, digit_shares
from gan.evaluation.scoring import Scorer
from gan.files import write_json
from gan.images import load, scale
from gan.study.loading import load_study
from gan.study.schema import Study


def main() -> None:
    study = load_study()
    write_json(Path("reports/floor.json"), {name: _floor(study, name) for name in study.data_sets})


def _floor(study: Study, name: str) -> dict[str, Any]:
    data = Path("data") / name
    train, _ = load(data, "train")
    test, labels = load(data, "test")
    device = local_executor(study.compute, most_gpus=1).device  # that of the evaluation, with which it is compared
    scorer = Scorer.of(load_classifiers(Path("models") / name), test, study.evaluate, device)
    images = train[: study.evaluate.images]
    scores = _scores(scorer, scale(images))
    unlearnt = control_images(scorer.images, len(images))
    controls = {kind: _scores(scorer, each) for kind, each in unlearnt.items()}
    check_floor(scorer, scores, controls, study.compare.learnt, name)
    return {"images": len(images), **scores, "digit_shares": digit_shares(labels.long()), "controls": controls}


def _scores(scorer: Scorer, images: Tensor) -> dict[str, float]:
    """Of images in a generator's place, all but the share of each digit."""
    scores = scorer.score(images) | scorer.other_fids(images)
    return {name: value for name, value in scores.items() if name not in SHARES}


if __name__ == "__main__":
    errors.run(main)
