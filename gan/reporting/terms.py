"""Terms on the page: where one first stands in a section, it tells its meaning under the pointer and links to it.

The glossary in `words.j2` is the one place where they are explained.
"""

import html
import re
from collections.abc import Sequence
from html.parser import HTMLParser

# Nothing inside these is prose.
CLOSED = {"a", "abbr", "button", "code", "dl", "h1", "h2", "h3", "nav", "script", "style", "summary", "svg", "title"}
SHORTEST = 2  # letters of a word that is looked for


def anchor(term: str) -> str:
    """The id of a term in the glossary."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def explain(page: str, glossary: Sequence[tuple[str, str]]) -> str:
    """`page` with each term of the glossary marked where it first stands in a section."""
    marker = _Marker(glossary)
    marker.feed(page)
    marker.close()
    return "".join(marker.parts)


class _Marker(HTMLParser):
    """Copies a page and marks terms on the way."""

    def __init__(self, glossary: Sequence[tuple[str, str]]) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self.closed: list[str] = []
        self.told: set[str] = set()
        self.meanings = {
            word.lower(): (anchor(term), meaning)
            for term, meaning in glossary
            for word in term.split(", ")
            if len(word) >= SHORTEST
        }
        words = sorted(map(re.escape, self.meanings), key=len, reverse=True)
        self.pattern = re.compile(rf"(?<![\w/.-])({'|'.join(words)})(?![\w/-])", flags=re.IGNORECASE)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "section":
            self.told.clear()
        if tag in CLOSED:
            self.closed.append(tag)
        self.parts.append(self.get_starttag_text() or "")

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.parts.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if self.closed and self.closed[-1] == tag:
            self.closed.pop()
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(data if self.closed or not data.strip() else self.pattern.sub(self._mark, data))

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.parts.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.parts.append(f"<!{decl}>")

    def _mark(self, found: re.Match[str]) -> str:
        word = found.group(1)
        place, meaning = self.meanings[word.lower()]
        if place in self.told:
            return word
        self.told.add(place)
        return f'<a class="term" href="#{place}"><abbr title="{html.escape(meaning)}">{word}</abbr></a>'
