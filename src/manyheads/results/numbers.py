"""How numbers are written for people, in the terminal, in tables, in sentences, on the page and in figures alike."""

import math
from collections.abc import Callable, Iterable, Sequence

MINUS, DASH, GAP = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{NO-BREAK SPACE}"


def fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with so many decimals and commas between thousands; what rounds to zero has no sign."""
    text = f"{value:{'+' if signed else ''},.{decimals}f}"
    return text.replace("-", MINUS) if text.strip("+-0.") else text.lstrip("+-")


def points(value: float | None, decimals: int = 1, *, signed: bool = False) -> str:
    """A score, a fraction, times 100; one decimal more where nothing would be left of it. None is `undefined`."""
    if value is None:
        return "undefined"
    shown = fixed(100 * value, decimals, signed=signed)
    closer = fixed(100 * value, decimals + 1, signed=signed)
    return closer if not shown.strip("0.") and closer.strip("0.") else shown


def gain(difference: float | None, decimals: int = 1) -> str:
    """A difference of scores times 100, always with its sign."""
    return DASH if difference is None else points(difference, decimals, signed=True)


def interval(bounds: Sequence[float] | None, decimals: int = 1, *, signed: bool = False) -> str:
    """An interval of scores or differences, times 100."""
    return " to ".join(points(end, decimals, signed=signed) for end in bounds) if bounds else DASH


def p_value(p: float) -> str:
    """A p value."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share(part: float) -> str:
    """A part of a whole, in per cent."""
    return f"{fixed(100 * part, 1)} %"


def count(n: float) -> str:
    """A count: 9,999."""
    return fixed(n, 0)


def short_count(n: float) -> str:
    """A large count as people say it: 1.64 M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if n >= size:
            return f"{n / size:.3g}{GAP}{unit}"
    return count(n)


def minutes(seconds: float) -> str:
    """A duration in minutes."""
    return fixed(seconds / 60, 1)


def alike(values: Iterable[object]) -> Callable[[float], str]:
    """How to write the numbers of one column: all with as many decimals as the largest needs for three digits."""
    floats = [abs(value) for value in values if isinstance(value, float)]
    largest = max(floats, default=0.0)
    decimals = 0 if not floats else 3 if largest == 0 else min(4, max(1, 2 - math.floor(math.log10(largest))))
    return lambda value: fixed(value, decimals)
