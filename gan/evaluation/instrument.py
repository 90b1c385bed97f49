"""Whether the classifiers measure anything, asked before any generator is trained: every score is theirs."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gan.compute.tables import Learnt, states
from gan.errors import StudyError
from gan.evaluation.classifier import Classifier
from gan.evaluation.scoring import Scorer, other_names
from gan.seeding import random_generator

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


def control_images(test: Tensor, count: int) -> dict[str, Tensor]:
    """So many images `[image, height, width]` of each kind that no study may call learnt.

    They are the mean of the images `test` in [-1, 1], and static noise, uniform over that range, always the same.
    """
    mean = test.mean(0)
    noise = torch.rand(count, *mean.shape, generator=random_generator(0, "noise")) * 2 - 1
    return {"mean_image": mean.expand(count, *mean.shape), "noise": noise}


def check_floor(
    scorer: Scorer, floor: Mapping[str, float], controls: Mapping[str, Mapping[str, float]], learnt: Learnt, data: str
) -> None:
    """StudyError if what is known to be good or bad shows that the scorer tells nothing apart.

    `floor` has the scores of training images, in a generator's place, by name, and `controls` those of images that no
    study may call learnt, by their kind. `learnt` is the study's rule.
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
    if (state := state_of(floor, learnt)) != "learnt":
        raise StudyError(
            f"floor of {data}: training images cover {floor['coverage']:.4g} of the test images and show "
            f"{floor['digits']} digits, which counts as {state}: set compare.learnt.coverage, compare.learnt.digits or "
            "evaluate.digit_share lower, classify.epochs higher"
        )
    for kind, scores in controls.items():
        if state_of(scores, learnt) == "learnt":
            raise StudyError(
                f"floor of {data}: {kind.replace('_', ' ')} covers {scores['coverage']:.4g} of the test images and "
                f"shows {scores['digits']} digits, which counts as learnt: set compare.learnt.coverage or "
                "compare.learnt.digits higher"
            )


def state_of(scores: Mapping[str, float], learnt: Learnt) -> str:
    """The state of a run that has these scores after as many epochs as decide it."""
    row = pd.DataFrame([{**scores, "status": "finished", "epoch": learnt.epochs}])
    return str(states(row, learnt).iloc[0])
