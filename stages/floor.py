"""Score training images as if they were generated: the best to be hoped for, by data set to reports/floor.json."""

from pathlib import Path
from typing import Any

from gan import errors
from gan.compute.executors import local_executor
from gan.evaluation.classifier import load_classifiers
from gan.evaluation.instrument import check_floor
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
    scaled = scale(images)
    scores = scorer.score(scaled) | scorer.other_fids(scaled)
    check_floor(scorer, scores, study.compare.collapse, name)
    floor = {score: value for score, value in scores.items() if score not in SHARES}
    return {"images": len(images), **floor, "digit_shares": digit_shares(labels.long())}


if __name__ == "__main__":
    errors.run(main)
