"""A generator that `mlflow.pyfunc.load_model` loads: latents `[batch, latent]` in, images `[batch, pixel]` out.

MLflow keeps this file with every model and runs it when the model is loaded.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from safetensors.numpy import load_file

from gan.networks.registry import generate
from gan.study.recipe import Variant


class Generator(PythonModel):
    """A saved generator with the recipe that says what its network is."""

    def load_context(self, context: PythonModelContext) -> None:
        recipe = json.loads(Path(context.artifacts["recipe"]).read_text(encoding="utf-8"))
        self._variant = Variant.model_validate_json(json.dumps({**recipe, "seeds": [0]}))
        self._state = load_file(context.artifacts["generator"])

    def predict(self, context: PythonModelContext, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Images in [-1, 1] as float32, a row of pixels for each row of latents."""
        latents = model_input["latents"] if isinstance(model_input, dict) else model_input
        with torch.no_grad():
            return generate(self._variant, self._state, torch.from_numpy(np.asarray(latents, np.float32))).numpy()


set_model(Generator())
