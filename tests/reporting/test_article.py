"""The page is an article: it opens with answer and images, explains its terms, and says what is a rehearsal's."""

import base64
import hashlib
import re
from html import unescape

import pytest
from conftest import ROOT
from reporting.building import (
    CONTROLS,
    LEVELS,
    STUDIED,
    change,
    make_study,
    page_text,
    plain,
    render,
    write_inputs,
    write_strips,
)

from gan.errors import StudyError
from gan.files import write_json
from gan.records.comparison import Comparison
from gan.records.reading import read
from gan.reporting import tables
from gan.reproduction.record import Machine, ReproducedVariant, ReproducedVerdict, Reproduction
from gan.study.loading import load_study


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A report without drawings: its root, study, HTML and Markdown."""
    root, study = tmp_path_factory.mktemp("study"), make_study(STUDIED, controls=CONTROLS)
    write_inputs(root, study)
    return root, study, *render(root, study)


def test_the_one_script_is_the_one_that_the_policy_allows(published):
    *_, html, _ = published
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html


def test_every_heading_can_be_linked_to_and_every_figure_names_its_numbers(published):
    *_, html, _ = published
    for found in re.findall(r"<h[1-4][^>]*>.*?</h[1-4]>", html, flags=re.DOTALL):
        name = re.search(r'<h[1-4] id="([^"]+)">', found)
        assert name, found
        assert f'class="anchor" href="#{name.group(1)}"' in found or found.startswith("<h1"), found
    figures = re.findall(r"<figure>.*?</figure>", html, flags=re.DOTALL)
    assert len(figures) > 20
    for figure in figures:
        files = re.findall(r'href="([^"#]+)"', figure)
        assert len(files) >= 2, figure[:200]
        assert (ROOT / "reports" / files[-1]).is_file()  # the code that draws it
        assert "gan/reporting/figures/" in files[-1]


def test_a_term_tells_its_meaning_where_a_section_first_has_it(published):
    *_, html, _ = published
    first = re.search(r'<a class="term" href="#(term-fid)"><abbr title="([^"]+)">FID</abbr></a>', html)
    assert unescape(first.group(2)).startswith("Fréchet inception distance.")
    assert f'<dt id="{first.group(1)}">FID</dt>' in html
    for section in html.split("<section")[1:]:
        assert section.count('href="#term-fid"') <= 1
    assert not re.search(r"<h\d[^>]*>[^\n]*<abbr", html)


def test_the_first_screen_has_the_images_of_the_objectives_after_one_epoch(published, tmp_path):
    *_, html, _ = published
    opening = html.split("</section>")[0]
    assert "What they draw, all after epoch 3" in opening
    shown = re.findall(r'aria-label="Grid of generated images: (\w+), after epoch (\d+)"', opening)
    assert shown == [(name, "3") for name in ("minimax", "non_saturating", "cewl")]
    assert "data-epochs" not in opening
    study = make_study(STUDIED, controls=CONTROLS)
    write_inputs(tmp_path, study)
    write_strips(tmp_path, study, interpolated=["cewl"])
    html, _ = render(tmp_path, study)
    opening = html.split("</section>")[0]
    assert opening.count('class="zoom" data-epochs="1,2,3"') == 3
    assert 'max="2" value="2" data-epochs="1,2,3"' in opening
    shown = re.findall(r"summary title.*?after epoch (\d).*?--rows:3;--row:(\d);--columns:3", opening, flags=re.DOTALL)
    assert shown == 3 * [("3", "2")]
    assert html.count("Interpolations: cewl") == 1
    assert "From one latent to another" in page_text(html)
    r3 = re.search(r'data-epochs="1,2">.*?</details>', html, flags=re.DOTALL).group()
    assert "Grid of generated images: r3, after epoch 2" in r3


def test_a_strip_that_its_record_does_not_fit_is_named(tmp_path):
    study = make_study(["cewl"], seeds=1, epochs=2)
    write_inputs(tmp_path, study)
    write_strips(tmp_path, study)
    change(tmp_path / "reports/strips/cewl.json", epochs=[1])
    with pytest.raises(StudyError, match=r"strips/cewl.png is not the strip that .*cewl.json says: run `dvc repro`"):
        render(tmp_path, study)


def test_a_strip_of_a_run_that_kept_no_generator_gives_way_to_the_samples(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study)
    write_strips(tmp_path, study)
    change(tmp_path / "reports/strips/minimax.json", epochs=[])
    html, _ = render(tmp_path, study)
    assert "Grid of generated images: minimax, after epoch 3" in html
    assert html.split("</section>")[0].count('class="zoom" data-epochs="1,2,3"') == 2


def test_your_own_variants_are_told_near_the_top(tmp_path):
    study = make_study([*LEVELS, "softer"])
    write_inputs(tmp_path, study, levels=LEVELS | {"softer": 5.0})
    html, _ = render(tmp_path, study)
    comparison = read(Comparison, tmp_path / "reports/comparison.json")
    reason = next(each.reason for each in comparison.contrasts if each.variant == "softer")
    section = page_text(html.split("<section>")[1])
    assert 'id="yours"' in html.split("<section>")[1]
    assert "Differs from the baseline in real_label: 0.9" in section
    assert re.search(r"After 3 epochs on mnist: place 1 of 4, FID [\d.]+ \([\d.]+ – [\d.]+\); runs: ", section)
    assert plain(reason) in plain(section)
    write_inputs(tmp_path, make_study())
    assert 'id="yours"' not in render(tmp_path, make_study())[0]


@pytest.mark.published
def test_the_published_variants_are_no_users_own() -> None:
    assert set(load_study(ROOT / "params.yaml").variants) == tables.PUBLISHED


def test_a_rerun_that_was_compared_is_told(tmp_path):
    study = make_study()
    write_inputs(tmp_path, study)
    html, _ = render(tmp_path, study)
    assert "Reproduced on" not in page_text(html)
    machine = Machine("a processor", "float32", "2.15.0")
    equal = ReproducedVariant("cewl", "bitwise equal", 8, None, None, None, None, 0, 0, "All rows are the same.")
    verdict = ReproducedVerdict("H1", "supported", "supported", run_again=True)
    record = Reproduction("HEAD", machine, machine, True, 1.1, [equal], [], [verdict], True)
    write_json(tmp_path / "reports/reproduced.json", record)
    html, _ = render(tmp_path, study)
    assert "Reproduced on a processor: of 1 variant 1 to the last bit; the verdict is the same." in page_text(html)
