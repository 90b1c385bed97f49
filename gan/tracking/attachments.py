"""What a run in MLflow has beside numbers: its data set, commit, files, pictures and a generator to load."""

import json
import subprocess
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mlflow import MlflowClient, pyfunc
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from PIL import Image

from gan.files import room_checksum
from gan.images import SIDE
from gan.tracking.recorded import RecordedRun, SavedGenerator, Strip, UsedData

PACKAGE = Path(__file__).parents[1]
# What decides a weight, as `gan.compute.trainer.code_checksum` has it.
ROOMS = ("training", "networks")
FILES = ("images.py", "seeding.py")
DIGEST = 36  # MLflow's limit


def attach(run: RecordedRun, client: MlflowClient, experiment: str, run_id: str) -> None:
    """Give a run in MLflow all that the record has beside numbers and tags."""
    if run.data:
        client.log_inputs(run_id, [_input(run.data)])
    for file, folder in run.files:
        client.log_artifact(run_id, str(file), folder)
    if run.strip:
        _log_strip(run.strip, client, run_id)
    if run.generator:
        _log_generator(run.generator, run.name, client, experiment, run_id)


@cache
def commit(code: str) -> str | None:
    """The commit that is checked out, if its code is that of this checksum; None without git."""
    if room_checksum(*ROOMS) != code:
        return None
    try:
        places = [*ROOMS, *FILES]
        subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *places], cwd=PACKAGE, check=True, capture_output=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PACKAGE, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip()


def forget_models(client: MlflowClient, experiment: str, run_ids: set[str]) -> None:
    """Delete the generators of superseded runs, which would be listed for ever."""
    token = None
    while run_ids:
        found = client.search_logged_models([experiment], page_token=token)
        for model in found:
            if model.source_run_id in run_ids:
                client.delete_logged_model(model.model_id)
        token = found.token
        if not token:
            return


def _input(data: UsedData) -> DatasetInput:
    source = json.dumps({"name": data.name, "sha256": data.checksum})
    dataset = Dataset(data.name, data.checksum[:DIGEST], source_type="local", source=source)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _log_strip(strip: Strip, client: MlflowClient, run_id: str) -> None:
    """A picture for each epoch, in the page's image panel."""
    with Image.open(strip.picture) as picture:
        pixels = np.asarray(picture.convert("L"))
    rows = np.split(pixels, len(strip.epochs))
    for epoch, row in zip(strip.epochs, rows, strict=True):
        client.log_image(run_id, Image.fromarray(row), key="images", step=epoch, synchronous=True)


def _log_generator(saved: SavedGenerator, name: str, client: MlflowClient, experiment: str, run_id: str) -> None:
    """A model that makes images of latents: `mlflow.pyfunc.load_model`, in an environment that has this package."""
    latents = TensorSpec(np.dtype("float32"), (-1, saved.recipe["latent_dim"]), "latents")
    images = TensorSpec(np.dtype("float32"), (-1, SIDE**2), "images")
    model = client.create_logged_model(
        experiment, name.replace("/", "-"), run_id, params={"epoch": str(saved.epoch)}, model_type="generator"
    )
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MLflow warns of its own types' hints
        path = Path(folder)
        recipe = path / "recipe.json"
        recipe.write_text(json.dumps(saved.recipe), encoding="utf-8")
        pyfunc.save_model(
            str(path / "model"),
            python_model=str(Path(__file__).with_name("generator.py")),
            artifacts={"generator": str(saved.file), "recipe": str(recipe)},
            signature=ModelSignature(Schema([latents]), Schema([images])),
            pip_requirements=["numpy", "safetensors", "torch"],
        )
        client.log_model_artifacts(model.model_id, str(path / "model"))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, saved.epoch)])
