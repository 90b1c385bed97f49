"""`gan sample` and `gan interpolate`, as a user types them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures.keeping import keep, pixels
from typer.testing import CliRunner

from gan.commands.app import app
from gan.errors import StudyError
from gan.study.schema import Study
from stages.publish import publish

Command = Callable[..., str]


@pytest.fixture
def gan(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `gan` where one run of cewl is published and trained; returns what it prints, or raises what it raises."""
    monkeypatch.chdir(tmp_path)
    keep(study.variants["cewl"], "cewl", tmp_path, 0)
    publish("cewl", Path("reports"))

    def command(*arguments: str) -> str:
        ended = CliRunner().invoke(app, arguments)
        if isinstance(ended.exception, StudyError):
            raise ended.exception
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    return command


def test_samples_are_drawn_and_told_where(gan: Command) -> None:
    path = ".scratch/pictures/cewl-seed-0-epoch-2.png"
    assert gan("sample", "cewl").splitlines() == [
        "cewl, seed 0, after 2 epochs, from runs/cewl/seed-0/generator-0002.safetensors",
        f"Written to {path}",
    ]
    assert pixels(Path(path)).shape == (8 * 28, 8 * 28)
    shutil.rmtree("runs")
    before = Path(path).read_bytes()
    assert "from reports/generators/cewl.safetensors" in gan("sample", "cewl")
    assert Path(path).read_bytes() == before
    gan("sample", "cewl", "--latents", "1")
    assert Path(path).read_bytes() != before


def test_samples_as_arrays(gan: Command) -> None:
    printed = gan("sample", "cewl", "--epoch", "1", "--seed", "0", "--count", "5", "--output", "mine.png", "--npz")
    assert printed.splitlines()[1:] == ["Written to mine.png", "Written to mine.npz"]
    with np.load("mine.npz") as arrays:
        images, latents = arrays["images"], arrays["latents"]
    assert (images.shape, images.dtype) == ((5, 28, 28), np.float32)
    assert latents.shape == (5, 8)
    picture = pixels(Path("mine.png"))
    assert picture.shape == (2 * 28, 3 * 28)
    assert np.abs(picture[:28, :28] / 255 * 2 - 1 - images[0]).max() < 0.005


def test_a_way_between_latents_is_drawn(gan: Command) -> None:
    printed = gan("interpolate", "cewl", "--from-seed", "2", "--to-seed", "3", "--steps", "12")
    path = ".scratch/pictures/cewl-seed-0-epoch-2-from-2-to-3.png"
    assert printed.endswith(f"Written to {path}\n")
    published = pixels(Path("reports/interpolations/cewl.png")).astype(int)
    assert np.abs(pixels(Path(path)) - published[28 : 2 * 28]).max() <= 1  # rounding of another batch
    gan("interpolate", "cewl", "--steps", "3", "--output", "way.png")
    assert pixels(Path("way.png")).shape == (28, 3 * 28)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sample", "cewll"), r"^params\.yaml, variants: cewll is unknown: did you mean cewl\?$"),
        (("interpolate", "cewll"), r"^params\.yaml, variants: cewll is unknown: did you mean cewl\?$"),
        (("sample", "cewl", "--epoch", "5"), "has no generator of epoch 5; there are those of epochs 1 and 2$"),
        (("interpolate", "cewl", "--seed", "7"), "no run of seed 7; its seeds are 0$"),
        (("sample", "cewl", "--output", "mine.jpg"), r"^mine\.jpg: a picture's name ends in \.png$"),
    ],
)
def test_what_cannot_be_drawn_is_told(gan: Command, arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(StudyError, match=told):
        gan(*arguments)
    assert not list(Path().rglob("mine.*"))
    assert not Path(".scratch").exists()
