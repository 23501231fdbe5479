"""Runs for analyses that nobody has trained: a study, answers and results as a test wants them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from manyheads import registry
from manyheads.analyses import FinishedRun
from manyheads.core.values import Table
from manyheads.heads import Head
from manyheads.results.run_record import FinishedRecord, TaskMetrics
from manyheads.results.schema import Comparison, StudyResults
from manyheads.study.spec import Arm, Choice, Study, Task


def study_of(
    arms: Mapping[str, Sequence[str]],
    *,
    joint: Sequence[str] | None = None,
    heads: Mapping[str, str] | None = None,
    unscored: Sequence[str] = (),
    seeds: int = 1,
) -> Study:
    """A study with as much in it as analyses look at.

    :param arms: arm -> its tasks; the first is the baseline.
    :param joint: The arms that train jointly; by default all but the baseline.
    :param heads: task -> its head; `classification` for the others.
    """
    joint = list(arms)[1:] if joint is None else joint
    names = dict.fromkeys(task for given in arms.values() for task in given)
    tasks = {
        name: Task(name, Choice("table"), Choice((heads or {}).get(name, "classification")), 0, 0,
                   "none" if name in unscored else "")
        for name in names
    }  # fmt: skip
    nothing = dict.fromkeys(field.name for field in fields(Arm))
    made = {
        arm: Arm(**nothing | {"name": arm, "label": arm, "alone": arm not in joint, "tasks": tuple(given)})
        for arm, given in arms.items()
    }
    return Study("made_up", "", tuple(range(seeds)), next(iter(arms)), tasks, made, Path(), {}, "")


class MadeUp:
    """An `analyses.StudyRuns` of two arms or more.

    :param arms: As `study_of` takes them.
    :param rows: task -> its examples.
    :param head: Of every task.
    """

    def __init__(
        self,
        arms: Mapping[str, Sequence[str]],
        rows: Mapping[str, Sequence[Mapping[str, Any]]],
        seeds: int,
        head: str = "classification",
    ):
        self.tables = {
            task: Table(datasets.Dataset.from_list([dict(row) for row in given])) for task, given in rows.items()
        }
        self.lines: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
        self.kinds: dict[str, dict[str, str]] = {}
        self.comparisons: list[Comparison] = []
        self.study = study_of(arms, heads=dict.fromkeys(rows, head), seeds=seeds)

    def answer(self, arm: str, task: str, scores: np.ndarray, metric: str, kind: str = "mean", **columns: Any) -> None:
        """What an arm scored on each example, [k, n] or [k, n, m], and what it answered."""
        self.kinds.setdefault(task, {})[metric] = kind
        for seed, of_seed in enumerate(scores):
            lines = self.lines.setdefault((arm, seed, task), [{"items": {}} for _ in of_seed])
            for at, (line, score) in enumerate(zip(lines, of_seed, strict=True)):
                row = self.tables[task].rows[at]
                gold = row.get(self.head(task).gold[0])
                line |= {"id": row["id"], "gold": gold, **{name: given[at] for name, given in columns.items()}}
                line["items"][metric] = np.atleast_1d(score).tolist()

    @property
    def results(self) -> StudyResults:
        return StudyResults.model_construct(comparisons=self.comparisons)

    def finished(self, arm: str = "", task: str = "") -> list[FinishedRun]:
        found = []
        for name, seed, of_task in self.lines:
            if arm in ("", name) and task in ("", of_task):
                kinds = self.kinds[of_task]
                metrics = TaskMetrics(headline=next(iter(kinds)), kinds=kinds, split=None)
                record = FinishedRecord.model_construct(metrics={of_task: metrics})
                found.append(FinishedRun(name, seed, (of_task,), f"{name}/{seed}", record))
        return found

    def answers(self, run: FinishedRun, task: str) -> list[dict[str, Any]]:
        return self.lines[run.arm, run.seed, task]

    def table(self, task: str, split: str = "reported") -> Table:
        return self.tables[task]

    def head(self, task: str) -> Head:
        return registry.load("heads", self.study.tasks[task].head.name)(4, ["bad", "good"])

    def labels(self, task: str) -> tuple[str, ...] | None:
        return None


def classified(before: np.ndarray, after: np.ndarray) -> MadeUp:
    """A task with labels and two arms, right where [k, n] is 1."""
    rows = [
        {"id": f"r{at}", "text": "word " * (at + 1), "label": ("bad", "good")[at % 2]} for at in range(before.shape[1])
    ]
    made = MadeUp({"alone": ["food"], "joint": ["food"]}, {"food": rows}, len(before))
    for arm, scores in (("alone", before), ("joint", after)):
        said = ["good"] * before.shape[1]
        made.answer(arm, "food", scores.astype(float), "accuracy", label=said)
    return made
