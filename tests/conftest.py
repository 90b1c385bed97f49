"""What tests share: a small valid study, and threads as the workers have them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from gan.rehearsal import lay_over
from gan.study import Study, Variant, load_study

ROOT = Path(__file__).parent.parent
SMALL = {
    "baseline": {
        "seeds": [0, 1, 2],
        "epochs": 2,
        "snapshots": [1],
        "batch_size": 16,
        "latent_dim": 8,
        "generator_hidden": [16, 24],
        "discriminator_hidden": [24, 16],
    },
    "evaluate": {"images": 200, "grid_columns": 4, "grid_seeds": 2},
    "compute": {"device": "cpu", "workers": 2},
}


@pytest.fixture(autouse=True)
def _single_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def raw_params() -> dict[str, Any]:
    """The project's params.yaml, shrunk."""
    return lay_over(YAML(pure=True).load(ROOT / "params.yaml"), SMALL)


@pytest.fixture
def write_params(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def write(params: dict[str, Any]) -> Path:
        path = tmp_path / "params.yaml"
        with path.open("w") as file:
            YAML(pure=True).dump(params, file)
        return path

    return write


@pytest.fixture
def study(raw_params: dict[str, Any], write_params: Callable[[dict[str, Any]], Path]) -> Study:
    return load_study(write_params(raw_params))


@pytest.fixture
def variant(study: Study) -> Variant:
    return study.variants["non_saturating"]


@pytest.fixture
def images() -> torch.Tensor:
    """200 images of noise, uint8 `[image, 28, 28]`: a last batch of 8 is part of every epoch."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (200, 28, 28), dtype=torch.uint8, generator=generator)
