"""A rehearsal says in large letters that it is one, shows its numbers and gives no verdict."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from reporting.building import CLAIMS, CONTROLS, LEVELS, make_study, page_text, render, table_rows, write_inputs

from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.reporting import terminal
from gan.reporting.results import NOT_DECIDED, withheld
from gan.study.schema import Study

VERDICTS = (
    "supported", "refuted", "undecided", "equivalent", "different", "better", "worse", "insufficient data",
    "fails less", "fails more", "detected, not meaningful", "detected, within the margin",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seeds of three variants and a double: without a rehearsal enough for verdicts."""
    folder = tmp_path_factory.mktemp("study")
    write_inputs(folder, study(), levels=LEVELS | {"twin": 6.0})
    return folder


def study(rehearsal: bool = False) -> Study:
    return make_study([*LEVELS, "twin"], controls=CONTROLS).model_copy(update={"rehearsal": rehearsal})


def words(html: str, *without: str) -> set[str]:
    """The verdicts in the page's tables, but for those that these headings label."""
    for label in without:
        html = re.sub(rf'aria-labelledby="{label}">.*?</table>', "", html, flags=re.DOTALL)
    return set(re.findall(r'<span class="word [^"]*">([^<]*)</span>', html))


def test_its_page_says_so_in_large_letters_and_has_no_verdict(root: Path) -> None:
    declared, _ = render(root, study())
    html, markdown = render(root, study(rehearsal=True))
    # Claims have those of algebra, and earlier studies are no rehearsals.
    kept = ("claims", "earlier")
    assert words(declared, *kept) & set(VERDICTS)
    assert NOT_DECIDED in words(html, *kept)
    assert not words(html, *kept) & set(VERDICTS)
    claims = {row[0]: row for row in table_rows(html, "claims")}
    for name, claim in CLAIMS.items():
        assert (NOT_DECIDED in " ".join(claims[name])) == claim.measured
    for document, below in ((html, "<h1"), (markdown, "# Which GAN objective")):
        assert document.index("<strong>REHEARSAL</strong>") < document.index(below)
    assert "REHEARSAL" not in declared
    opening = page_text(html).split("The sources' claims")[0]
    for said in ("are supported", "are refuted", "comes out best", "agree with the published verdicts"):
        assert said not in opening
    assert "H1, H2 and H3 are not decided here" in opening
    lead = page_text(html.split('<p class="lead">')[1].split("</p>")[0])
    assert "a rehearsal, 8 runs each, does not decide between the non-saturating loss and minimax" in lead
    assert not any(word in lead for word in ("is better", "equally good", "not shown"))


def test_the_terminal_says_so_and_prints_numbers_instead_of_verdicts(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.show(root / "reports")
    assert "supported" in capsys.readouterr().out
    terminal.show(root / "reports", rehearsal=True)
    printed = capsys.readouterr().out
    assert printed.index("REHEARSAL") < printed.index("Ranking")
    cells = {line.split("│")[2].strip() for line in printed.splitlines() if line.count("│") > 3}
    assert NOT_DECIDED in cells
    declared = printed.split("Declared hypotheses")[1].split("The sources' claims")[0]
    assert not any(word in declared for word in ("supported", "refuted", "undecided", "│ equivalent"))
    comparison = read(Comparison, root / "reports/comparison.json")
    assert f"{comparison.contrasts[0].ratio:.3f}" in declared
    assert all(str(round(summary.mean, 2))[:4] in printed for summary in comparison.standings[0].variants.values())


def test_numbers_stay_and_verdicts_go(root: Path) -> None:
    comparison = read(Comparison, root / "reports/comparison.json")
    shown = withheld(comparison)
    retests = [each for tested in shown.sensitivity.values() for each in tested]
    assert {each.verdict for each in (*shown.contrasts, *retests)} == {NOT_DECIDED}
    for before, after in zip(comparison.contrasts, shown.contrasts, strict=True):
        assert replace(after, verdict=before.verdict, reason=before.reason) == before
    assert withheld(CLAIMS)["Q10"] == CLAIMS["Q10"]  # an identity
    assert withheld(CLAIMS)["T4"].reason.endswith(CLAIMS["T4"].reason)
