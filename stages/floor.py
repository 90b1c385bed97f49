"""Score training images as if they were generated: the best that can be hoped for, to reports/floor.json."""

from pathlib import Path

from gan import errors
from gan.evaluation.classifier import load_classifiers
from gan.evaluation.instrument import check_floor
from gan.evaluation.metrics import SHARES, digit_shares
from gan.evaluation.scoring import Scorer
from gan.files import write_json
from gan.images import load, scale
from gan.study.loading import load_study


def main() -> None:
    study, data = load_study(), Path("data")
    train, _ = load(data, "train")
    test, labels = load(data, "test")
    scorer = Scorer.of(load_classifiers(Path("models")), test, study.evaluate, "cpu")
    images = train[: study.evaluate.images]
    scores = scorer.score(scale(images))
    check_floor(scorer, scores, study.compare.collapse)
    floor = {name: value for name, value in scores.items() if name not in SHARES}
    shares = digit_shares(labels.long())
    write_json(Path("reports/floor.json"), {"images": len(images), **floor, "digit_shares": shares})


if __name__ == "__main__":
    errors.run(main)
