"""What is decided before the study's seeds run. Its checksum reveals every later change."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from gan.formatting import PERCENT
from gan.study.schema import Study

CLAIMS = Path(__file__).with_name("claims.yaml")


@dataclass(frozen=True)
class Claim:
    """A claim of a source, and the rule by which it gets its verdict.

    `thresholds` are the rule's numbers by name. `figure` is the report's figure that shows it, if there is one.
    `shared_fact` names the variant whose learning, one fact, also decides the other claims that name it.
    """

    kind: Literal["identity", "mechanism", "outcome"]
    text: str
    rule: str
    thresholds: dict[str, float] = field(default_factory=dict)
    figure: str | None = None
    shared_fact: str | None = None

    @property
    def stated(self) -> str:
        """The rule as a sentence, its thresholds in place."""
        return self.rule.format(**self.thresholds).replace("%", PERCENT)


def claims() -> dict[str, Claim]:
    """All claims by their ids."""
    return {name: Claim(**claim) for name, claim in YAML(typ="safe", pure=True).load(CLAIMS).items()}


def preregistration(study: Study) -> dict[str, Any]:
    """The rules of verdicts and scores, the variants of hypotheses and controls, the designs, the claims' rules.

    A variant that no hypothesis and no control names is not part of it: it may join later, as an exploration. So may an
    objective of the search.
    """
    named = [name for name in study.variants if name in study.compare.named]
    return {
        "compare": study.compare.model_dump(mode="json", exclude={"power"}),
        "evaluate": study.evaluate.model_dump(mode="json", exclude={"grid_seeds", "grid_columns"}),
        "classify": study.classify.model_dump(mode="json", exclude={"least_accuracy"}),
        "variants": {name: study.variants[name].identity() for name in named},
        "baseline": study.baseline.model_dump(mode="json"),
        "ladder": study.ladder.model_dump(mode="json"),
        "search": study.search.model_dump(mode="json", exclude={"objectives", "resamples"}),
        "toys": study.toys.model_dump(mode="json"),
        "mechanism": study.mechanism.model_dump(mode="json", exclude={"steps"}),
        "memory": study.memory.model_dump(mode="json"),
        "specifications": study.specifications.model_dump(mode="json"),
        "claims": CLAIMS.read_text(encoding="utf-8"),
    }


def checksum(study: Study) -> str:
    """SHA-256, in hex, of the preregistration as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(preregistration(study), sort_keys=True).encode()).hexdigest()
