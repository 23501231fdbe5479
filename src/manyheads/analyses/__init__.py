"""What a study learns from the records, predictions and models of its finished runs: a section of the report each.

To add an analysis, write `analyses/<name>.py` with one class that inherits from `Analysis`, and
`tests/analyses/test_<name>.py`. There is nothing to register; a study asks for it with `[analyses.<name>]`.

An analysis never changes a run, and a study that asks for one more trains nothing again. If one fails, its section of
the report says why, and the rest of the study is complete.

`manyheads check` looks at the settings of an analysis without importing torch or matplotlib if the analysis has a
companion: `analyses/_<name>_checks.py`, a module with a function `problems(study, settings, where)` like
`Analysis.problems`, which imports neither of them nor this package.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from manyheads.core.problems import Problem
from manyheads.core.values import Answer, Encoded, HighlightedText, Options, Table
from manyheads.heads import Head
from manyheads.report.drawing import Figure
from manyheads.results.schema import StudyResults
from manyheads.study.spec import Study

# ---- what an analysis returns ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    :param kind: How the report shows its numbers: `points` (a score, times 100), `gain` (a difference of scores, times
        100, with its sign), `share` (of 1, in per cent), `chance` (a p value), `verdict` (the verdict of a comparison),
        or "" for numbers as they are.
    """

    title: str
    kind: Literal["", "points", "gain", "share", "chance", "verdict"] = ""


Value = str | int | float | None | HighlightedText


@dataclass(frozen=True)
class DataTable:
    """A table of the report, and the file `OUT/analyses/<analysis>/<name>.csv`.

    :param name: Of the file, and of the table in the page.
    :param columns: A plain text is the title of a column whose numbers are shown as they are.
    :param rows: Each as long as `columns`; the most informative first.
    :param note: How to read the table; stands below it.
    :param csv: Whether it is also written to a file.
    :param shown: How many rows the page shows. It says how many more there are; the file has all of them.
    :param title: Stands above the table.
    :param folded: Whether the page shows only the title until the reader unfolds the table.
    """

    name: str
    columns: Sequence[str | Column]
    rows: Sequence[Sequence[Value]]
    note: str = ""
    csv: bool = True
    shown: int = 100
    title: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A section of the report.

    :param finding: What was found, in a sentence or two; stands first.
    :param parts: Paragraphs of plain text, tables, and figures made with `report.drawing`, in the order of reading. No
        two tables and no two figures have the same name.
    """

    title: str
    finding: str
    parts: Sequence[str | DataTable | Figure]


# ---- what an analysis reads ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that finished.

    :param tasks: The tasks it trained; a single one in an arm that gives each task a model of its own.
    :param path: Its folder, relative to the study's.
    :param record: Its record.json.
    """

    arm: str
    seed: int
    tasks: tuple[str, ...]
    path: str
    record: Mapping[str, Any]


class StudyRuns(Protocol):
    """The finished runs of a study, its data, and the comparison of its arms."""

    study: Study
    results: StudyResults
    """results.json: scores, comparisons and the rest."""

    def finished(self, arm: str = "", task: str = "") -> list[FinishedRun]:
        """The runs that finished, in the order of the study: those of an arm, those that trained a task, or all."""
        ...

    def answers(self, run: FinishedRun, task: str) -> Sequence[Answer]:
        """What a run answered to the reported split of a task, in the order of the split: the lines of
        predictions/TASK.jsonl as `docs/outputs.md` describes them, with `id`, `gold` and `items` beside the answer.

        :raises StudyError: If the file is not as the run wrote it.
        """
        ...

    def table(self, task: str, split: Literal["reported", "train"] = "reported") -> Table:
        """A split of a task's data."""
        ...

    def labels(self, task: str) -> tuple[str, ...] | None:
        """The names of a task's classes; None if it has none."""
        ...

    def head(self, task: str) -> Head:
        """A task's head, untrained: which columns it reads, and how its examples and answers are shown to people."""
        ...

    def model(self, run: FinishedRun) -> Any:
        """The run's `MultiTaskModel`, which must not be changed. Only the last one is kept in memory: finish with one
        model before asking for the next.

        :raises StudyError: If its files are not as the run wrote them.
        """
        ...

    def encoded(self, run: FinishedRun, task: str, table: Table) -> Sequence[Encoded]:
        """The rows of a table as the head of `task` in this run's model encodes them; with targets if labelled."""
        ...

    def predict(self, run: FinishedRun, task: str, table: Table) -> Sequence[Answer]:
        """What the head of `task` answers to the rows of a table, which may be another task's. Labels are ignored."""
        ...


class Analysis(ABC):
    """The contract of every analysis. Its keyword-only constructor arguments are what a study may set."""

    @classmethod
    def problems(cls, study: Study, settings: Options, where: str) -> list[Problem]:
        """The settings that do not fit the study, before any data is read. Not called if there is a companion.

        :param settings: What the study sets; settings left at their defaults are not in it.
        :param where: The beginning of each message, such as `analyses.changed_answers`.
        """
        return []

    @abstractmethod
    def analyse(self, runs: StudyRuns) -> Section:
        """The section of the report. If nothing can be said, because no run has finished, the finding says so."""
