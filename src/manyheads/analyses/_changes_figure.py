"""The figure that shows in which groups of examples the answers changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from manyheads.analyses._changes import Changes
from manyheads.report import drawing
from manyheads.report.drawing import INK, MUTED, ROW, SERIES, Figure
from manyheads.report.templating import clean

GAP = "\N{NO-BREAK SPACE}" * 4
LONGEST = 20
"""Characters of a group's name."""


@dataclass(frozen=True)
class Row:
    """A group of examples.

    :param by: What they are grouped by.
    :param interval: Of the difference in this group; None if it cannot be known.
    """

    by: str
    name: str
    changes: Changes
    interval: tuple[float, float] | None


def group_figure(task: str, metric: str, groups: Sequence[Row]) -> Figure:
    """The difference in each group with its interval, and how many examples were fixed and broken."""
    names: list[str] = []
    notes: list[str] = []
    rows: list[tuple[int, Row]] = []
    for one in groups:
        if not rows or rows[-1][1].by != one.by:
            names.append(one.by)
            notes.append("")
        rows.append((len(names), one))
        names.append(_short(one.name))
        counts = [one.changes.count(one.changes.most, sign) for sign in (1, -1)]
        notes.append(f"+{counts[0]:,} −{counts[1]:,}")
    with drawing.house_look():
        sheet = drawing.new_sheet(ROW * len(names) + 90)
        axes = drawing.panel(sheet, f"{task}, change of {metric} × 100", 0, ROW * len(names), right=96)
        drawing.rows(axes, names, notes)
        axes.axvline(0, color=INK, linewidth=1)
        for at, one in rows:
            value = one.changes.difference() if one.changes.total else None
            low, high = one.interval or (0, 0)
            colour, marker = (SERIES[0], "^") if low > 0 else (SERIES[1], "v") if high < 0 else (MUTED, "o")
            drawing.whisker(axes, at, value, one.interval, marker, colour)
        axes.set_xlabel(f"← worse{GAP}{metric} × 100, 95 % interval{GAP}better →")
        told = [f"{one.by} {one.name}: {100 * one.changes.difference():+.1f}" for _, one in rows if one.changes.total]
        reading = (
            "Each mark is the change of the score in a group of examples, its line the 95 % interval over seeds and "
            "examples; a line that crosses zero may be chance. At the right: how many examples were consistently fixed "
            "(+) and broken (−)."
        )
        title = f"{task}: where the answers changed"
        return drawing.finish(sheet, f"groups-{task}"[:64], title, reading, f"{title}. {'; '.join(told)}.")


def _short(name: str) -> str:
    name = clean(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
