"""The results of a study for people who work in Python: as tables, data frames and figures. Needs no torch."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core.problems import Problem, StudyError, counted
from manyheads.report import html_page, plots, tables
from manyheads.report.drawing import Sheet
from manyheads.report.tables import TextTable
from manyheads.report.templating import TEMPLATES
from manyheads.results.reader import read_results
from manyheads.results.schema import FailedRun, StudyResults

COLUMNS = ("arm", "task", "metric", "headline", "seed", "score", "status", "reason")
"""Of the data frame of scores: one row for each planned run, metric and task."""


def open_results(folder: str | os.PathLike[str]) -> "Results":
    """The results of a study that was run before.

    :param folder: What `manyheads run` wrote, `runs/quickstart` for example.
    :raises StudyError: If there are none, or they are not as `manyheads run` writes them.
    """
    return Results(read_results(Path(folder)), Path(folder))


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """What came out of a study. In a notebook it shows itself: the answer and the main table.

    :param content: What is in `results.json`.
    :param folder: The study's folder.
    """

    content: StudyResults
    folder: Path

    @property
    def question(self) -> str:
        """What the study asks."""
        return self.content.study.question

    @property
    def answer(self) -> str:
        """The answer in a sentence or two."""
        return self.content.answer

    @property
    def failed(self) -> list[FailedRun]:
        """The runs that failed: `arm`, `seed`, `task` (None for all of the arm's), `reason`."""
        return self.content.failed

    @property
    def table(self) -> TextTable:
        """Arms by tasks: each task's headline metric, the difference to the baseline, its verdict, and the cost."""
        return tables.main_table(self.content)

    def task_table(self, task: str) -> TextTable:
        """All metrics of one task, and its comparison in full.

        :raises StudyError: If the study has no such task.
        """
        _known("task", task, self.content.tasks)
        return tables.task_table(self.content, task)

    def frame(self) -> Any:
        """Every score as a pandas data frame, one row for each arm, task, metric and seed; scores are fractions.

        What was planned and has no score has a row too: its score is NaN, `status` is not `finished`, or `reason` says
        why the score is undefined.
        """
        import pandas

        return pandas.DataFrame(list(self._rows()), columns=list(COLUMNS)).astype({"score": float})

    def comparisons(self) -> Any:
        """Every comparison with the baseline as a pandas data frame, one row each; the interval is `low` and `high`."""
        import pandas

        return pandas.DataFrame(tables.comparison_rows(self.content), columns=list(tables.COMPARED))

    def _rows(self) -> Iterator[tuple[str | bool | int | float | None, ...]]:
        scores = {(one.arm, one.task, one.metric): one for one in self.content.scores}
        for arm in tables.ordered(self.content):
            for task in (task for task in self.content.tasks if task in self.content.arms[arm].tasks):
                about = self.content.tasks[task]
                for metric in about.metrics or [None]:
                    of_all = scores.get((arm, task, metric or ""))
                    for run in self.content.arms[arm].runs:
                        if run.task in (None, task):
                            score = of_all.seeds.get(run.seed) if of_all else None
                            undefined = of_all.undefined if of_all and score is None else None
                            named = (arm, task, metric, metric == about.metric, run.seed)
                            yield (*named, score, run.status, run.reason or undefined or "")

    def figures(self) -> dict[str, Sheet | None]:
        """The report's figures as matplotlib figures, drawn anew: `scores`, `differences`, and what else there is."""
        return {figure.name: figure.sheet for figure in plots.figures(self.content, self.folder)}

    def report(self) -> Path:
        """Where the report is. It is written if it is not there."""
        path = self.folder / "report.html"
        return path if path.is_file() else html_page.write(self.content, self.folder)

    def model(self, arm: str, seed: int, task: str | None = None) -> Path:
        """The folder of a trained model, for `manyheads.Model.open` and `manyheads predict`.

        :param task: Which one, if the arm has one model per task.
        :raises StudyError: If there is no such run, or it did not finish.
        """
        _known("arm", arm, self.content.arms)
        runs = {(run.seed, run.task): run for run in self.content.arms[arm].runs}
        run = runs.get((seed, task)) or runs.get((seed, None))
        if run is None or run.status != "finished":
            finished = [str(key) for key, one in runs.items() if one.status == "finished"]
            what = f"the arm {arm} has no finished run of this seed and task"
            remedy = f"There are (seed, task): {', '.join(finished)}." if finished else "None of its runs finished."
            raise StudyError([Problem(str(self.folder), what, str((seed, task)), remedy)])
        return self.folder / run.path / "model"

    def __str__(self) -> str:
        return f"{self.question}\n\n{self.table}\n\n{self.answer}"

    def __repr__(self) -> str:
        runs = sum(len(arm.runs) for arm in self.content.arms.values())
        return f"Results({str(self.folder)!r}: {counted(runs, 'run')}, {len(self.failed)} failed)"

    def _repr_html_(self) -> str:
        return TEMPLATES.get_template("notebook_results.html").render(results=self)


def _known(kind: str, name: str, there: Mapping[str, object]) -> None:
    if name not in there:
        raise StudyError([Problem("results", f'there is no {kind} "{name}"', "", f"Choose from: {', '.join(there)}.")])
