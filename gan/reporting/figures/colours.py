"""A colour belongs to a name, whatever else stands beside it: a variant has the same one in every figure and report.

All of them stand out from white paper and from a dark page by a ratio of 3 to 1 at least (WCAG 2.1, 1.4.11), so that
one colour serves both.
"""

import hashlib
from collections.abc import Iterable
from math import cos, radians, sin

# Okabe and Ito's, which all kinds of eyes tell apart, for those that are compared most; then relatives of each.
KNOWN = {
    "minimax": "#d55e00",
    "non_saturating": "#0072b2",
    "cewl": "#009e73",
    "minimax_logits": "#b07a1a",
    "minimax_rescaled": "#b5509c",
    "non_saturating_logits": "#5b7bd5",
}
LIGHTNESS, CHROMA = 0.6, 0.12  # of other names in OKLCH; the name gives the hue


def of(name: str) -> str:
    """The colour that belongs to a name, as `#rrggbb`."""
    if name in KNOWN:
        return KNOWN[name]
    hue = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 360
    return _from_oklch(LIGHTNESS, CHROMA, hue)


def palette(names: Iterable[str]) -> dict[str, str]:
    """The colour of each name, in their order."""
    return {name: of(name) for name in names}


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb` (WCAG 2.1)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """How far two colours stand out from each other, from 1 to 21 (WCAG 2.1)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _from_oklch(lightness: float, chroma: float, hue: float) -> str:
    """`#rrggbb` of a colour in OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab), hue in degrees."""
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    channels = [
        12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055 for value in map(_within, linear)
    ]
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def _within(value: float) -> float:
    return min(max(value, 0.0), 1.0)
