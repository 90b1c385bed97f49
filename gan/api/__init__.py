"""The study in a few lines of Python, for notebooks: train a variant, score images, compare two variants.

    from gan import api

    trained = api.train("non_saturating", data="digits", epochs=40, seeds=[0, 1])
    api.score(trained.images(seed=0), data="digits")
    api.compare("non_saturating", "minimax")

`root` is the project's folder, where params.yaml is. Nothing published is touched: what these functions make lies in
`.work/`, and runs that are kept there are not trained again.
"""

from gan.api.comparing import compare
from gan.api.scoring import evaluate, score
from gan.api.training import TrainedVariant, train

__all__ = ["TrainedVariant", "compare", "evaluate", "score", "train"]
