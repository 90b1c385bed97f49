"""`gan rescore`: the published scores are those of the published weights, or a line says why not."""

import shutil
from pathlib import Path

import pytest
import torch
from pictures.keeping import keep
from safetensors.torch import save
from typer.testing import CliRunner

from gan.commands.app import app
from gan.errors import StudyError
from gan.evaluation.classifier import Classifier, load_classifiers, save_classifiers
from gan.evaluation.scoring import Further, Scorer, metrics_table, score_run, snapshots_table
from gan.files import sha256, write, write_json
from gan.study.schema import Study
from stages.publish import publish


def put_images(images: torch.Tensor) -> None:
    """These test images `[image, 28, 28]`, as if they were downloaded."""
    write(Path("data/mnist/test.safetensors"), save({"images": images, "labels": images[:, 0, 0].clone()}))
    write_json(Path("data/mnist/data.json"), {"sha256": {"test": sha256(Path("data/mnist/test.safetensors"))}})


def score(study: Study, name: str, images: torch.Tensor) -> None:
    """Score a variant's runs as the stage `evaluate` does."""
    scorer = Scorer.of(load_classifiers(Path("models/mnist")), images, study.evaluate, "cpu")
    variant, further = study.variants[name], Further(confirmed=False, repeated=False)
    scored = [score_run((name, variant, Path("runs") / name, scorer, further), 0, lambda runs: None)]
    write(Path(f"reports/metrics/{name}.csv"), metrics_table(scored, 0).to_csv(index=False))
    write(Path(f"reports/snapshots/{name}.csv"), snapshots_table(name, scored).to_csv(index=False))


@pytest.fixture
def clone(study: Study, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone without runs: cewl is published and scored, and minimax, whose runs failed after their first epoch."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save_classifiers({0: Classifier()}, Path("models/mnist"), {})
    put_images(images)
    for name, epochs in (("cewl", None), ("minimax", (1,))):
        keep(study.variants[name], name, tmp_path, 0, epochs=epochs)
        score(study, name, images)
        publish(name, Path("reports"))
    shutil.rmtree("runs")
    return tmp_path


def rescored(variant: str) -> list[str]:
    """What the command prints, line by line."""
    ended = CliRunner().invoke(app, ["rescore", variant])
    if isinstance(ended.exception, StudyError):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    return ended.stdout.splitlines()


@pytest.mark.usefixtures("clone")
def test_scores_are_those_of_the_published_weights(images: torch.Tensor) -> None:
    same = "Equal to the published scores, to the last digit"
    first, *scores, last = rescored("cewl")
    assert first == "reports/generators/cewl.safetensors: seed 0, after 2 epochs, scored on cpu"
    assert [line.split()[0] for line in scores] == ["fid", "kid", "recall", "coverage", "digits"]
    assert last == same
    first, *scores, last = rescored("minimax")
    assert "seed 0, after 1 epoch," in first
    assert [line.split()[0] for line in scores] == ["fid"]
    assert last == same

    nearly = images.clone()
    nearly[0, 0, 0] ^= 1
    put_images(nearly)
    assert rescored("cewl")[-1].endswith(" of it: rounding, as on another kind of processor")
    put_images(images // 2)
    with pytest.raises(StudyError, match=r"^FID differs from the published one by .*, more than rounding explains"):
        rescored("cewl")


def test_what_cannot_be_scored_is_told(clone: Path) -> None:
    with pytest.raises(StudyError, match=r"^params\.yaml, variants: cewll is unknown: did you mean cewl\?$"):
        rescored("cewll")
    with pytest.raises(StudyError, match=r"^vae has no generator: there is neither runs/vae nor "):
        rescored("vae")
    shutil.rmtree(clone / "data")
    with pytest.raises(StudyError, match=r"^data/mnist has no images: `\.venv/bin/dvc repro download` fetches them$"):
        rescored("cewl")
    for name in ("cewl", "minimax"):
        scores = clone / f"reports/metrics/{name}.csv"
        scores.write_text(scores.read_text(encoding="utf-8").replace("key of", "another key of"), encoding="utf-8")
        with pytest.raises(StudyError, match=rf"^reports has no score of reports/generators/{name}\.safetensors: "):
            rescored(name)
