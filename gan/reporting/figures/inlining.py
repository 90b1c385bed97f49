"""A figure inside a page: SVG without what a page has already, and with ids that no other figure has.

Inside the page, and not as an image, a figure answers to the pointer, and its text can be searched.
"""

import html
import re

from gan.reporting.figures.drawing import EXCHANGE

# What the figures of a page have in common, for its style.
STYLE = f"""svg.figure * {{ stroke-linejoin: round; stroke-linecap: butt; }}
@media screen and (prefers-color-scheme: dark) {{ {EXCHANGE} }}"""
PIXELS = 96 / 72  # for a point


def inline(svg: str, name: str, description: str) -> str:
    """The figure's <svg> element for the body of a page; `name` is unique there."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}.\1"', body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}.\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}.\1)", body)
    found = re.search(r'viewBox="([\d. -]+)"', body)
    width = float(found.group(1).split()[2]) * PIXELS if found else 0
    box = found.group(0) if found else ""
    style = f' style="max-width:{width:.0f}px"' if found else ""
    opening = f'<svg class="figure" {box}{style} role="img" aria-label="{html.escape(description)}">'
    body = re.sub(r"<svg\b[^>]*>", lambda _: opening, body, count=1)
    return re.sub(r">\s+<", "><", body).strip()
