"""Who helps whom: every pair of tasks trained together, each task compared with itself alone.

Training all pairs is the yardstick for which tasks belong together: Standley et al., "Which Tasks Should Be Learned
Together in Multi-task Learning?", ICML 2020, https://arxiv.org/abs/1905.07553, section 4.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.analyses import Analysis, Column, Finding, Grid, Material, Value
from manyheads.analyses._transfer_figure import heat_map
from manyheads.analyses._transfer_matrix_checks import pairs, problems
from manyheads.core.problems import Problem, counted
from manyheads.results.numbers import gain

Cells = Mapping[tuple[str, str], Mapping[str, Any]]


class TransferMatrix(Analysis):
    """The cell (i, j) is the score of task i trained together with j, less its score trained alone.

    Differences, intervals (over seeds and examples), p values and verdicts are those of the study's comparison on each
    task's headline metric; Holm's correction is over all its comparisons, and so over all cells. A cell speaks of one
    way of training two tasks: with another sampling or budget it may come out otherwise.

    `manyheads init --pairs FILE` writes a study whose arms are the tasks alone and all their pairs.

    :param arms: Which arms are the pairs; all that train just two tasks together, by default.
    """

    def __init__(self, *, arms: Sequence[str] = ()) -> None:
        self.arms = arms

    @classmethod
    def problems(cls, plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
        return problems(plan, settings, where)

    def find(self, material: Material) -> Finding:
        known = pairs(material.plan, self.arms)
        entries = {key: one.model_dump() for key, one in material.results.headline_comparisons().items()}
        cells = {
            (target, partner): entries[arms[0], target]
            for pair, arms in known.items()
            for target, partner in (pair, pair[::-1])
            if (arms[0], target) in entries
        }
        tasks = [task for task in material.plan["tasks"] if any(task in pair for pair in known)]
        title = "Who helps whom"
        if all(cell["difference"] is None for cell in cells.values()):
            return Finding(title, "Nothing can be said yet: no pair of tasks has finished, nor the tasks alone.", [])
        baseline = material.plan["baseline"]
        label = material.plan["arms"][baseline].get("label") or baseline
        return Finding(
            title, _sentence(cells), [heat_map(tasks, cells, label), _table(tasks, cells), _summary(tasks, cells)]
        )


def _sentence(cells: Cells) -> str:
    """What is sure, the largest first; and how much is not known."""
    parts = []
    for verdict, sign in (("helps", -1), ("hurts", 1)):
        sure = sorted(
            (pair for pair in cells if cells[pair]["verdict"] == verdict), key=lambda pair: _size(cells, pair, sign)
        )
        told = [
            f"{partner} {verdict} {target} ({gain(cells[target, partner]['difference'])})"
            for target, partner in sure[:3]
        ]
        more = f" and {len(sure) - 3} more" if len(sure) > 3 else ""
        parts.append(f"{', '.join(told)}{more}" if sure else f"no task {verdict} another for sure")
    unclear = sum(cell["verdict"] == "cannot tell" for cell in cells.values())
    none = sum(cell["verdict"] == "no difference" for cell in cells.values())
    rest = [f"{none} make{'s' if none == 1 else ''} no difference that matters"] if none else []
    rest += [f"{unclear} cannot be told with these seeds and examples"] if unclear else []
    tail = f"; of {counted(len(cells), 'direction')}, {' and '.join(rest)}" if rest else ""
    return f"Trained together, {parts[0]}; {parts[1]}{tail}."


def _size(cells: Cells, pair: tuple[str, str], sign: int) -> float:
    return sign * (cells[pair]["difference"] or 0.0)


def _table(tasks: Sequence[str], cells: Cells) -> Grid:
    rows: list[list[Value]] = []
    for target in tasks:
        for partner in tasks:
            if (cell := cells.get((target, partner))) is None:
                continue
            interval = cell["interval"] or (None, None)
            rows.append([
                target, partner, cell["verdict"], cell["difference"], *interval, cell["p_holm"], cell["metric"],
                cell["seeds"], cell["seeds_needed"], cell["arm"],
            ])  # fmt: skip
    columns = [
        "Task", "trained with", Column("Verdict", "verdict"), Column("Difference", "gain"), Column("from", "gain"),
        Column("to", "gain"), Column("p (Holm)", "chance"), "Metric", "Seeds", "Seeds that would do", "Arm",
    ]  # fmt: skip
    note = "Differences to the task alone, times 100, with 95 % intervals over seeds and examples."
    return Grid("matrix", columns, rows, note, title="Every direction")


def _summary(tasks: Sequence[str], cells: Cells) -> Grid:
    """For each task what it gains from the others and gives to them, on average, and its best partner."""
    rows: list[list[Value]] = []
    for task in tasks:
        gets = {partner: _known(cells, task, partner) for partner in tasks if partner != task}
        gives = [_known(cells, other, task) for other in tasks if other != task]
        got = {partner: value for partner, value in gets.items() if value is not None}
        given = [value for value in gives if value is not None]
        best = max(got, key=lambda partner: got[partner]) if got else None
        rows.append([
            task, sum(got.values()) / len(got) if got else None, sum(given) / len(given) if given else None, best,
            got[best] if best else None, cells[task, best]["verdict"] if best else None,
        ])  # fmt: skip
    columns = [
        "Task", Column("Gains from the others", "gain"), Column("Gives to the others", "gain"), "Best partner",
        Column("with it", "gain"), Column("Verdict", "verdict"),
    ]  # fmt: skip
    note = "Means over the partners, of each task's own metric times 100. The best of several looks better than it is."
    return Grid("tasks", columns, rows, note, title="What each task gains and gives")


def _known(cells: Cells, target: str, partner: str) -> float | None:
    cell = cells.get((target, partner))
    return cell["difference"] if cell else None
