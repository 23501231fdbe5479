"""The sheet that figures are drawn on: its look, its panels, and how it becomes SVG, byte by byte the same each time.

Sheets are laid out in points, 520 wide, so that they stay readable when a phone shrinks them to its width.
"""

import html
import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib
import matplotlib.figure
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from manyheads.report.templating import clean, template_source

WIDTH, NAMES, ROW = 520, 150, 27  # points: the sheet, its column of names, a row
INK, MUTED, GRID, PAPER, BAND = "#1d2329", "#5f6b76", "#dfe3e7", "#fefefe", "#e9ecef"
# Okabe and Ito's palette without its black and yellow; the page brightens it on dark paper.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
RAMP = ("#b9a3d9", "#a58bcd", "#9174c0", "#7d5eb2", "#6a4aa2", "#583790", "#47267c")  # for values that have an order
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
NAMED = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", BAND: "band"}
NAMED |= {colour: f"series-{i}" for i, colour in enumerate(SERIES, 1)}
NAMED |= {colour: f"ramp-{i}" for i, colour in enumerate(RAMP, 1)}
PALETTE = template_source("palette.css")
"""The colours as CSS variables, for light and for dark paper."""
Ends = tuple[float, float] | None
"""Of an interval, or None if it is not known."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
LOOK: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "manyheads",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 13,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "grid.color": GRID,
    "axes.axisbelow": True,
    "axes.labelsize": 12.5,
    "axes.unicode_minus": True,
    "xtick.labelsize": 12.5,
    "ytick.labelsize": 12.5,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 6,
    "lines.solid_capstyle": "butt",
}


class Sheet(matplotlib.figure.Figure):
    """What a figure is drawn on: matplotlib's, which a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        target = io.BytesIO()
        with house_look():
            self.savefig(target, format="png", dpi=100)
        return target.getvalue()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `svg` is a file of its own, with plain colours that every program understands.

    :param alt: What a person who cannot see it is told.
    :param reading: How to read it, in a line.
    :param sheet: The same as matplotlib's object.
    """

    name: str
    title: str
    alt: str
    svg: str
    reading: str = ""
    sheet: Sheet | None = field(default=None, compare=False, repr=False)

    def inline(self) -> str:
        """The same drawing for inside a page: colours as CSS variables, ids that cannot meet those of other figures."""
        svg = re.sub(r"<\?xml[^>]*>\s*", "", self.svg).replace(' xmlns="http://www.w3.org/2000/svg"', "")
        svg = re.sub(r"<svg[^>]*>", lambda tag: re.sub(r' (width|height|version)="[^"]*"', "", tag[0]), svg, count=1)
        svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{self.name}-", svg)
        return _with_variables(svg)


def coloured(svg: str) -> str:
    """The drawing of a file with the page's colours, on light and on dark paper."""
    return re.sub(r"<svg[^>]*>", lambda tag: f"{tag[0]}<style>{PALETTE}</style>", _with_variables(svg), count=1)


def _with_variables(svg: str) -> str:
    return re.sub(r'style="[^"]*"', lambda style: re.sub(r"#[0-9a-f]{6}", _variable, style[0]), svg)


def _variable(colour: re.Match[str]) -> str:
    return f"var(--{NAMED[colour[0]]}, {colour[0]})" if colour[0] in NAMED else colour[0]


@contextmanager
def house_look() -> Iterator[None]:
    """Draw in our look, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # matplotlib lacks it, the browser does not
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        yield


def new_sheet(height: float) -> Sheet:
    """An empty sheet, `height` points high."""
    return Sheet(figsize=(WIDTH / 72, max(height, 1) / 72), facecolor=PAPER)


def panel(sheet: Sheet, title: str, top: float, height: float, *, left: float = NAMES, right: float = 76) -> Axes:
    """A panel `height` high, under its title that begins at `top`; all in points from the sheet's edges."""
    tall = sheet.get_figheight() * 72
    sheet.text(0, 1 - (top + 14) / tall, clean(title), weight="bold", size=14)
    box = (left / WIDTH, 1 - (top + 26 + height) / tall, (WIDTH - left - right) / WIDTH, height / tall)
    axes = sheet.add_axes(box)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    return axes


def rows(axes: Axes, names: Sequence[str], notes: Sequence[str]) -> None:
    """Name the rows of a panel at the left edge of the sheet, and say their values at the right; no note, a heading."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks([])
    axes.margins(x=0.08)
    box, across = axes.get_position(), axes.get_yaxis_transform()
    for row, (name, note) in enumerate(zip(names, notes, strict=True)):
        look: dict[str, Any] = {"size": 11 if "\n" in name else 13} if note else {"size": 14, "weight": "bold"}
        axes.text(-box.x0 / box.width, row, name, transform=across, va="center", linespacing=1.05, **look)
        axes.text(1 + 10 / WIDTH / box.width, row, note, transform=across, va="center")


def whisker(axes: Axes, row: float, value: float | None, interval: Ends, marker: str, colour: str) -> None:
    """A value as a mark, and its interval as a line through it. Nothing if the value is undefined."""
    if value is None:
        return
    low, high = interval or (value, value)
    line = MUTED if colour == PAPER else colour
    axes.plot([100 * low, 100 * high], [row, row], color=line, linewidth=2)
    axes.plot([100 * value], [row], marker, color=colour, markersize=8, markeredgecolor=line, markeredgewidth=1.4)


def level(axes: Axes, value: float | None, interval: Ends, *, upright: bool) -> None:
    """The baseline's mean as a line, with its interval as a band. Nothing if it is undefined."""
    if value is None:
        return
    low, high = interval or (value, value)
    (axes.axvspan if upright else axes.axhspan)(100 * low, 100 * high, color=BAND, linewidth=0, zorder=0)
    (axes.axvline if upright else axes.axhline)(100 * value, color=INK, linewidth=1, linestyle=DASHES[1])


KEY = 32
"""The longest label that fits beside another in a key."""


def key_height(entries: int) -> float:
    """How many points a key with so many entries takes."""
    return 19 * math.ceil(entries / 2) + 14


def key(sheet: Sheet, entries: Sequence[tuple[str, str, Any]]) -> None:
    """What the colours mean, at the top in two columns: (label, colour, dashes, or None for an area)."""
    tall = sheet.get_figheight() * 72
    for i, (label, colour, dashes) in enumerate(entries):
        x, y = (i % 2) * WIDTH / 2, 1 - (9 + 19 * (i // 2)) / tall
        width, line = (10, "-") if dashes is None else (2.2, dashes)
        ends = [x / WIDTH, (x + 24) / WIDTH]
        sheet.add_artist(Line2D(ends, [y, y], color=colour, linewidth=width, linestyle=line))
        short = label.replace("\n", " ")
        short = short if len(short) <= KEY else f"{short[: KEY - 1]}…"
        sheet.text(ends[1] + 8 / WIDTH, y, short, va="center")


def finish(sheet: Sheet, name: str, title: str, reading: str, alt: str) -> Figure:
    """The sheet as SVG: no dates, coordinates to a hundredth of a point, the reader's own font."""
    target = io.StringIO()
    sheet.savefig(target, format="svg", metadata={"Date": None})
    unwanted = r'<!DOCTYPE[^>]*>\s*|<metadata>.*?</metadata>\s*| xmlns:xlink="[^"]*"'
    svg = re.sub(unwanted, "", target.getvalue(), flags=re.DOTALL).replace("xlink:href", "href")
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # nothing refers to groups
    svg = re.sub(r' (d|x|y|transform)="[^"]*"', _rounded, svg.replace("'DejaVu Sans'", FONT))
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(clean(alt))}" ', 1)
    return Figure(name, title, alt, svg, reading, sheet)


def _rounded(attribute: re.Match[str]) -> str:
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.2f}", attribute[0])
