"""Nothing in the files becomes markup, in neither document."""

import json
import re

import pytest
from reporting.building import CONTROLS, FAILURES, LEVELS, STUDIED, Page, make_study, put, render, write_inputs

from gan.reporting.document import escape_markdown
from gan.study.schema import Study

MARKUP = " <img src=x onerror=y> [zz](zz) `zz` *zz* |zz $zz$ ~~zz~~"


def test_names_and_texts_are_text_and_never_markup(tmp_path):
    study, name = make_study(["cewl"], seeds=1, epochs=1), "<i>a|b_](x) $\\frac{"
    compare = study.compare.model_copy(update={"reference": name})
    study = study.model_copy(update={"variants": {name: study.variants["cewl"]}, "compare": compare})
    write_inputs(tmp_path, study, {(name, 0): (1, "<img src=http://x>")})
    html, markdown = render(tmp_path, study, drawn=True)
    assert "i" not in Page(html).tags
    assert "&lt;i&gt;a|b_](x) $" in html
    assert "http://x" not in Page(html).targets
    assert "&lt;b&gt;saturates" in html
    assert "<i>" not in markdown


# With markup in them these are refused when a record is read.
FIXED = {
    "relative error", "share of logits", "insufficient data", "detected, within the margin",
    "detected, not meaningful", "fails less", "as printed", "no difference", "as scored", "left out",
}  # fmt: skip


def marked_up(value):
    """The same with markup at the end of every text of more than one word."""
    if isinstance(value, dict):
        return {name: marked_up(part) for name, part in value.items()}
    if isinstance(value, list):
        return [marked_up(part) for part in value]
    return value + MARKUP if isinstance(value, str) and " " in value and value not in FIXED else value


def test_no_record_brings_markup_in(tmp_path):
    study = make_study(STUDIED, controls=CONTROLS)
    write_inputs(tmp_path, study, FAILURES, LEVELS | {"twin": 6.0})
    for path in tmp_path.rglob("*.json"):
        put(path, marked_up(json.loads(path.read_text())))
    declared = marked_up(study.model_dump(mode="json"))
    declared["evaluate"]["scores"] = {
        int(epoch): averaged for epoch, averaged in declared["evaluate"]["scores"].items()
    }
    html, markdown = render(tmp_path, Study.model_validate(declared))
    page = Page(html)
    assert page.text.count(MARKUP) > 50
    assert all(re.fullmatch(r"#\S+|data:,|[\w./-]+", target) for target in page.targets)
    assert markdown.count("onerror") > 5
    assert "<" not in markdown
    for markup in ("[zz", "](zz", "`", "*zz", "zz*", "|zz", "$", "~~"):
        assert not re.search(rf"(?<!\\){re.escape(markup)}", markdown), markup


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("one\ntwo", "one two"),
        ("<b>&amp;", "&lt;b>&amp;amp;"),
        ("[x](y) *z* `c` ~~d~~", r"\[x\](y) \*z\* \`c\` \~\~d\~\~"),
        ("non_saturating", "non_saturating"),
        ("_it_ __init__", r"\_it\_ \_\_init\_\_"),
        ("back\\slash", r"back\\slash"),
        ("$x$", r"\$x\$"),
    ],
)
def test_markdown_is_escaped(text, escaped):
    assert escape_markdown(text) == escaped
