"""A study's tasks as data: read, checked, cut to size. Every problem of every task is found before training."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np

from manyheads import registry
from manyheads.core.content_hash import content_hash
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.text_checks import column_problems
from manyheads.core.values import SPLITS, TEST, TRAIN, VALIDATION, Example, Table, derived_seed
from manyheads.datasets import Dataset
from manyheads.datasets._checks import compare_splits, long_texts
from manyheads.results.run_record import DataSummary
from manyheads.study.hold_out import HeldOut
from manyheads.study.settled import settled
from manyheads.study.spec import UNSCORED, Study, Task

BLOCK = 10_000
"""Rows in memory at a time."""
SAMPLE = 64
"""Examples of a split from which its work is estimated."""


@dataclass(frozen=True)
class TaskData:
    """A task's splits.

    :param train: What it learns from.
    :param reported: What its scores are reported on, None if it is not scored; `split` is its name.
    :param selection: What methods that listen to scores hear; None if no arm needs it. Never the reported split.
    """

    task: Task
    train: Table
    reported: Table | None
    split: str
    selection: Table | None

    @cached_property
    def hash(self) -> str:
        """Of all rows that its runs read."""
        return content_hash(*(table for table in (self.train, self.reported, self.selection) if table is not None))

    @cached_property
    def sample(self) -> dict[str, list[Example]]:
        """Some examples of the training and of the reported split, spread through it."""
        splits = {TRAIN: self.train} if self.reported is None else {TRAIN: self.train, self.split: self.reported}
        return {name: _spread(table.rows) for name, table in splits.items()}

    @cached_property
    def summary(self) -> DataSummary:
        """What the record says about the data before it is encoded."""
        tables = [self.train] if self.reported is None else [self.train, self.reported]
        # A study that reports train itself has it twice.
        told = tables[:1] if self.split == TRAIN else tables
        dropped: dict[str, int] = {}
        for table in told:
            for reason, count in table.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + count
        return DataSummary(
            dataset=" ".join([self.task.dataset.name, *map(str, self.task.dataset.settings.values())]),
            head=self.task.head.name,
            train=len(self.train.rows),
            reported=0 if self.reported is None else len(self.reported.rows),
            split=self.split,
            labels=None if self.train.labels is None else list(self.train.labels),
            dropped=dropped,
            encoding={},
            warnings=[str(problem) for table in told for problem in table.warnings],
            hash=self.hash,
        )


def _spread(rows: Any) -> list[Example]:
    number = min(SAMPLE, len(rows))
    return [dict(row) for row in rows.select(range(0, len(rows), len(rows) // number)).select(range(number))]


class Gold(Sequence[Example]):
    """A split's rows as dicts, made as they are asked for, a block at a time: quicker than one by one, never all."""

    def __init__(self, table: Table) -> None:
        self.rows = table.rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return list(self)[index] if isinstance(index, slice) else self.rows[index]

    def __iter__(self) -> Iterator[Example]:
        for at in range(0, len(self.rows), BLOCK):
            columns = self.rows[at : at + BLOCK]
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))


def read_tasks(study: Study, data: Path | None, code: Path | None = None) -> dict[str, TaskData]:
    """Every task's data.

    :raises StudyError: With every problem of every task.
    """
    problems: list[Problem] = []
    if data is not None and not data.is_dir():
        problems.append(
            Problem("--data", "there is no such folder", shown(str(data)), "Correct the path, or leave it out.")
        )
    tasks = {}
    listening = _needs_scores(study, code)
    for task in study.tasks.values():
        try:
            given = _read(task, study, data, code, listening)
            task, train = settled(task, given.train, code)
            tasks[task.name] = replace(given, task=task, train=train)
        except StudyError as error:
            problems += [replace(problem, where=_within(task.name, problem.where)) for problem in error.problems]
    if problems:
        raise StudyError(problems)
    return tasks


def _within(task: str, where: str) -> str:
    return where if where.startswith(f"tasks.{task}") else f"tasks.{task}: {where}"


def _needs_scores(study: Study, code: Path | None) -> bool:
    arms = [arm for arm in study.arms.values() if not arm.alone]
    return any(
        registry.constant("weighting", name, "needs_scores", code)
        for name in sorted({arm.weighting.name for arm in arms})
    )


def _read(task: Task, study: Study, data: Path | None, code: Path | None, listening: bool) -> TaskData:
    dataset_class: Any = registry.load("datasets", task.dataset.name, code)
    dataset: Dataset = dataset_class(study.places(data), **task.dataset.settings)
    keys = (registry.constant("heads", task.head.name, key, code) for key in ("columns", "optional", "gold"))
    dataset.asked = list(dict.fromkeys(column for columns in keys for column in columns))
    if task.hold_out:
        dataset = HeldOut(dataset, task.hold_out, f"tasks.{task.name}.hold_out", task.name)
    split = task.report or dataset.reported
    where = f"tasks.{task.name}"
    problems = [*_unread(task, dataset.asked or ()), *_on_train(task, split)]
    try:
        train = _train(dataset, split, where)
    except StudyError as error:
        raise StudyError([*problems, *error.problems]) from error
    if problems:
        raise StudyError(problems)
    if split == UNSCORED:
        _check(task, {TRAIN: train}, code)
        selection = None
        if listening:
            train, selection = _selection(dataset, task, train, split, _selection_examples(study))
        return TaskData(task, _limited(task, train), None, split, selection)
    reported = _required(dataset, split, f"tasks.{task.name}")
    if not reported.labelled:
        remedy = f'Choose another with `report`, for example "{VALIDATION}".'
        raise StudyError([Problem(f"tasks.{task.name}.report", f'the split "{split}" has no labels', "", remedy)])
    labels = train.labels if train.labels is not None else reported.labels
    reported = replace(reported, labels=labels)
    _check(task, {TRAIN: train, split: reported}, code)
    warnings = compare_splits(train, reported, f"tasks.{task.name}") if split != TRAIN else []
    if split == TRAIN:
        remedy = "They show what was learned by heart, not what is known of new examples."
        warnings = [Problem(where, "SCORES ARE ON THE TRAINING DATA", 'report = "train"', remedy)]
    if "reported" in task.dataset.settings:
        warnings.append(Problem(f"{where}.dataset.reported", f'read as `report = "{split}"`', "", "Write `report`."))
    train = replace(train, warnings=[*train.warnings, *warnings])
    selection = None
    if listening:
        train, selection = _selection(dataset, task, train, split, _selection_examples(study))
    return TaskData(task, _limited(task, train), reported, split, selection)


def _unread(task: Task, asked: Sequence[str]) -> list[Problem]:
    """Columns that the study names and the head does not read."""
    named = task.dataset.settings.get("columns")
    named = named if isinstance(named, Mapping) else {}
    head, where = task.head.name, f"tasks.{task.name}.dataset.columns"
    remedy = "Leave it out, or choose another head."
    if "text" in asked and "text_pair" not in asked:
        remedy = 'Join it with the text, text = ["ONE", "OTHER"]; or leave it out.'
    return [
        Problem(
            f"{where}.{ours}",
            f"the head {head} does not read {ours}",
            f"{shown(theirs)}; it reads {', '.join(asked)}",
            remedy,
        )
        for ours, theirs in named.items()
        if theirs and ours not in (*asked, "id", "cluster")
    ]


def _on_train(task: Task, split: str) -> list[Problem]:
    """Scores on what was trained on are reported only by those who mean it."""
    if split != TRAIN or task.allow_train:
        return []
    what = "scores on the training data do not show generalisation"
    remedy = "Hold a part out: hold_out = { validation = 0.2 }. If it is meant: allow_train = true."
    return [Problem(f"tasks.{task.name}.report", what, shown(split), remedy)]


def _train(dataset: Dataset, reported: str, where: str) -> Table:
    """The training split; if it is broken, what is wrong with the reported one is told with it."""
    try:
        return _required(dataset, TRAIN, where)
    except StudyError as error:
        problems = list(error.problems)
    if reported != UNSCORED:
        try:
            _required(dataset, reported, where)
        except StudyError as error:
            problems += error.problems
    raise StudyError(list(dict.fromkeys(problems)))


def _limited(task: Task, train: Table) -> Table:
    """The training examples that the study uses, drawn once for all its runs."""
    if not 0 < task.examples < len(train.rows):
        return train
    rows = _drawn(train.rows, task.examples, "examples", task.name)
    warnings = list(train.warnings)
    if train.labels is not None and "label" in rows.column_names:
        lost = sorted(set(train.rows["label"][:]) - set(rows["label"][:]))
        if lost:
            what = f"examples = {task.examples:,} leaves {len(lost)} of {len(train.labels)} classes without an example"
            found = ", ".join(map(str, lost[:5])) + (", …" if len(lost) > 5 else "")
            warnings.append(Problem(f"tasks.{task.name}", what, found, "They cannot be learned. Use more examples."))
    return replace(train, rows=rows, warnings=warnings)


def _check(task: Task, tables: Mapping[str, Table], code: Path | None) -> None:
    """Ask the head what it cannot work with."""
    where = f"tasks.{task.name}"
    try:
        ask = _problems_of(task, tables[TRAIN].labels, code)
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError([Problem(f"{where}.head", str(error))]) from error
    problems = [problem for name, table in tables.items() for problem in ask(table, f"{where} ({name})")]
    if problems:
        raise StudyError(problems)


def _problems_of(
    task: Task, labels: tuple[str, ...] | None, code: Path | None
) -> Callable[[Table, str], list[Problem]]:
    """What finds the problems in a split: the companion of the task's head, or if it has none the head itself.

    :raises ValueError: If there cannot be such a head.
    """
    checks = registry.checks("heads", task.head.name, code)
    columns, gold = (registry.constant("heads", task.head.name, key, code) for key in ("columns", "gold"))
    settings = registry.describe("heads", task.head.name, code).resolved(task.head.settings)
    head = None if checks.told else head_of(task, labels, code)
    if problem := checks.unfit(labels, settings):
        raise ValueError(problem)

    def asked(table: Table, where: str) -> list[Problem]:
        found = column_problems(table, columns, gold, where)
        return found or (head.problems(table, where) if head else checks.problems(table, settings, where))

    return asked


def head_of(task: Task, labels: Sequence[str] | None, code: Path | None) -> Any:
    """A task's head, small and untrained: to be asked, not to answer."""
    head_class: Any = registry.load("heads", task.head.name, code)
    return head_class(8, labels, **task.head.settings)


def texts_of(columns: Sequence[str], table: Table) -> Iterator[str]:
    """Every text in these columns of a split, row by row, a block of rows in memory at a time."""
    rows = table.rows.select_columns(table.present(*columns))
    for at in range(0, len(rows), BLOCK):
        for column in rows[at : at + BLOCK].values():
            for value in column:
                yield from [value] if isinstance(value, str) else value


def _selection_examples(study: Study) -> int:
    return next(iter(study.arms.values())).training.selection_examples


def _required(dataset: Dataset, split: str, where: str) -> Table:
    table = dataset.read(split)
    if table is not None and len(table.rows) > 0:
        if problems := long_texts(table, dataset.places.longest_text, f"{where} ({split})"):
            raise StudyError(problems)
        return table
    there = [name for name in SPLITS if name != split and dataset.read(name) is not None]
    what = f'there is no split "{split}"' if table is None else f'the split "{split}" is empty'
    remedy = f"There is: {', '.join(there) or 'none'}. Choose the reported split with `report`."
    if there == [TRAIN]:
        remedy = f"There is train alone. Hold a part of it out: hold_out = {{ {split} = 0.2 }}."
    raise StudyError([Problem(where, what, "", remedy)])


def _selection(dataset: Dataset, task: Task, train: Table, reported: str, size: int) -> tuple[Table, Table]:
    """A split for methods that listen: the validation split if the test split is reported, else a part of the training
    data that no arm trains on."""
    if reported == TEST:
        validation = dataset.read(VALIDATION)
        if validation is not None and validation.labelled and len(validation.rows):
            if len(validation.rows) > size:
                validation = replace(validation, rows=_drawn(validation.rows, size, "selection", task.name))
            return train, replace(validation, labels=train.labels)
    size = min(size, len(train.rows) // 5)
    chosen = sorted(_sample(len(train.rows), size, "selection", task.name))
    left = np.ones(len(train.rows), bool)
    left[chosen] = False
    rest = np.flatnonzero(left)
    return replace(train, rows=train.rows.select(rest)), replace(train, rows=train.rows.select(chosen), warnings=())


def _drawn(rows: Any, size: int, *purpose: str) -> Any:
    return rows.select(sorted(_sample(len(rows), size, *purpose)))


def _sample(length: int, size: int, *purpose: str) -> list[int]:
    return random.Random(derived_seed(*purpose)).sample(range(length), size)


def examples(tasks: Mapping[str, TaskData]) -> dict[str, int]:
    """How many training examples each task has."""
    return {name: len(task.train.rows) for name, task in tasks.items()}
