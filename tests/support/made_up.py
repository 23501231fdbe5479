"""Material for analyses that no run has made: answers and results as a test wants them."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import numpy as np

from manyheads.analyses import RunOf
from manyheads.core.values import Table
from manyheads.results.schema import Comparison, StudyResults


class MadeUp:
    """An `analyses.Material` of two arms or more.

    :param arms: arm -> its tasks; the first is the baseline, with a model for each task.
    :param rows: task -> its examples.
    """

    def __init__(self, arms: Mapping[str, Sequence[str]], rows: Mapping[str, Sequence[Mapping[str, Any]]], seeds: int):
        self.baseline = next(iter(arms))
        self.tables = {
            task: Table(datasets.Dataset.from_list([dict(row) for row in given])) for task, given in rows.items()
        }
        self.lines: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
        self.kinds: dict[str, dict[str, str]] = {}
        self.comparisons: list[Comparison] = []
        about = {
            arm: {"label": arm, "models": "joint" if arm != self.baseline else "one per task", "tasks": list(tasks)}
            for arm, tasks in arms.items()
        }
        tasks = dict.fromkeys(task for given in arms.values() for task in given)
        self.plan: dict[str, Any] = {
            "baseline": self.baseline, "seeds": list(range(seeds)), "arms": about,
            "tasks": {task: {"head": "classification"} for task in tasks},
        }  # fmt: skip

    def answer(self, arm: str, task: str, scores: np.ndarray, metric: str, kind: str = "mean", **columns: Any) -> None:
        """What an arm scored on each example, [k, n] or [k, n, m], and what it answered."""
        self.kinds.setdefault(task, {})[metric] = kind
        for seed, of_seed in enumerate(scores):
            lines = self.lines.setdefault((arm, seed, task), [{"items": {}} for _ in of_seed])
            for at, (line, score) in enumerate(zip(lines, of_seed, strict=True)):
                row = self.tables[task].rows[at]
                gold = row.get("answers", row.get("label"))
                line |= {"id": row["id"], "gold": gold, **{name: given[at] for name, given in columns.items()}}
                line["items"][metric] = np.atleast_1d(score).tolist()

    @property
    def results(self) -> StudyResults:
        return StudyResults.model_construct(comparisons=self.comparisons)

    def runs(self, arm: str = "", task: str = "") -> list[RunOf]:
        found = []
        for name, seed, of_task in self.lines:
            if arm in ("", name) and task in ("", of_task):
                metrics = {"kinds": self.kinds[of_task], "headline": next(iter(self.kinds[of_task]))}
                found.append(RunOf(name, seed, (of_task,), f"{name}/{seed}", {"metrics": {of_task: metrics}}))
        return found

    def answers(self, run: RunOf, task: str) -> list[dict[str, Any]]:
        return self.lines[run.arm, run.seed, task]

    def table(self, task: str, split: str = "reported") -> Table:
        return self.tables[task]

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
