"""In which groups of examples the answers changed: a figure and a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.analyses import Column, DataTable, Value
from manyheads.analyses._changes import Changes
from manyheads.heads import Head
from manyheads.report import drawing
from manyheads.report.drawing import INK, MUTED, ROW, SERIES, Figure
from manyheads.report.templating import shortened
from manyheads.results.numbers import gain

GAP = "\N{NO-BREAK SPACE}" * 4
LONGEST = 20
"""Characters of a group's name in the figure."""


@dataclass(frozen=True)
class Group:
    """A group of examples.

    :param by: What the examples are grouped by.
    :param interval: Of the difference in this group; None if it cannot be known.
    """

    by: str
    name: str
    changes: Changes
    interval: tuple[float, float] | None

    @property
    def difference(self) -> float | None:
        """Of the scores in this group; None if there is nothing to score in it."""
        return self.changes.difference() if self.changes.total else None


def grouped(rows: Any, head: Head) -> dict[str, list[str]]:
    """What examples are grouped by -> [n] the name of each example's group; only what gives two groups or more.

    :param rows: The reported split, a `datasets.Dataset`.
    """
    names = [name for name in (*head.columns, *head.optional) if name in rows.column_names]
    examples = rows.select_columns(names).to_list()
    words = [sum(_words(example.get(name)) for name in head.asked) for example in examples]
    groups = {"Length": _lengths(np.array(words)), **head.groups(examples)}
    return {by: found for by, found in groups.items() if len(set(found)) > 1}


def ordered(by: str, names: Sequence[str]) -> list[str]:
    """The different groups: lengths by size, all others the most frequent first."""
    if by == "Length":
        return sorted(set(names), key=lambda name: int(name.split()[0]))
    return [name for name, _ in Counter(names).most_common()]


def _words(value: Any) -> int:
    """How many words there are in a text, or in a list of texts."""
    return sum(len(part.split()) for part in (value if isinstance(value, list) else [value]) if isinstance(part, str))


def _lengths(words: np.ndarray) -> list[str]:
    """Four groups of about as many examples, named by how many words they have."""
    edges = sorted({int(edge) for edge in np.quantile(words, (0.25, 0.5, 0.75))} - {int(words.max())})
    places = np.searchsorted(edges, words)
    ends = [*edges, int(words.max())]
    starts = [int(words.min()), *(edge + 1 for edge in edges)]
    return [f"{starts[at]} to {ends[at]} words" for at in places]


def group_figure(task: str, metric: str, groups: Sequence[Group]) -> Figure:
    """The difference in each group with its interval, and how many examples were fixed and broken."""
    names: list[str] = []
    notes: list[str] = []
    rows: list[tuple[int, Group]] = []
    for group in groups:
        if not rows or rows[-1][1].by != group.by:
            names.append(group.by)
            notes.append("")
        rows.append((len(names), group))
        names.append(shortened(group.name, LONGEST))
        fixed, broken = group.changes.consistent
        notes.append(f"+{fixed:,} −{broken:,}")
    with drawing.house_look():
        sheet = drawing.new_sheet(ROW * len(names) + 90)
        axes = drawing.panel(sheet, f"{task}, change of {metric} × 100", 0, ROW * len(names), right=96)
        drawing.rows(axes, names, notes)
        axes.axvline(0, color=INK, linewidth=1)
        for at, group in rows:
            low, high = group.interval or (0, 0)
            colour, marker = (SERIES[0], "^") if low > 0 else (SERIES[1], "v") if high < 0 else (MUTED, "o")
            drawing.whisker(axes, at, group.difference, group.interval, marker, colour)
        axes.set_xlabel(f"← worse{GAP}{metric} × 100, 95 % interval{GAP}better →")
        reading = (
            "Each mark is the change of the score in a group of examples, its line the 95 % interval over seeds and "
            "examples; a line that crosses zero may be chance. At the right: how many examples were consistently fixed "
            "(+) and broken (−)."
        )
        title = f"{task}: where the answers changed"
        known = [(group, group.difference) for group in groups if group.difference is not None]
        every = [f"{group.by} {group.name}: {gain(difference)}" for group, difference in known]
        return drawing.finish(sheet, f"groups-{task}"[:64], title, reading, f"{title}. {'; '.join(every)}.")


def group_table(task: str, metric: str, groups: Sequence[Group], arms: Sequence[str]) -> DataTable:
    """The scores of both arms in each group.

    :param arms: What the two arms are called.
    """
    rows: list[list[Value]] = []
    for group in groups:
        changes, interval = group.changes, group.interval or (None, None)
        known = (*changes.scores(), group.difference) if changes.total else (None, None, None)
        rows.append([group.by, group.name, len(changes.weights), *known, *interval, *changes.consistent])
    differences = [Column(title, "gain") for title in ("Difference", "from", "to")]
    columns = ["By", "Group", "Examples", *(Column(arm, "points") for arm in arms), *differences, "Fixed", "Broken"]
    note = (
        "With 95 % intervals over seeds and examples. They are not corrected for how many groups there are: expect one "
        "in twenty to miss."
    )
    title = f"{task}: {metric} in groups of examples"
    return DataTable(f"groups-{task}"[:64], columns, rows, note, title=title, folded=True)
