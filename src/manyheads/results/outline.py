"""What the comparison is told of a study: its arms, and where each of their runs is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from manyheads.core.version import __version__
from manyheads.results.schema import Models, Sweep


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run of an arm.

    :param task: The task, in an arm that gives every task a model of its own; else None.
    :param path: Its folder, below the study's.
    """

    seed: int
    task: str | None
    path: str


@dataclass(frozen=True, slots=True)
class ArmOutline:
    """An arm.

    :param sweep: The setting that it varies, and the value here.
    :param settings: What differs from the study.
    """

    tasks: Sequence[str]
    runs: Sequence[PlannedRun]
    models: Models = "joint"
    label: str | None = None
    description: str | None = None
    sweep: Sweep | None = None
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskOutline:
    """A task that is scored.

    :param train: How many training examples it has.
    :param hash: Of its data.
    """

    head: str | None = None
    dataset: str | None = None
    train: int | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    hash: str = ""


@dataclass(frozen=True, slots=True)
class StudyOutline:
    """A study.

    :param command: What does all of it again.
    :param baseline: The arm that the others are compared with.
    :param settings: The whole study, every default written out.
    """

    name: str
    question: str
    command: str
    baseline: str
    seeds: Sequence[int]
    settings: Mapping[str, JsonValue]
    tasks: Mapping[str, TaskOutline]
    arms: Mapping[str, ArmOutline]
    version: str = __version__
