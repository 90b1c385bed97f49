"""Names, numbers and lists in words, the same everywhere."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, SupportsFloat

LARGE = 999.5  # rounded to three digits, numbers from here on would be written with an exponent
MISSING = "–"
PERCENT = "\N{NO-BREAK SPACE}%"


def nearest(name: str, known: Iterable[str]) -> str:
    """`: did you mean cewl?`, or nothing where no known name resembles this one."""
    matches = get_close_matches(name, list(known), 1)
    return f": did you mean {matches[0]}?" if matches else ""


def unknown(name: str, known: Collection[str]) -> str:
    """Says that a name is not among the known ones, with the one that it resembles, else with all of them."""
    remedy = nearest(name, known) or f"; known are {', '.join(known)}"
    return f"{name} is unknown{remedy}"


def change(ratio: float) -> str:
    """A ratio in words: 0.8 is 20 % lower, 1.013 is 1.3 % higher."""
    size = 100 * abs(ratio - 1)
    return f"{size:.{0 if size >= 9.95 else 1}f}{PERCENT} {'lower' if ratio < 1 else 'higher'}"


def changes(low: float, high: float) -> str:
    """An interval of ratios in words, the smaller change first where both ends point the same way."""
    if high < 1:
        return f"{change(high).removesuffix(' lower')} to {change(low)}"
    return f"{change(low).removesuffix(' higher')} to {change(high)}"


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def fixed(value: float | None, decimals: int) -> str:
    """`value` with so many decimals and a real minus sign; a dash for a missing one."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:z,.{decimals}f}".replace("-", "−")


def significant(value: SupportsFloat) -> str:
    """Four significant digits and a real minus sign: −0.9683, 4.248e−06."""
    return f"{float(value) + 0.0:.4g}".replace("-", "−")  # the sum has no -0


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """An interval's ends; a dash where the sample is too small for them."""
    return MISSING if low is None else f"{fixed(low, decimals)} – {fixed(high, decimals)}"


def percent(share: float) -> str:
    """A share that was chosen, with all the digits that it has: 95 %."""
    return f"{100 * share:g}{PERCENT}"


def share(value: float, decimals: int = 0) -> str:
    """A share that was measured, with so many decimals: 4.0 %."""
    return f"{fixed(100 * value, decimals)}{PERCENT}"


def span(low: float, high: float, decimals: int = 0) -> str:
    """Two shares: 4.0 – 5.9 %."""
    return f"{fixed(100 * low, decimals)} – {share(high, decimals)}"


def p_value(p: float) -> str:
    """Four decimals, or that it is less than they can show."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def p_relation(p: float) -> str:
    """`= 0.0123`, or that it is less than a hundred-thousandth."""
    return f"= {three_digits(p)}" if p >= 1e-5 else "< 1e-5"


def three_digits(value: float) -> str:
    """Three significant digits, and all those before the decimal point."""
    return f"{value:.3g}" if value < LARGE else f"{value:.0f}"


def score(value: float | None) -> str:
    """A score as people read it, with three significant digits; a dash for a missing one."""
    if value is None or math.isnan(value):
        return MISSING
    return (f"{value + 0.0:#.3g}".removesuffix(".") if abs(value) < LARGE else f"{value:.0f}").replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would use."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def counted(count: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def misfit(error: float, measure: str = "relative error") -> str:
    """How large the error of something is that the audit checked."""
    if measure == "share of logits":
        return f"{share(error)} of logits"
    return f"{error:.0e}".replace("-", "−") if 0 < error < 0.1 else f"{error:.1g}"


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `section.key: value`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
