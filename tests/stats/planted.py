"""Tables of metrics whose truth is known, and the record that a comparison makes of them."""

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from gan.records.comparison import Comparison
from gan.stats.comparison import compare
from gan.stats.scores import Runs
from gan.study.schema import Compare, Control, Hypothesis, Learnt

ALPHA, MARGIN = 0.05, 1.1
LEARNT = Learnt(coverage=0.002, digits=2, epochs=20)
SEEDS = 20


def hypothesis(name: str, kind: str, variant: str, against: str) -> Hypothesis:
    return Hypothesis(id=name, kind=kind, variant=variant, against=against, text=f"{variant}, {against}")


def control(name: str, variant: str, against: str) -> Control:
    return Control(id=name, kind="equivalence", variant=variant, against=against, text="The same mathematics.")


FAMILY = (
    hypothesis("H1", "superiority", "non_saturating", "minimax"),
    hypothesis("H2", "superiority", "cewl", "minimax"),
    hypothesis("H3", "equivalence", "cewl", "non_saturating"),
)


def rules(
    hypotheses: Sequence[Hypothesis] = (),
    reference: str = "b",
    controls: Sequence[Control] = (),
    learnt: Learnt = LEARNT,
) -> Compare:
    return Compare(
        metric="fid",
        alpha=ALPHA,
        margin=MARGIN,
        learnt=learnt,
        power=0.8,
        reference=reference,
        hypotheses=tuple(hypotheses),
        controls=tuple(controls),
    )


def table(
    variant: str, fid: Collection[float], first_seed: int = 1, epoch: int = 20, collapsed: Collection[int] = ()
) -> pd.DataFrame:
    """One variant's metrics; an infinite FID stands for a run that diverged, `collapsed` are of mode collapse."""
    diverged = [not math.isfinite(value) for value in fid]
    return pd.DataFrame(
        {
            "variant": variant,
            "data": "mnist",
            "seed": range(first_seed, first_seed + len(fid)),
            "epoch": epoch,
            "averaged": str(epoch),
            "status": ["failed" if lost else "finished" for lost in diverged],
            "fid": [math.nan if lost else value for lost, value in zip(diverged, fid, strict=True)],
            "coverage": [math.nan if lost else 0.5 for lost in diverged],
            "digits": [
                math.nan if lost else 2.0 if place in collapsed else 10.0 for place, lost in enumerate(diverged)
            ],
        }
    )


def runs(fid: Collection[float]) -> Runs:
    """Runs by rising seed; an infinite FID stands for one that diverged."""
    values = np.array(fid, float)
    states = np.where(np.isinf(values), "diverged", "learnt").astype(object)
    return Runs(np.arange(len(values)), np.where(np.isinf(values), np.nan, values), states)


def planted(ratio: float, sd: float, n: int = SEEDS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """FID of two variants that share each seed's luck; without noise, the first is `ratio` times the second."""
    generator = np.random.default_rng(seed)
    luck = generator.normal(2, 0.3, n)
    return np.exp(luck + math.log(ratio) + generator.normal(0, sd, n)), np.exp(luck)


def study_table(n: int = SEEDS) -> pd.DataFrame:
    """Metrics under which all of `FAMILY` holds."""
    cewl, non_saturating = planted(1, 0.05, n)
    noise, none = planted(1, 0.1, n, seed=1)
    minimax = table("minimax", 1.25 * non_saturating * noise / none)
    return pd.concat([minimax, table("non_saturating", non_saturating), table("cewl", cewl)])


def compared(metrics: pd.DataFrame | Sequence[pd.DataFrame], *arguments: Any, **changes: Any) -> dict[str, Any]:
    """The comparison by `rules` as its JSON file has it, which reads as the same comparison."""
    metrics = metrics if isinstance(metrics, pd.DataFrame) else pd.concat(metrics)
    comparison = compare(metrics, rules(*arguments, **changes))
    content = json.dumps(comparison, allow_nan=False, default=asdict)
    assert TypeAdapter(Comparison).validate_json(content) == comparison
    return json.loads(content)


def declared(tables: Sequence[pd.DataFrame], kind: str = "superiority") -> dict[str, Any]:
    """The contrast of `a` against `b`, declared beforehand."""
    (contrast,) = compared(tables, [hypothesis("H", kind, "a", "b")])["contrasts"]
    return contrast


def contrast(variant: np.ndarray, against: np.ndarray, kind: str = "superiority") -> dict[str, Any]:
    return declared([table("a", variant), table("b", against)], kind)


def controlled(tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """The contrast of `a` against `b`, two forms of the same mathematics."""
    (contrast,) = compared(tables, controls=[control("A", "a", "b")])["contrasts"]
    return contrast


def explored(tables: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
    """The contrasts of all others against `b`."""
    return compared(tables)["contrasts"]
