"""The stage `publish`, and which generator a user gets: of the runs, else the published one, or one line why none."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import contents
from pictures.keeping import keep, pixels

from gan.compute import store
from gan.errors import StudyError
from gan.files import DamagedError, write
from gan.pictures.published import Origin, load_generator, save_generator
from gan.pictures.record import Strip
from gan.pictures.sources import find, published_file
from gan.records.reading import read
from gan.study.schema import Study
from stages.publish import publish

REPORTS = Path("reports")


@pytest.fixture
def root(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the tests' params.yaml, where the seeds 0, 1 and 2 of cewl are trained."""
    monkeypatch.chdir(tmp_path)
    keep(study.variants["cewl"], "cewl", tmp_path)
    return tmp_path


def refusal(study: Study, *arguments: str | int | None) -> str:
    with pytest.raises(StudyError) as caught:
        find(study, *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_stage_publishes_the_first_seeds_generator_and_its_epochs(study: Study, root: Path) -> None:
    publish("cewl", REPORTS)
    assert set(contents(root / "reports")) == {
        *("generators/cewl.safetensors", "strips/cewl.png", "strips/cewl.json", "interpolations/cewl.png")
    }
    assert read(Strip, root / "reports/strips/cewl.json") == Strip("cewl", 0, "mnist", 28, 10, [1, 2])
    assert pixels(root / "reports/strips/cewl.png").shape == (2 * 28, 10 * 28)
    assert pixels(root / "reports/interpolations/cewl.png").shape == (4 * 28, 12 * 28)
    published = load_generator(root / published_file("cewl"))
    assert published.origin == Origin("cewl", 0, 2, "key of cewl 0", "mnist", "mlp", 8, [16, 24])
    expected = store.load_generator(root / "runs/cewl", 0, 2)
    assert published.state.keys() == expected.keys()
    assert all(np.array_equal(published.state[name], expected[name]) for name in expected)


def test_equal_runs_are_published_as_equal_bytes(root: Path) -> None:
    """What a library keeps in a hash table it writes in another order each time."""
    for place in range(5):
        publish("cewl", root / f"reports-{place}")
        assert contents(root / f"reports-{place}") == contents(root / "reports-0")


def test_a_failed_run_is_published_as_far_as_it_came(study: Study, root: Path) -> None:
    keep(study.variants["minimax"], "minimax", root, epochs=(1,))
    publish("minimax", REPORTS)
    assert load_generator(root / published_file("minimax")).origin.epoch == 1
    assert read(Strip, root / "reports/strips/minimax.json").epochs == [1]
    keep(study.variants["minimax"], "minimax", root, epochs=())
    publish("minimax", REPORTS)
    assert load_generator(root / published_file("minimax")).origin.epoch == 0
    assert read(Strip, root / "reports/strips/minimax.json").epochs == []
    assert pixels(root / "reports/strips/minimax.png").shape == (28, 280)
    diverged = "minimax/seed-0 has no generator: the run diverged before its first one was kept"
    assert refusal(study, "minimax").endswith(diverged)
    shutil.rmtree(root / "runs")
    assert refusal(study, "minimax").endswith("has no generator: the run diverged before its first one was kept")


def test_an_encoder_is_not_published(study: Study, root: Path) -> None:
    origin = Origin("vae", 0, 2, "key", "mnist", "mlp", 8, [16, 24])
    parts = {"model.0.bias": np.ones(3, np.float32), "encoder.0.bias": np.zeros(2, np.float32)}
    save_generator(root / "one.safetensors", origin, parts)
    assert load_generator(root / "one.safetensors").state.keys() == {"model.0.bias"}


def test_a_user_gets_the_run_that_is_asked_for(study: Study, root: Path) -> None:
    for seed, epoch, found in ((None, None, (0, 2)), (1, None, (1, 2)), (2, 1, (2, 1))):
        source = find(study, "cewl", seed, epoch)
        assert (source.seed, source.epoch) == found
        assert source.key == f"key of cewl {source.seed}"
        expected = store.load_generator(root / "runs/cewl", *found)
        assert all(np.array_equal(source.state[name], expected[name]) for name in expected)
    publish("cewl", REPORTS)
    shutil.rmtree(root / "runs")
    source = find(study, "cewl")
    assert (source.seed, source.epoch, source.path) == (0, 2, published_file("cewl"))
    assert find(study, "cewl", 0, 2).path == published_file("cewl")


def test_what_there_is_not_is_told_with_what_there_is(study: Study, root: Path) -> None:
    assert refusal(study, "cewll") == "params.yaml, variants: cewll is unknown: did you mean cewl?"
    assert refusal(study, "cewl", 7) == "runs/cewl has no run of seed 7; its seeds are 0, 1 and 2"
    assert refusal(study, "cewl", 0, 5) == (
        "runs/cewl/seed-0 has no generator of epoch 5; there are those of epochs 1 and 2"
    )
    assert refusal(study, "minimax") == (
        "minimax has no generator: there is neither runs/minimax nor reports/generators/minimax.safetensors; "
        "`make variant NAME=minimax` trains it"
    )
    publish("cewl", REPORTS)
    shutil.rmtree(root / "runs")
    path = "reports/generators/cewl.safetensors"
    assert refusal(study, "cewl", 1) == (
        f"{path} is the generator of seed 0, not 1, and there is no runs/cewl: `make variant NAME=cewl` trains it"
    )
    assert refusal(study, "cewl", 0, 1) == f"{path} has no generator of epoch 1; there is that of epoch 2"


def test_generators_of_an_earlier_recipe_are_refused(study: Study, root: Path) -> None:
    publish("cewl", REPORTS)
    wider = study.variants["cewl"].model_copy(update={"generator_hidden": (16, 25)})
    study = study.model_copy(update={"variants": {**study.variants, "cewl": wider}})
    told = "has other layers than params.yaml now says of its variant"
    assert told in refusal(study, "cewl")
    shutil.rmtree(root / "runs")
    assert told in refusal(study, "cewl")


def test_damaged_generators_are_told(study: Study, root: Path) -> None:
    publish("cewl", REPORTS)
    write(root / "runs/cewl/seed-0/generator-0002.safetensors", b"damaged")
    with pytest.raises(DamagedError, match=r"seed-0/generator-0002.safetensors is damaged"):
        find(study, "cewl")
    shutil.rmtree(root / "runs")
    path = published_file("cewl")
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    del header["__metadata__"]
    bare = json.dumps(header).encode()
    for content in (b"", b"damaged", whole[:-1], len(bare).to_bytes(8, "little") + bare + whole[8 + length :]):
        write(path, content)
        with pytest.raises(DamagedError, match=r"cewl.safetensors is damaged: `git checkout reports/generators/"):
            find(study, "cewl")
