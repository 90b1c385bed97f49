"""Whether the classifiers measure anything, asked before any generator is trained: every score is theirs."""

import math
from collections.abc import Mapping
from typing import Any

from gan.errors import StudyError
from gan.evaluation.classifier import Classifier
from gan.evaluation.scoring import Scorer, other_names

# FID of training images against test images, over the trace of the latter's covariance, is about 1e-2 at a sound
# classifier. Below this it is rounding.
ROUNDING = 1e-6
NEIGHBOURHOODS = ("precision", "recall", "density", "coverage")
REMEDY = "set classify.epochs higher, or classify.lr or classify.batch_size lower"


def check_weights(models: Mapping[int, Classifier], data: str) -> None:
    """StudyError unless every classifier of the data set, by its seed, has finite weights."""
    for seed, model in models.items():
        if not all(weights.isfinite().all() for weights in model.state_dict().values()):
            raise StudyError(f"the classifier of seed {seed} has weights that are not finite on {data}: {REMEDY}")


def check_accuracies(accuracies: Mapping[Any, float], least: float, data: str) -> None:
    """StudyError unless every accuracy on the data set, by its classifier's seed, is at least `least`."""
    for seed, accuracy in accuracies.items():
        if not accuracy >= least:
            raise StudyError(
                f"the classifier of seed {seed} recognises {accuracy:.4g} of the test images of {data}, less than "
                f"{least:g} (classify.least_accuracy), so its scores would mean nothing: {REMEDY}"
            )


def check_floor(scorer: Scorer, floor: Mapping[str, float], collapse: int, data: str) -> None:
    """StudyError if the scores of training images, in a generator's place, show that the scorer tells nothing apart.

    `floor` has those of the data set by name. A run that shows at most `collapse` digits counts as collapsed.
    """
    references = [scorer.reference.moments, *(moments for _, moments in scorer.others)]
    for name, moments in zip(("fid", *other_names(len(scorer.others))), references, strict=True):
        if not (math.isfinite(floor[name]) and floor[name] > ROUNDING * moments.covariance.trace().item()):
            raise StudyError(
                f"floor of {data}: {name} of training images is {floor[name]:.4g}: the classifier sees no difference "
                f"between images; delete models/{data}/ and train other classifiers (classify.epochs, classify.lr)"
            )
    for name in NEIGHBOURHOODS:
        if not floor[name] > 0:
            raise StudyError(
                f"floor of {data}: {name} of training images is {floor[name]:.4g}, and no generator could have more: "
                "set evaluate.neighbours or evaluate.images higher, or train other classifiers"
            )
    if floor["digits"] <= collapse:
        raise StudyError(
            f"floor of {data}: training images show {floor['digits']} digits, and a run that shows {collapse} "
            "(compare.collapse) or fewer counts as collapsed: set compare.collapse or evaluate.digit_share lower, "
            "classify.epochs higher"
        )
