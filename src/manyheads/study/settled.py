"""What a head takes from its training data: settings that the study leaves to the data, and what is odd there."""

from dataclasses import replace
from pathlib import Path

from manyheads import registry
from manyheads.core.values import Table
from manyheads.study.spec import Choice, Task


def settled(task: Task, train: Table, code: Path | None) -> tuple[Task, Table]:
    """The task with every setting of its head that is left to the data, and train with the head's warnings.

    :param train: What the task learns from, found sound before.
    """
    head, checks = task.head, registry.checks("heads", task.head.name, code)
    settings = registry.describe("heads", head.name, code).resolved(head.settings)
    if own := checks.settled(settings, train):
        task = replace(task, head=Choice(head.name, {**head.settings, **own}))
    if not registry.constant("datasets", task.dataset.name, "positive_is_last", code):
        train = replace(train, warnings=[*train.warnings, *checks.remarks(train, settings, f"tasks.{task.name}")])
    return task, train
