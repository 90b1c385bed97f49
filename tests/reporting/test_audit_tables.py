"""The audit as people see it: the command's tables, and the figure of its curves."""

import pandas as pd
import pytest

from gan.audit.record import audit
from gan.commands import app
from gan.errors import StudyError
from gan.reporting.audit_tables import equals
from gan.reporting.figures import colours as colouring
from gan.reporting.figures import losses
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES

NAMES = ["minimax", "minimax_rescaled", "non_saturating", "cewl"]


@pytest.fixture
def small(study: Study) -> Study:
    return study.model_copy(update={"variants": {name: study.variants[name] for name in NAMES}})


def test_the_command_prints_every_table_and_ends_on_a_planted_loss(
    small: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gan.study.loading.load_study", lambda: small)
    app.audit()
    printed = " ".join(capsys.readouterr().out.split())
    for part in ("is exactly 0", "same direction", "|w|²", "E max(0, 1 − l_r)", "∝"):
        assert part in printed
    monkeypatch.setitem(OBJECTIVES, "hinge", OBJECTIVES["wasserstein"])
    with pytest.raises(StudyError, match=r"^hinge: the discriminator's gradient .* but that of wasserstein"):
        app.audit()
    assert "NO: hinge" in " ".join(capsys.readouterr().out.split())


def test_the_figure_draws_the_curves(small: Study) -> None:
    record = audit(small)
    curves = pd.DataFrame(record["curves"]).assign(logit=[record["logits"]] * len(record["curves"]))
    table = curves.explode("losses").explode(["logit", "gradient"])
    colours = colouring.palette(NAMES)
    figure = losses.audit(table[table["player"] == "generator"], colours)
    assert [axes.get_title("left") for axes in figure.axes] == list(colours)
    drawn = [[line for line in axes.lines if len(line.get_xdata())] for axes in figure.axes]
    assert [len(lines) for lines in drawn] == [2, 3, 2, 1]  # with the exact one, and rescaled in company
    steps = dict(zip(*drawn[0][0].get_data(), strict=True))
    assert (steps[0], steps[17]) == (0.5, 1e-18)


def test_losses_are_groups_of_equals() -> None:
    kinds = {"ab": "same", "ac": "numerics", "bc": "numerics", "ad": "size", "bd": "size", "cd": "size"}
    pairs = [{"first": pair[0], "second": pair[1], "kind": kind} for pair, kind in kinds.items()]
    assert equals("abcde", pairs) == [[[["a", "b"], ["c"]], [["d"]]], [[["e"]]]]


def test_nothing_joins_a_group_unless_it_is_so_related_to_all_in_it() -> None:
    pairs = [{"first": "a", "second": "b", "kind": "same"}, {"first": "b", "second": "c", "kind": "same"}]
    assert equals("abc", pairs) == [[[["a", "b"]]], [[["c"]]]]


def test_the_groups_of_the_study_say_what_the_pairs_say(small: Study) -> None:
    record = audit(small)
    groups = equals(NAMES, record["pairs"])
    assert groups == [[[["minimax"]], [["minimax_rescaled"]], [["non_saturating"]], [["cewl"]]]]
