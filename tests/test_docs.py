"""The docs point at what is there: files, headings, commands; and every page can be found from the index."""

import re
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT
from typer.main import get_command

from gan.commands.app import app

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@cache
def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def code(page: Path) -> list[str]:
    """What a page shows as code, in blocks and within lines; no drawings."""
    blocks = FENCED.findall(page.read_text(encoding="utf-8"))
    return [block for block in blocks if not block.startswith("```mermaid")] + re.findall(r"`([^`]+)`", prose(page))


def links(page: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, each with the heading, if the link names one."""
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in target]
    parts = [target.partition("#") for target in targets]
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in parts]


@cache
def anchors(page: Path) -> set[str]:
    """The headings as code hosts name them: small letters, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    if page.name == "LOG.md":
        return  # it tells what was, commands that are gone too
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    known = set(get_command(app).commands)
    for text in code(page):
        assert set(re.findall(r"\bmake (?:-C \S+ )?(\.?[a-z][\w./-]*)", text)) <= targets, text
        named = set(re.findall(r"(?:^|[ /])gan ([a-z][\w-]*)", text, re.MULTILINE)) - {"import"}
        assert {name for name in named if f"No such command '{name}'" not in text} <= known, text


def test_every_page_can_be_found_from_the_index() -> None:
    index = ROOT / "docs/README.md"
    found, more = {index}, [index]
    while more:
        for target, _ in links(more.pop()):
            if target.suffix == ".md" and target.exists() and target not in found:
                found.add(target)
                more.append(target)
    assert [page for page in PAGES if page not in found] == []
