"""What is decided before the study's seeds run, and its checksum: what is changed afterwards can't pass unseen."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan.study import Study

CLAIMS = Path(__file__).with_name("claims.yaml")


def declaration(study: "Study") -> dict[str, Any]:
    """The rules of verdicts, what a score is, the runs that hypotheses rest on, and the claims with their rules.

    A variant that no hypothesis and no control names is not part of it: it may join later, as an exploration.
    """
    named = [name for name in study.variants if name in study.compare.named]
    return {
        "compare": study.compare.model_dump(mode="json", exclude={"power"}),
        "evaluate": study.evaluate.model_dump(mode="json", exclude={"grid_seeds", "grid_columns"}),
        "classify": study.classify.model_dump(mode="json"),
        "variants": {name: study.variants[name].model_dump(mode="json") for name in named},
        "claims": CLAIMS.read_text(encoding="utf-8"),
    }


def checksum(study: "Study") -> str:
    """SHA-256, in hex, of the declaration as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(declaration(study), sort_keys=True).encode()).hexdigest()
