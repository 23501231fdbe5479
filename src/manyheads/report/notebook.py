"""The results of a study for people who work in Python: as tables, data frames and figures. Needs no torch."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core.problems import Problem, StudyError
from manyheads.report import html_page, plots, tables
from manyheads.report.markup import few, note, text
from manyheads.results.reader import read_results

COLUMNS = ("arm", "task", "metric", "headline", "seed", "score", "status", "reason")
"""Of the data frame of scores: one row for each planned run, metric and task."""


def open_results(folder: str | os.PathLike[str]) -> "Results":
    """The results of a study that was run before.

    :param folder: What `manyheads run` wrote, `runs/quickstart` for example.
    :raises StudyError: If there are none, or they are not as `manyheads run` writes them.
    """
    return Results(read_results(Path(folder)), Path(folder))


@dataclass(frozen=True, slots=True, repr=False)
class ShownTable:
    """A table that a notebook shows as one, and `print` as lines of text."""

    grid: tables.Grid

    def __str__(self) -> str:
        lines = [self.grid.header, *self.grid.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = ["  ".join(map(_aligned, line, widths, range(len(line)))).rstrip() for line in lines]
        return "\n".join([*shown, "", self.grid.note])

    __repr__ = __str__

    def markdown(self) -> str:
        """A pipe table with the note below."""
        return tables.markdown(self.grid)

    def latex(self) -> str:
        """A table for the package booktabs."""
        return tables.latex(self.grid)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{text(cell)}</th>' for cell in self.grid.header)
        body = "".join(f"<tr>{''.join(_html_cells(row))}</tr>" for row in self.grid.rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"{table}<p><small>{text(self.grid.note)}</small></p>"


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def _html_cells(row: Sequence[str]) -> Iterator[str]:
    yield f'<th scope="row" style="text-align: left">{text(row[0])}</th>'
    for cell in row[1:]:
        yield f"<td>{text(cell)}</td>"


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """What came out of a study. In a notebook it shows itself: the answer and the main table.

    :param content: What is in `results.json`; `docs/outputs.md` describes every key.
    :param folder: The study's folder.
    """

    content: Mapping[str, Any]
    folder: Path

    @property
    def question(self) -> str:
        """What the study asks."""
        return self.content["study"]["question"]

    @property
    def answer(self) -> str:
        """The answer in a sentence or two."""
        return self.content["answer"]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The runs that failed: `arm`, `seed`, `task` (None for all of the arm's), `reason`."""
        return list(self.content["failed"])

    @property
    def table(self) -> ShownTable:
        """Arms by tasks: each task's headline metric, the difference to the baseline, its verdict, and the cost."""
        return ShownTable(tables.main_table(self.content))

    def task_table(self, task: str) -> ShownTable:
        """All metrics of one task, and its comparison in full.

        :raises StudyError: If the study has no such task.
        """
        _known("task", task, self.content["tasks"])
        return ShownTable(tables.task_table(self.content, task))

    def frame(self) -> Any:
        """Every score as a pandas data frame, one row for each arm, task, metric and seed; scores are fractions.

        What was planned and has no score has a row too: its score is NaN, `status` is not `finished`, or `reason` says
        why the score is undefined.
        """
        import pandas

        return pandas.DataFrame(list(self._rows()), columns=list(COLUMNS)).astype({"score": float})

    def comparisons(self) -> Any:
        """Every comparison with the baseline as a pandas data frame; keys as in `results.json`."""
        import pandas

        rows = []
        for entry in self.content["comparisons"]:
            low, high = entry["interval"] or (None, None)
            rows.append({**{key: value for key, value in entry.items() if key != "interval"}, "low": low, "high": high})
        return pandas.DataFrame(rows)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        scores = {(entry["arm"], entry["task"], entry["metric"]): entry for entry in self.content["scores"]}
        for arm in tables.ordered(self.content):
            about = self.content["arms"][arm]
            for task in (task for task in self.content["tasks"] if task in about["tasks"]):
                headline = self.content["tasks"][task]["metric"]
                for metric in self.content["tasks"][task]["metrics"] or [None]:
                    entry = scores.get((arm, task, metric), {})
                    for run in about["runs"]:
                        if run["task"] in (None, task):
                            score = entry.get("seeds", {}).get(str(run["seed"]))
                            reason = run["reason"] or (entry.get("undefined") if score is None else None)
                            named = (arm, task, metric, metric == headline, run["seed"])
                            yield (*named, score, run["status"], reason or "")

    def figures(self) -> dict[str, Any]:
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
        _known("arm", arm, self.content["arms"])
        runs = {(run["seed"], run["task"]): run for run in self.content["arms"][arm]["runs"]}
        run = runs.get((seed, task)) or runs.get((seed, None))
        if run is None or run["status"] != "finished":
            finished = [str(key) for key, one in runs.items() if one["status"] == "finished"]
            what = f"the arm {arm} has no finished run of this seed and task"
            remedy = f"There are (seed, task): {', '.join(finished)}." if finished else "None of its runs finished."
            raise StudyError([Problem(str(self.folder), what, str((seed, task)), remedy)])
        return self.folder / run["path"] / "model"

    def __str__(self) -> str:
        return f"{self.question}\n\n{self.table}\n\n{self.answer}"

    def __repr__(self) -> str:
        runs = sum(len(about["runs"]) for about in self.content["arms"].values())
        return f"Results({str(self.folder)!r}: {few(runs, 'run')}, {len(self.failed)} failed)"

    def _repr_html_(self) -> str:
        lost = note(f"{few(len(self.failed), 'run')} failed.") if self.failed else ""
        asked, where = text(self.question), text(self.folder / "report.html")
        answer = f"<p>{asked}<br><strong>{text(self.answer)}</strong></p>"
        return f"{answer}{lost}{self.table._repr_html_()}<p><small>Report: <code>{where}</code></small></p>"


def _known(kind: str, name: str, there: Mapping[str, Any]) -> None:
    if name not in there:
        raise StudyError([Problem("results", f'there is no {kind} "{name}"', "", f"Choose from: {', '.join(there)}.")])
