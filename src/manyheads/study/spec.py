"""A study as frozen dataclasses, and what may be set in one. `parser.py` makes it from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from manyheads.core.values import Places

ALONE = "one per task"
UNSCORED = "none"

TRAINING: dict[str, tuple[Any, Any]] = {
    "batch_size": (int, 32),
    "learning_rate": (float, 3e-5),
    "optimizer": (dict[str, Any], {"name": "adamw"}),
    "warmup": (float, 0.1),
    "schedule": (Literal["linear", "constant"], "linear"),
    "clip": (float, 1.0),
    "accumulation": (int, 1),
    "precision": (Literal["fp32", "bf16", "auto"], "fp32"),
    "scores_every": (int, 100),
    "selection_examples": (int, 500),
    "checkpoint": (dict[Literal["minutes", "steps"], float], {"minutes": 10.0}),
}
OPTIMIZERS = {
    "adamw": {"weight_decay": (float, 0.01), "betas": (list[float], [0.9, 0.999]), "epsilon": (float, 1e-8)},
    "adamax": {"weight_decay": (float, 0.01), "betas": (list[float], [0.9, 0.999]), "epsilon": (float, 1e-8)},
    "sgd": {"weight_decay": (float, 0.0), "momentum": (float, 0.0)},
}
BUDGETS = {"epochs": float, "steps": int, "examples": int}
POSITIVE = {"batch_size", "learning_rate", "accumulation", "scores_every", "selection_examples"}
STUDY_KEYS = {
    "question", "seeds", "baseline", "budget", "encoder", "training", "tasks", "arms", "sampling", "weighting",
    "sharing", "analyses",
}  # fmt: skip
TASK_KEYS = {"dataset", "head", "examples", "batch_size", "report"}
ARM_KEYS = {
    "label", "description", "models", "match", "tasks", "sweep", "budget", "encoder", "training", "sampling",
    "weighting", "sharing",
}  # fmt: skip
FAMILY_OF = {
    "dataset": "datasets", "head": "heads", "encoder": "encoders", "sampling": "sampling", "weighting": "weighting",
    "sharing": "sharing",
}  # fmt: skip
DEFAULTS = {"encoder": "pretrained", "sampling": "proportional", "weighting": "fixed", "sharing": "hard"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A member of a family and what the study sets of it."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned: data and the head that answers.

    :param examples: How many training examples are used, drawn once for the whole study; 0 for all.
    :param batch_size: Examples of this task in a batch; 0 for what `[training]` says.
    :param report: The split whose scores are reported; "" for the dataset's own choice, "none" for a task that only
        helps others and is not scored.
    """

    name: str
    dataset: Choice
    head: Choice
    examples: int
    batch_size: int
    report: str


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of training that the study compares.

    :param alone: True if every task gets a model of its own.
    :param match: "steps" if each model trained alone gets as many steps as the longest joint arm that has its task.
    :param budget: (what is counted, how much): epochs, steps or examples.
    :param sweep: (key, value) if this arm is one point of a sweep.
    :param differs: What the arm sets itself, for the report.
    """

    name: str
    label: str
    description: str
    alone: bool
    match: str
    tasks: tuple[str, ...]
    encoder: Choice
    training: Mapping[str, Any]
    sampling: Choice
    weighting: Choice
    sharing: Choice
    budget: tuple[str, float]
    sweep: tuple[str, Any] | None
    differs: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The label, or the name of an arm that has none."""
        return self.label or self.name


@dataclass(frozen=True, slots=True)
class Study:
    """A whole study, ready to be planned.

    :param settings: The file's content, for the record.
    :param text: The file as it stands.
    :param analyses: What is read from the runs when they are finished; no part of what any of them is.
    """

    name: str
    question: str
    seeds: tuple[int, ...]
    baseline: str
    tasks: Mapping[str, Task]
    arms: Mapping[str, Arm]
    path: Path
    settings: Mapping[str, Any]
    text: str
    analyses: tuple[Choice, ...] = ()

    @property
    def scored(self) -> dict[str, Task]:
        """The tasks whose scores are reported."""
        return {name: task for name, task in self.tasks.items() if task.report != UNSCORED}

    def places(self, data: Path | None) -> Places:
        """Where this study's data may be."""
        return Places(self.path.parent, data)
