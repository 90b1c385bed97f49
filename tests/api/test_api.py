"""The study in Python: comparisons with a known answer, faults in one line, and the notebook that shows it all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, TESTS
from ruamel.yaml import YAML
from running_notebooks import code_cells, execute, read

from gan import api
from gan.errors import StudyError
from gan.files import write
from gan.study.loading import load_study, load_variant

Write = Callable[[dict[str, Any]], Path]


@pytest.fixture
def project(raw_params: dict[str, Any], write_params: Write) -> Path:
    """A folder with the tests' params.yaml."""
    return write_params(raw_params).parent


def table(variant: str, fids: list[float], data: str = "mnist", epoch: int = 20) -> pd.DataFrame:
    rows = {"seed": range(len(fids)), "fid": fids, "kid": 0.1, "coverage": 0.5, "digits": 10, "status": "finished"}
    return pd.DataFrame({"variant": variant, "data": data, "epoch": epoch, "averaged": str(epoch), **rows})


def test_a_comparison_of_tables_with_a_known_answer(project: Path) -> None:
    fids = [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]
    better, worse = table("a", fids), table("b", [2 * fid for fid in fids])
    contrast = api.compare(better, worse, project)
    assert contrast.ratio == pytest.approx(0.5)
    assert contrast.p == pytest.approx(2 / 924)  # the two orders in which one of 12 choose 6 is all below the other
    assert (contrast.improvement, contrast.verdict) == (1.0, "supported")
    assert api.compare(worse, better, project).ratio == pytest.approx(2.0)


def test_tables_may_be_names_and_paths(project: Path) -> None:
    whole = {"failed_epoch": np.nan, "failure": "", "key": "k"}
    for name, fids in (("a", [1.0, 2.0]), ("b", [3.0, 4.0])):
        write(project / f"reports/metrics/{name}.csv", table(name, fids).assign(**whole).to_csv(index=False))
    named = api.compare("a", "b", project)
    assert api.compare(project / "reports/metrics/a.csv", str(project / "reports/metrics/b.csv"), project) == named
    twice = api.compare("a", "a", project)
    assert (twice.variant, twice.against, twice.ratio) == ("a (first)", "a (second)", pytest.approx(1.0))
    with pytest.raises(StudyError, match=r"aa is unknown: did you mean a\?$"):
        api.compare("aa", "b", project)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (table("b", [1.0], data="digits"), "a is scored on mnist and b on digits: they can't be compared"),
        (table("b", [1.0], epoch=8), "a and b were scored at no epoch in common"),
        (table("b", []), "a table without a row can't be compared"),
    ],
)
def test_what_cannot_be_compared_is_one_line(project: Path, other: pd.DataFrame, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        api.compare(table("a", [1.0]), other, project)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("minmax", {}, "params.yaml, variants: minmax is unknown: did you mean minimax?"),
        ("minimax", {"epoch": 5}, "{}: variants.minimax.epoch: unknown key: did you mean epochs?"),
        ("minimax", {"epochs": 0}, "{}: variants.minimax.epochs: Input should be greater than 0, not 0"),
        ("minimax", {"objective": "hing"}, "{}: variants.minimax.objective: hing is unknown: did you mean hinge?"),
        ("minimax", {"objective": "my.py:x"}, "{}: variants.minimax.objective: own/my.py is missing, not 'my.py:x'"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_one_line(
    project: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError) as caught:
        api.train(name, project, **changes)
    assert str(caught.value) == message.format(project / "params.yaml")


def test_a_variant_may_have_other_values(project: Path) -> None:
    """As if params.yaml had them: an optimizer's other values stay."""
    path, before = project / "params.yaml", load_study(project / "params.yaml").variants["minimax"]
    assert load_variant(path, "minimax", {}) == before
    changed = load_variant(path, "minimax", {"generator_optimizer": {"lr": 0.001}, "seeds": [7]})
    optimizer = before.generator_optimizer.model_copy(update={"lr": 0.001})
    assert changed == before.model_copy(update={"generator_optimizer": optimizer, "seeds": (7,)})


def test_a_trained_variant_has_records_generators_and_images(
    project: Path, monkeypatch: pytest.MonkeyPatch, images: torch.Tensor
) -> None:
    """Without worker processes, whose start takes longer than all else."""
    monkeypatch.setattr("gan.compute.trainer.local_executor", lambda compute: InThisProcess())
    changes = {"data": "digits", "epochs": 1, "snapshots": [], "seeds": [3, 4], "batch_size": 500}
    trained = api.train("minimax", project, **changes)
    assert trained.record(3)["status"] == "finished"
    assert trained.history[["seed", "epoch"]].to_numpy().tolist() == [[3, 1], [4, 1]]
    shown = trained.images(seed=4, count=5)
    assert shown.shape == (5, 28, 28)
    assert shown.abs().max() <= 1
    assert {name.partition(".")[0] for name in trained.generator(3)} == {"model"}
    with pytest.raises(StudyError, match=r"^seed 3 has no generator of epoch 9: the variant keeps those of 1$"):
        trained.generator(3, epoch=9)
    with pytest.raises(StudyError, match=r"^seed 5 is unknown; known are 3, 4$"):
        trained.record(5)
    monkeypatch.setattr(InThisProcess, "run", lambda *_: iter([]))
    assert api.train("minimax", project, **changes) == trained  # kept: nobody is asked to train
    assert not (project / "data").exists()


class InThisProcess:
    """An executor whose only worker is this process."""

    device, workers = "cpu", 1

    def run(self, task: Any, items: Any, shared: Any, on_progress: Any) -> Any:
        return (task(shared, item, on_progress) for item in items)


@pytest.mark.slow
def test_the_notebook_does_what_it_shows(tmp_path: Path) -> None:
    """Its cells run, in a project of the tests' own, and give the kinds of output that are stored in it."""
    params = YAML(typ="safe", pure=True).load(TESTS / "params.yaml")
    params["evaluate"]["images"] = 500
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(pure=True).dump(params, file)
    for name in ("minimax", "non_saturating"):
        write(tmp_path / f"reports/metrics/{name}.csv", (ROOT / f"reports/metrics/{name}.csv").read_bytes())
    (tmp_path / "docs").mkdir()
    stored = code_cells(read())
    made = execute(stored, tmp_path / "docs")

    def kinds(outputs: list[dict[str, Any]]) -> list[str]:
        return [output["output_type"] for output in outputs]

    assert [kinds(outputs) for outputs in made] == [kinds(cell["outputs"]) for cell in stored]
    assert [cell["execution_count"] for cell in stored] == list(range(1, len(stored) + 1))
    printed = "".join(line for outputs in made for output in outputs for line in output.get("text", ()))
    assert "epoch: unknown key: did you mean epochs?" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"params.yaml", "reports", "docs", ".work"}
