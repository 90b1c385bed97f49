"""The list has all that the registries have, and each objective's source."""

import io
from pathlib import Path

from rich.console import Console

from gan.audit.equations import EQUATIONS
from gan.commands.listing import listing, tables
from gan.files import write, write_json
from gan.study.schema import Study
from gan.training.losses import OBJECTIVES
from gan.training.terms import TERMS


def test_all_that_may_be_named_is_listed(study: Study, tmp_path: Path) -> None:
    write(tmp_path / "metrics/cewl.csv", "")
    listed = listing(study, tmp_path)
    variants = {each.name: each for each in listed.variants}
    assert list(variants) == list(study.variants)
    assert [name for name, each in variants.items() if each.scored] == ["cewl"]
    assert variants["wgan_gp"].changes == {"terms.gradient_penalty": 10.0}
    assert variants["cewl"].changes == {}
    assert [each.name for each in listed.objectives] == list(OBJECTIVES)
    for each in listed.objectives:
        assert each.generator == EQUATIONS[each.name]["generator"].text
        assert each.source
    sources = {each.name: each.source for each in listed.objectives}
    assert sources["minimax"] == "Goodfellow et al. 2014, eq. 1"
    assert sources["minimax_rescaled"] == "Eide, Solberg & Kåsen 2020"
    assert sources["relativistic"] == "Jolicoeur-Martineau 2019; Huang et al. 2024"
    assert [each.name for each in listed.terms] == list(TERMS)
    assert all(each.text for each in listed.terms)
    write_json(tmp_path / "listed.json", listed)


def test_it_fits_a_terminal(study: Study, tmp_path: Path) -> None:
    console = Console(width=160, file=io.StringIO())
    for table in tables(listing(study, tmp_path)):
        console.print(table)
    printed = console.file.getvalue()
    for part in ("−E log D(G(z))", "½ E(l_f − 1)²", "gradient_penalty", "Kingma & Welling 2014", "not scored yet"):
        assert part in printed
