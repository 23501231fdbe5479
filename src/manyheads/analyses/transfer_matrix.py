"""Which task gains from which: every pair of tasks trained together, and each task compared with itself alone.

Training all pairs is the yardstick for which tasks belong together: Standley et al., "Which Tasks Should Be Learned
Together in Multi-task Learning?", ICML 2020, https://arxiv.org/abs/1905.07553, section 4.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from manyheads.analyses import Analysis, Column, DataTable, Section, StudyRuns, Value
from manyheads.analyses._transfer_matrix_checks import pairs
from manyheads.core.problems import counted
from manyheads.report import drawing
from manyheads.report.drawing import GRID, INK, MUTED, SERIES, WIDTH, Figure
from manyheads.report.templating import clean
from manyheads.results import numbers
from manyheads.results.numbers import gain, points
from manyheads.results.schema import Comparison

CELL, SIDE, TOP = 46, 128, 66  # points: a row, the column of names, the row of names with its heading
ROOMY = 5
"""With more tasks the cells have no room for intervals."""
STRONGEST = 0.6
"""The opacity of the strongest colour, so that the text of a cell can be read on light and dark paper."""
MARKS = {"helps": "▲ ", "hurts": "▼ "}

Cells = Mapping[tuple[str, str], Comparison]
"""(task that may gain, task that it was trained with) -> the comparison with the task alone."""


class TransferMatrix(Analysis):
    """The cell (i, j) is the score of task i trained together with task j, less its score when trained alone.

    Differences, intervals (over seeds and examples), p values and verdicts are those of the study's comparison on each
    task's headline metric; Holm's correction is over all comparisons of the study, and so over all cells. A cell holds
    for one way of training two tasks: another sampling or budget may give another result.

    `manyheads init --pairs FILE` writes a study whose arms are the tasks alone and all their pairs.

    :param arms: Which arms are the pairs; all that train just two tasks together, by default.
    """

    def __init__(self, *, arms: Sequence[str] = ()) -> None:
        self.arms = arms

    def analyse(self, runs: StudyRuns) -> Section:
        study, of_pair = runs.study, pairs(runs.study, self.arms)
        headlines = runs.results.headline_comparisons()
        cells = {
            (task, partner): headlines[arms[0], task]
            for pair, arms in of_pair.items()
            for task, partner in (pair, pair[::-1])
            if (arms[0], task) in headlines
        }
        tasks = [task for task in study.scored if any(task in pair for pair in of_pair)]
        title = "Who helps whom"
        if all(cell.difference is None for cell in cells.values()):
            return Section(title, "Nothing can be said yet: no pair of tasks has finished, nor the tasks alone.", [])
        figure = heat_map(tasks, cells, study.arms[study.baseline].title)
        return Section(title, _sentence(cells), [figure, _directions(tasks, cells), _totals(tasks, cells)])


def _sentence(cells: Cells) -> str:
    """What is certain, the largest differences first; then how much is not known."""
    parts = []
    for verdict, sign in (("helps", -1), ("hurts", 1)):
        certain = [pair for pair in cells if cells[pair].verdict == verdict]
        certain.sort(key=lambda pair: sign * (cells[pair].difference or 0.0))
        named = [
            f"{partner} {verdict} {task} ({gain(cells[task, partner].difference)})" for task, partner in certain[:3]
        ]
        more = f" and {len(certain) - 3} more" if len(certain) > 3 else ""
        parts.append(f"{', '.join(named)}{more}" if certain else f"no task {verdict} another for sure")
    verdicts = [cell.verdict for cell in cells.values()]
    none, unclear = verdicts.count("no difference"), verdicts.count("cannot tell")
    rest = [f"{none} make{'s' if none == 1 else ''} no difference that matters"] if none else []
    rest += [f"{unclear} cannot be told with these seeds and examples"] if unclear else []
    tail = f"; of {counted(len(cells), 'direction')}, {' and '.join(rest)}" if rest else ""
    return f"Trained together, {parts[0]}; {parts[1]}{tail}."


def _directions(tasks: Sequence[str], cells: Cells) -> DataTable:
    """Every task with each of its partners."""
    rows: list[list[Value]] = []
    for task in tasks:
        for partner in (partner for partner in tasks if (task, partner) in cells):
            cell = cells[task, partner]
            difference = (cell.verdict, cell.difference, *(cell.interval or (None, None)), cell.p_holm)
            rows.append([task, partner, *difference, cell.metric, cell.seeds, cell.seeds_needed, cell.arm])
    differences = [Column("Difference", "gain"), Column("from", "gain"), Column("to", "gain")]
    columns = ["Task", "trained with", Column("Verdict", "verdict"), *differences, Column("p (Holm)", "chance")]
    columns += ["Metric", "Seeds", "Seeds that would do", "Arm"]
    note = "Differences to the task alone, times 100, with 95 % intervals over seeds and examples."
    return DataTable("matrix", columns, rows, note, title="Every direction")


def _totals(tasks: Sequence[str], cells: Cells) -> DataTable:
    """What each task gains from the others and gives to them, on average, and its best partner."""
    known = {pair: cell.difference for pair, cell in cells.items() if cell.difference is not None}
    rows: list[list[Value]] = []
    for task in tasks:
        got = {partner: known[task, partner] for partner in tasks if (task, partner) in known}
        given = [known[other, task] for other in tasks if (other, task) in known]
        means = [sum(values) / len(values) if values else None for values in (got.values(), given)]
        best = max(got, key=lambda partner: got[partner]) if got else None
        rows.append([task, *means, best, *((got[best], cells[task, best].verdict) if best else (None, None))])
    columns = ["Task", Column("Gains from the others", "gain"), Column("Gives to the others", "gain")]
    columns += ["Best partner", Column("with it", "gain"), Column("Verdict", "verdict")]
    note = "Means over the partners, of each task's own metric times 100. The best of several looks better than it is."
    return DataTable("tasks", columns, rows, note, title="What each task gains and gives")


# ---- the figure ------------------------------------------------------------------------------------------------------


def heat_map(tasks: Sequence[str], cells: Cells, baseline: str) -> Figure:
    """A row for each task, and a column for each task that it was trained with.

    :param baseline: What the arm is called in which each task is trained alone.
    """
    known = [abs(cell.difference) for cell in cells.values() if cell.difference is not None]
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
            sheet.text(0, 1 - below / tall, _two_lines(task, 17), va="center", linespacing=1.05)
            across = (SIDE + (WIDTH - SIDE) * (place + 0.5) / len(tasks)) / WIDTH
            name = _two_lines(task, max(5, int(52 / len(tasks))))
            sheet.text(across, 1 - (TOP - 8) / tall, name, ha="center", va="bottom", linespacing=1.05)
        for row, task in enumerate(tasks):
            for column, partner in enumerate(tasks):
                _draw_cell(axes, row, column, cells.get((task, partner)), largest, len(tasks))
        ends = ", with its 95 % interval below" if len(tasks) <= ROOMY else "; the intervals are in the table"
        reading = (
            f"Each row is a task that may gain, each column the task it was trained with. The number is the difference "
            f"to “{baseline}”, times 100{ends}. Blue gains, orange loses, and the stronger the colour, the more. ▲ and "
            "▼ are sure (helps, hurts); without them it may be chance."
        )
        title = "Who gains from whom"
        differences = [(pair, points(cell.difference, signed=True)) for pair, cell in cells.items()]
        every = [f"{task} with {partner}: {difference}" for (task, partner), difference in differences]
        return drawing.finish(sheet, "matrix", title, reading, f"{title}. {'; '.join(every)}.")


def _draw_cell(axes: Axes, row: int, column: int, cell: Comparison | None, largest: float, size: int) -> None:
    if cell is None or cell.difference is None:
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="none", edgecolor=GRID, linewidth=1))
        text = "" if row == column else "not known" if cell else "not trained"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=MUTED, size=11)
        return
    colour = SERIES[0] if cell.difference > 0 else SERIES[1]
    strength = STRONGEST * abs(cell.difference) / largest
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, alpha=strength, linewidth=0))
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor="none", edgecolor=GRID, linewidth=1))
    mark = MARKS.get(cell.verdict, "")
    look: dict[str, Any] = {"ha": "center", "va": "center", "weight": "bold" if mark else "normal"}
    interval = cell.interval if size <= ROOMY else None
    height, letters = (0.36, 13) if interval else (0.5, 13 if size <= 6 else 11)
    axes.text(column + 0.5, row + height, f"{mark}{gain(cell.difference)}", size=letters, **look)
    if interval:
        ends = numbers.interval(interval, signed=True)
        axes.text(column + 0.5, row + 0.72, ends, ha="center", va="center", size=11 if size <= 4 else 10, color=INK)


def _two_lines(task: str, width: int) -> str:
    """A task's name in at most two lines, broken behind a full stop, hyphen or underscore."""
    lines = [""]
    for part in re.split(r"(?<=[_.-])", clean(task)):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    lines = [*lines[:1], "".join(lines[1:])] if len(lines) > 1 else lines
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines)
