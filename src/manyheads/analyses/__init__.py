"""What is read from a study's records, answers and models after its runs: a finding, and what it rests on.

To add an analysis, write `analyses/<name>.py` with one class that inherits from `Analysis`, and
`tests/analyses/test_<name>.py`. There is nothing to register; a study asks for it with `[analyses.<name>]`.

Analyses never change a run, and a study that asks for one more trains nothing anew. What fails in one is told in its
section of the report, and the study is whole without it.

`manyheads check` asks an analysis without importing torch, if it has a companion: `analyses/_<name>_checks.py`, which
imports nothing of this package and holds `problems(plan, settings, where)`, as `Analysis.problems`. The analysis
itself calls it too.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from manyheads.core.problems import Problem
from manyheads.core.values import Encoded, Table
from manyheads.report.drawing import Figure
from manyheads.results.schema import StudyResults


@dataclass(frozen=True, slots=True)
class Marked:
    """A text of which a part is marked, such as the answer in its context: the characters from `start` to before `end`.

    Nothing is marked if the two are equal.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    :param kind: How the page shows its numbers: `points` (a score, times 100), `gain` (a difference of scores, times
        100 and signed), `share` (of 1, in per cent), `chance` (a p value), `verdict` (one of the comparison's words),
        or as they are.
    """

    title: str
    kind: Literal["", "points", "gain", "share", "chance", "verdict"] = ""


Value = str | int | float | None | Marked


@dataclass(frozen=True)
class Grid:
    """A table of the report, and a file `OUT/analyses/<analysis>/<name>.csv`.

    :param name: Of the file, and of the table in the page.
    :param rows: As wide as `columns`, the most telling first.
    :param title: What stands above it.
    :param note: What a person has to know to read it.
    :param csv: Whether it is written as a file too.
    :param shown: How many rows stand in the page. It says how many more there are; the file holds all.
    :param folded: Whether it is folded away under its title, for what not everybody wants to see.
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
class Finding:
    """What an analysis found.

    :param finding: One sentence, which a person reads first.
    :param parts: In the order of reading: paragraphs of plain text, tables, figures drawn on `drawing`'s sheet. The
        names of tables are all different, those of figures too.
    """

    title: str
    finding: str
    parts: Sequence[str | Grid | Figure]


@dataclass(frozen=True, slots=True)
class RunOf:
    """A run that finished.

    :param tasks: What it trained: one task in an arm that gives each a model of its own.
    :param path: Its folder, below the study's.
    :param record: Its record.json.
    """

    arm: str
    seed: int
    tasks: tuple[str, ...]
    path: str
    record: Mapping[str, Any]


class Material(Protocol):
    """What a study left behind, as an analysis reads it."""

    plan: Mapping[str, Any]
    """`name`, `question`, `baseline`, `seeds`; `tasks`: task -> {`head`, `split`, ...}, those with scores;
    `arms`: arm -> {`label`, `models` (`one per task` or `joint`), `tasks`, ...}."""
    results: StudyResults
    """The comparison."""

    def runs(self, arm: str = "", task: str = "") -> list[RunOf]:
        """The runs that finished, in the order of the study: of an arm, or that trained a task, or all."""
        ...

    def answers(self, run: RunOf, task: str) -> list[dict[str, Any]]:
        """A run's answers to a task's reported split, in its order, as `docs/outputs.md` has a line of predictions.

        :raises StudyError: If the file is not as the run wrote it.
        """
        ...

    def table(self, task: str, split: Literal["reported", "train"] = "reported") -> Table:
        """A split of a task's data."""
        ...

    def labels(self, task: str) -> tuple[str, ...] | None:
        """The names of a task's classes; None where it has none."""
        ...

    def model(self, run: RunOf) -> Any:
        """The run's `MultiTaskModel`, to be left as it is. Only the last one is kept: finish with one before the next.

        :raises StudyError: If its files are not as the run wrote them.
        """
        ...

    def encoded(self, run: RunOf, task: str, table: Table) -> Sequence[Encoded]:
        """A table's rows as this run's model reads them with the head of `task`, targets included if it has labels."""
        ...

    def predict(self, run: RunOf, task: str, table: Table) -> list[dict[str, Any]]:
        """What the head of `task` answers to a table's rows, another task's too. Gold labels are not looked at."""
        ...


class Analysis(ABC):
    """The contract of every analysis. Its keyword-only constructor arguments are what a study may set."""

    @classmethod
    def problems(cls, plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
        """What in the settings does not fit the study, before any data is read.

        :param plan: Of `Material.plan` what the study file tells: `baseline`, `seeds`, `tasks` with their `head`,
            `arms` with their `models` and `tasks`.
        :param settings: As the study sets them; those left at their defaults are not there.
        :param where: Opens each message, such as `analyses.changed_answers`.
        """
        return []

    @abstractmethod
    def find(self, material: Material) -> Finding:
        """Look, and say what there is to see. Where nothing can be said, for no run finished, the finding says so."""
