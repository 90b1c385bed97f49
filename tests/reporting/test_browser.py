"""The page in a browser: legible on a telephone and on a desk, with and without scripts, in light, dark and print.

It needs Playwright (`pip install -e ".[browser]"`) and a Chromium: Playwright's own (`playwright install chromium`), or
the system's.
"""

import shutil
from collections.abc import Iterator

import pytest
from reporting.building import CONTROLS, FAILURES, LEVELS, STUDIED, make_study, render, write_inputs, write_strips

from gan.reporting.figures import drawing

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.slow

WIDTHS = {"telephone": 390, "desk": 1440}
HEAVIEST = 6 * 2**20  # bytes of a page


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """A report with strips, your own variant and failures, as an address."""
    root = tmp_path_factory.mktemp("study")
    study = make_study((*STUDIED, "softer"), controls=CONTROLS)
    write_inputs(root, study, FAILURES, LEVELS | {"twin": 6.0})
    write_strips(root, study, columns=10, interpolated=["minimax", "cewl"])
    render(root, study, drawn=True, pages=(drawing.WIDE, drawing.NARROW))
    path = root / "reports/report.html"
    assert path.stat().st_size < HEAVIEST
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_api.sync_playwright() as playwright:
        own, system = playwright.chromium.executable_path, shutil.which("chromium")
        path = own if shutil.which(own) else system
        if path is None:
            pytest.skip("no Chromium is installed")
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, address):
    """Opens the report; whatever the console says or the page asks the network for is an error at the end."""
    complaints: list[str] = []

    def open_page(width: int = 1440, **options):
        page = browser.new_context(viewport={"width": width, "height": 900}, **options).new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(("file:", "data:")) else complaints.append(request.url),
        )
        page.goto(address)
        return page

    yield open_page
    assert complaints == []
    for context in browser.contexts:
        context.close()


def overflow(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def open_all(page) -> None:
    for part in page.locator("main details:not(.zoom)").all():
        part.evaluate("part => part.open = true")


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_scrolls_sideways_and_letters_are_large_enough(visit, width, scheme):
    page = visit(width, color_scheme=scheme)
    assert overflow(page) <= 0
    open_all(page)
    assert overflow(page) <= 0
    hidden = page.evaluate("[...document.querySelectorAll('table')].filter(table => !table.checkVisibility()).length")
    assert hidden == 0
    sizes = page.evaluate("""() => [...document.querySelectorAll("svg.figure")].filter(svg => svg.checkVisibility())
      .map(svg => [svg.getBoundingClientRect().width / svg.viewBox.baseVal.width, svg.getAttribute("aria-label")])""")
    assert len(sizes) > 20
    # Letters are 7.5 points at least, and a figure of its natural size has 96 pixels for 72 points.
    assert [label for scale, label in sizes if scale * 7.5 < 9] == []
    assert all(
        box["width"] <= width for box in (svg.bounding_box() for svg in page.locator("svg.figure:visible").all())
    )


def test_the_first_screen_has_the_answer_a_figure_and_images(visit):
    page = visit(1440)
    for selector in (".lead", ".hero svg.figure", ".hero .px >> nth=2"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] < 900, selector


def test_a_column_sorts_its_table_both_ways(visit):
    page = visit()
    open_all(page)
    table = page.locator('[aria-labelledby="ranking-3"] table').first
    head = table.locator("thead th", has_text="FID").first
    column = head.evaluate("head => head.cellIndex") + 1

    def shown() -> list[float]:
        cells = table.locator(f"tbody tr:not(.floor) > :nth-child({column})").all_inner_texts()
        return [float(cell.replace("–", "inf")) for cell in cells]

    head.locator("button").click()
    rising = shown()
    assert rising == sorted(rising)
    head.locator("button").click()
    assert shown() == sorted(rising, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert "floor" in table.locator("tbody tr").last.inner_text()


def test_a_slider_moves_every_strip_and_says_which_epoch_each_shows(visit):
    page = visit()
    slider = page.locator(".slider input").first
    assert slider.is_visible()
    slider.fill("0")
    assert set(page.locator(".zoom[data-epochs] summary .when").all_inner_texts()) == {"after epoch 1"}
    slider.fill("2")
    zooms = {zoom.locator(".name").inner_text(): zoom for zoom in page.locator(".strips .zoom[data-epochs]").all()}
    assert zooms["minimax"].locator("summary .when").inner_text() == "after epoch 3"
    assert zooms["r3"].locator("summary .when").inner_text() == "after epoch 2"  # it has no third
    assert page.locator(".slider output").all_inner_texts() == ["3", "3"]
    rows = zooms["minimax"].locator("summary .px").evaluate("image => getComputedStyle(image).backgroundPositionY")
    assert rows.endswith("100%") or rows.startswith("calc(100%") or rows == "100%"
    zooms["minimax"].locator("summary").click()
    assert zooms["minimax"].locator("> .px").count() == 3
    assert zooms["minimax"].bounding_box()["width"] > 900


def test_without_scripts_the_page_is_whole(visit):
    page = visit(390, java_script_enabled=False)
    assert not page.locator(".slider").first.is_visible()
    assert page.locator("thead button").count() == 0
    zoom = page.locator(".hero .zoom").first
    assert zoom.locator("summary .when").inner_text() == "after epoch 3"
    zoom.locator("summary").click()
    assert zoom.locator("> .when").all_inner_texts() == ["after epoch 1", "after epoch 2", "after epoch 3"]
    part = page.locator("details.part").first
    part.locator("summary").first.click()
    assert part.locator("table").first.is_visible()


def test_a_link_into_the_appendix_opens_it(visit):
    page = visit()
    page.locator('a[href="#simulation"]').first.click()
    assert page.locator("#simulation").is_visible()


def test_print_shows_all_parts_on_white_paper(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.part:not([open])").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").first.is_visible()
