"""The heat map of a transfer matrix."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from manyheads.report import drawing
from manyheads.report.drawing import GRID, INK, MUTED, SERIES, WIDTH, Figure
from manyheads.report.templating import clean
from manyheads.results.numbers import gain

CELL, SIDE, TOP = 46, 128, 66  # points: a row, the column of names, the row of names with its heading
ROOMY = 5
"""With more tasks the cells have no room for intervals."""
STRONGEST = 0.6
"""The most of a cell's colour that is laid on the paper, so that its text can be read on light and dark paper."""
MARKS = {"helps": "▲ ", "hurts": "▼ "}


def heat_map(tasks: Sequence[str], cells: Mapping[tuple[str, str], Mapping[str, Any]], baseline: str) -> Figure:
    """Each task in a row, and in a column each task that it was trained with.

    :param cells: (target, partner) -> `difference`, `interval`, `verdict` of the target's headline metric.
    """
    known = [abs(cell["difference"]) for cell in cells.values() if cell["difference"] is not None]
    largest = max(known, default=0.0) or 1.0
    with drawing.house_look():
        sheet = drawing.new_sheet(CELL * len(tasks) + TOP + 6)
        tall = sheet.get_figheight() * 72
        axes = sheet.add_axes((SIDE / WIDTH, 6 / tall, (WIDTH - SIDE) / WIDTH, CELL * len(tasks) / tall))
        axes.set_xlim(0, len(tasks))
        axes.set_ylim(len(tasks), 0)
        axes.set_axis_off()
        sheet.text(0, 1 - 14 / tall, "gains …", weight="bold", size=14)
        sheet.text(SIDE / WIDTH, 1 - 14 / tall, "… when trained together with", weight="bold", size=14)
        for place, task in enumerate(tasks):
            below = TOP + CELL * (place + 0.5)
            sheet.text(0, 1 - below / tall, _name(task, 17), va="center", linespacing=1.05)
            across = (SIDE + (WIDTH - SIDE) * (place + 0.5) / len(tasks)) / WIDTH
            width = max(5, int(52 / len(tasks)))
            sheet.text(across, 1 - (TOP - 8) / tall, _name(task, width), ha="center", va="bottom", linespacing=1.05)
        for row, target in enumerate(tasks):
            for column, partner in enumerate(tasks):
                _cell(axes, row, column, cells.get((target, partner)), largest, len(tasks))
        ends = ", with its 95 % interval below" if len(tasks) <= ROOMY else "; the intervals are in the table"
        reading = (
            f"Each row is a task that may gain, each column the task it was trained with. The number is the difference "
            f"to “{baseline}”, times 100{ends}. Blue gains, orange loses, and the stronger the colour, the more. ▲ and "
            "▼ are sure (helps, hurts); without them it may be chance."
        )
        told = [f"{target} with {partner}: {gain(cell['difference'])}" for (target, partner), cell in cells.items()]
        title = "Who gains from whom"
        return drawing.finish(sheet, "matrix", title, reading, f"{title}. {'; '.join(told)}.")


def _cell(axes: Axes, row: int, column: int, cell: Mapping[str, Any] | None, largest: float, size: int) -> None:
    if cell is None or cell["difference"] is None:
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="none", edgecolor=GRID, linewidth=1))
        told = "" if row == column else "not known" if cell else "not trained"
        axes.text(column + 0.5, row + 0.5, told, ha="center", va="center", color=MUTED, size=11)
        return
    value, interval = cell["difference"], cell["interval"]
    colour = SERIES[0] if value > 0 else SERIES[1]
    strength = STRONGEST * abs(value) / largest
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, alpha=strength, linewidth=0))
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor="none", edgecolor=GRID, linewidth=1))
    mark = MARKS.get(cell["verdict"], "")
    look: dict[str, Any] = {"ha": "center", "va": "center", "weight": "bold" if mark else "normal"}
    roomy = interval and size <= ROOMY
    height, letters = (0.36, 13) if roomy else (0.5, 13 if size <= 6 else 11)
    axes.text(column + 0.5, row + height, f"{mark}{gain(value)}", size=letters, **look)
    if roomy:
        ends = f"{gain(interval[0])} to {gain(interval[1])}"
        axes.text(column + 0.5, row + 0.72, ends, ha="center", va="center", size=11 if size <= 4 else 10, color=INK)


def _name(task: str, width: int) -> str:
    """A task's name in at most two lines, broken where a person would break it."""
    lines = [""]
    for part in re.split(r"(?<=[_.-])", clean(task)):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    lines = [*lines[:1], "".join(lines[1:])] if len(lines) > 1 else lines
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines)
