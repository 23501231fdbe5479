"""A study's tasks as data: read, checked, cut to size. Every problem of every task is found before training."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from manyheads import find
from manyheads.datasets import Dataset
from manyheads.datasets._checks import compare_splits
from manyheads.study import UNSCORED, Study, Task
from manyheads.types import SPLITS, TEST, TRAIN, VALIDATION, Problem, StudyError, Table, derived_seed


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
    def summary(self) -> dict[str, Any]:
        """What the record says about the data."""
        tables = [self.train] if self.reported is None else [self.train, self.reported]
        heard = [] if self.selection is None else [self.selection]
        dropped: dict[str, int] = {}
        for table in tables:
            for reason, count in table.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + count
        return {
            "dataset": " ".join(
                [self.task.dataset.name, *(str(value) for value in self.task.dataset.settings.values())]
            ),
            "head": self.task.head.name,
            "train": len(self.train.rows),
            "reported": 0 if self.reported is None else len(self.reported.rows),
            "split": self.split,
            "labels": self.train.labels,
            "dropped": dropped,
            "warnings": [str(problem) for table in tables for problem in table.warnings],
            "hash": content_hash(*tables, *heard),
        }


def read_tasks(study: Study, data: Path | None, code: Path | None = None) -> dict[str, TaskData]:
    """Every task's data.

    :raises StudyError: With every problem of every task.
    """
    problems: list[Problem] = []
    tasks = {}
    listening = _needs_scores(study, code)
    for task in study.tasks.values():
        try:
            tasks[task.name] = _read(task, study, data, code, listening)
        except StudyError as error:
            problems += [replace(problem, where=_within(task.name, problem.where)) for problem in error.problems]
    if problems:
        raise StudyError(problems)
    return tasks


def _within(task: str, where: str) -> str:
    return where if where.startswith(f"tasks.{task}") else f"tasks.{task}: {where}"


def _needs_scores(study: Study, code: Path | None) -> bool:
    arms = [arm for arm in study.arms.values() if not arm.alone]
    methods: list[Any] = [find.load("weighting", name, code) for name in sorted({arm.weighting.name for arm in arms})]
    return any(method.needs_scores for method in methods)


def _read(task: Task, study: Study, data: Path | None, code: Path | None, listening: bool) -> TaskData:
    dataset_class: Any = find.load("datasets", task.dataset.name, code)
    dataset: Dataset = dataset_class(study.places(data), **task.dataset.settings)
    split = task.report or dataset.reported
    train = _required(dataset, TRAIN, f"tasks.{task.name}")
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
    train = replace(train, warnings=[*train.warnings, *warnings])
    selection = None
    if listening:
        train, selection = _selection(dataset, task, train, split, _selection_examples(study))
    return TaskData(task, _limited(task, train), reported, split, selection)


def _limited(task: Task, train: Table) -> Table:
    """The training examples that the study uses, drawn once for all its runs."""
    if not 0 < task.examples < len(train.rows):
        return train
    return replace(train, rows=_drawn(train.rows, task.examples, "examples", task.name))


def _check(task: Task, tables: Mapping[str, Table], code: Path | None) -> None:
    """Ask the head what it cannot work with."""
    head_class: Any = find.load("heads", task.head.name, code)
    try:
        head = head_class(8, tables[TRAIN].labels, **task.head.settings)
    except ValueError as error:
        raise StudyError([Problem(f"tasks.{task.name}.head", str(error))]) from error
    where = f"tasks.{task.name}"
    problems = [problem for name, table in tables.items() for problem in head.problems(table, f"{where} ({name})")]
    if problems:
        raise StudyError(problems)


def _selection_examples(study: Study) -> int:
    return next(iter(study.arms.values())).training["selection_examples"]


def _required(dataset: Dataset, split: str, where: str) -> Table:
    table = dataset.read(split)
    if table is not None and len(table.rows) > 0:
        return table
    there = [name for name in SPLITS if name != split and dataset.read(name) is not None]
    what = f'there is no split "{split}"' if table is None else f'the split "{split}" is empty'
    remedy = f"There is: {', '.join(there) or 'none'}. Choose the reported split with `report`."
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
    rest = sorted(set(range(len(train.rows))) - set(chosen))
    return replace(train, rows=train.rows.select(rest)), replace(train, rows=train.rows.select(chosen), warnings=())


def _drawn(rows: Any, size: int, *purpose: str) -> Any:
    return rows.select(sorted(_sample(len(rows), size, *purpose)))


def _sample(length: int, size: int, *purpose: str) -> list[int]:
    return random.Random(derived_seed(*purpose)).sample(range(length), size)


def content_hash(*tables: Table) -> str:
    """What data a run was trained and scored on: equal hashes, equal rows in equal order."""
    digest = hashlib.blake2b(digest_size=16)
    for table in tables:
        for name in sorted(table.rows.column_names):
            digest.update(json.dumps([name, table.rows[name][:]], ensure_ascii=True).encode())
    return digest.hexdigest()


def examples(tasks: Mapping[str, TaskData]) -> dict[str, int]:
    """How many training examples each task has."""
    return {name: len(task.train.rows) for name, task in tasks.items()}
