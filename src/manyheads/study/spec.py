"""A study as frozen dataclasses, and what may be set in one. `parser.py` makes it from a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, Field, Strict, model_validator

from manyheads.core.settings import (
    BelowOne,
    BetweenZeroAndOne,
    NotNegative,
    NotNegativeInt,
    Positive,
    PositiveInt,
    Settings,
    unfit,
)
from manyheads.core.values import LONGEST_TEXT, Options, Places

ALONE = "one per task"
UNSCORED = "none"
MOST_STEPS = 5_000_000
"""Of a run, and of an epoch of its sampling; see `limits.py`."""


Share = Annotated[float, Ge(0), Le(0.999999)]
"""Of the past in a running mean. What is closer to 1 is 1 to float32, and the mean would never move."""
Steps = Annotated[int, Ge(1), Le(MOST_STEPS)]


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    :param weight_decay: How much of a weight, times the learning rate, is taken away in each update.
    :param betas: The shares of the past in the running means of the gradient and of its square.
    :param epsilon: What keeps the division from being one by zero.
    """

    name: Literal["adamw"] = "adamw"
    weight_decay: NotNegative = 0.01
    betas: Annotated[tuple[Share, Share], Strict(False)] = (0.9, 0.999)
    epsilon: Annotated[float, Ge(1e-30), Le(1)] = 1e-8


class Adamax(AdamW):
    """Adamax with decoupled weight decay (Kingma and Ba, 2015, section 7.1)."""

    name: Literal["adamax"] = "adamax"  # pyright: ignore[reportIncompatibleVariableOverride]


class SGD(Settings):
    """Stochastic gradient descent.

    :param weight_decay: How much of a weight is added to its gradient.
    :param momentum: The share of the last update in the next.
    """

    name: Literal["sgd"] = "sgd"
    weight_decay: NotNegative = 0.0
    momentum: Share = 0.0


Optimizer = Annotated[AdamW | Adamax | SGD, Field(discriminator="name")]


class CheckpointInterval(Settings):
    """How often the state of a run is written: one of these.

    :param minutes: After so many minutes.
    :param steps: After so many steps.
    """

    minutes: Positive | None = None
    steps: Steps | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise unfit("should be one of minutes and steps", "For example { minutes = 10 } or { steps = 500 }.")
        return self


class Budget(Settings):
    """How long an arm trains: exactly one of these.

    :param epochs: Passes over the data, as the sampling counts them.
    :param steps: Updates of the parameters.
    :param examples: Examples seen, of all tasks.
    """

    epochs: Positive | None = None
    steps: Steps | None = None
    examples: PositiveInt | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise unfit("should set one of epochs, steps, examples", "For example { epochs = 3 }.")
        return self

    @property
    def given(self) -> tuple[str, float]:
        """What is counted, and how much of it."""
        return next(iter(self.model_dump(exclude_none=True).items()))


class TrainingSettings(Settings):
    """How an arm trains: `[training]`.

    :param batch_size: Examples in a batch of each task.
    :param learning_rate: The peak of the learning rate.
    :param optimizer: Its name (adamw, adamax or sgd), and what it takes.
    :param warmup: The share of all steps in which the learning rate rises.
    :param schedule: What follows: a linear fall to 0, or (constant) neither rise nor fall.
    :param clip: The longest gradient; longer ones are scaled down. 0 turns this off.
    :param accumulation: In how many parts a batch is computed, to save memory.
    :param precision: bf16 computes products in bfloat16 where that is safe; auto does so where it is quick.
    :param scores_every: After how many steps a weighting that listens to scores hears them.
    :param selection_examples: How many training examples are laid aside for that.
    :param checkpoint: How often the state of a run is written: { minutes = 10 } or { steps = 500 }.
    """

    batch_size: PositiveInt = 32
    learning_rate: Annotated[float, Gt(0), Le(10)] = 3e-5
    optimizer: Optimizer = AdamW(name="adamw")
    warmup: BelowOne = 0.1
    schedule: Literal["linear", "constant"] = "linear"
    clip: NotNegative = 1.0
    accumulation: Annotated[int, Ge(1), Le(1_000_000)] = 1
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    scores_every: Steps = 100
    selection_examples: PositiveInt = 500
    checkpoint: CheckpointInterval = CheckpointInterval(minutes=10.0)


FAMILY_OF = {
    "dataset": "datasets",
    "head": "heads",
    "encoder": "encoders",
    "sampling": "sampling",
    "weighting": "weighting",
    "sharing": "sharing",
}
DEFAULTS = {"encoder": "pretrained", "sampling": "proportional", "weighting": "fixed", "sharing": "hard"}


KeepModels = Literal["all", "best", "none"]
Table = dict[str, Any]
"""A table that is checked by what it holds."""


def _seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if not seeds or len(set(seeds)) < len(seeds):
        raise unfit("should be different whole numbers from 0 up", "For example [1, 2, 3].")
    return seeds


class StudyTable(Settings):
    """A study file as it is written: what stands in no table, and the tables.

    :param question: What the study asks; the first line of its report.
    :param seeds: Each arm is trained once with each of them.
    :param baseline: The arm that the others are compared with; the first if left out.
    :param budget: How long each arm trains: { epochs = 3 }, { steps = 1000 } or { examples = 50000 }.
    :param longest_text: Characters of the longest text that is read from data. What is packed or shared in a file may
        unpack to 500 times as much, or to ten times the file.
    :param encoder: The encoder of all arms: a name and its settings.
    :param training: How all arms train.
    :param tasks: What is learned: a table for each task.
    :param arms: What is compared: a table for each arm.
    :param sampling: Which tasks a step trains: a name and its settings.
    :param weighting: How the losses of a step become an update: a name and its settings.
    :param sharing: Which parameters tasks share: a name and its settings.
    :param analyses: What is read from the runs when they are done: a table for each analysis.
    :param keep_models: Which trained models stay: all, for each arm and task the best by its headline score, or none.
        Scores, predictions and records stay in any case.
    """

    question: str = ""
    seeds: Annotated[tuple[NotNegativeInt, ...], Strict(False), AfterValidator(_seeds)] = (1, 2, 3)
    baseline: str = ""
    budget: Budget = Budget(epochs=3)
    longest_text: PositiveInt = LONGEST_TEXT
    encoder: Table | None = None
    training: TrainingSettings = TrainingSettings()
    tasks: Table | None = None
    arms: Table | None = None
    sampling: Table | None = None
    weighting: Table | None = None
    sharing: Table | None = None
    analyses: Table | None = None
    keep_models: KeepModels = "all"


class TaskTable(Settings):
    """A task as it is written: `[tasks.NAME]`.

    :param dataset: Where its examples come from: a name and its settings.
    :param head: What answers: a name and its settings.
    :param examples: How many training examples are used, drawn once for the whole study; all if left out.
    :param batch_size: Examples of this task in a batch; as `[training]` says if left out.
    :param report: The split whose scores are reported, or "none" for a task that only helps others and is not scored;
        the dataset's own choice if left out.
    :param hold_out: What share of the training examples is held out as another split, `{ validation = 0.2 }`: drawn
        once for the whole study, each class in its share, rows of one cluster together.
    :param allow_train: Let `report = "train"` be: such scores do not show generalisation, and the report says so.
    """

    dataset: Table | None = None
    head: Table | None = None
    examples: NotNegativeInt = 0
    batch_size: PositiveInt | None = None
    report: Literal["", "train", "validation", "test", "none"] = ""
    hold_out: dict[Literal["validation", "test"], BetweenZeroAndOne] = Field(default_factory=dict)
    allow_train: bool = False


class ArmTable(Settings):
    """An arm as it is written: `[arms.NAME]`. What it leaves out is as the study has it.

    :param label: Its name in the report.
    :param description: A sentence for the report.
    :param models: One model for all tasks, or one for each.
    :param match: "steps" gives each model that is trained alone as many steps as the longest joint arm with its task.
    :param tasks: The tasks that it trains; all if left out.
    :param sweep: Lists of values, each of which makes an arm of its own: { training.learning_rate = [1e-5, 3e-5] }.
    :param budget: As that of the study.
    :param encoder: As that of the study.
    :param training: What differs from `[training]`.
    :param sampling: As that of the study.
    :param weighting: As that of the study.
    :param sharing: As that of the study.
    """

    label: str = ""
    description: str = ""
    models: Literal["joint", "one per task"] = "joint"
    match: Literal["", "steps"] = ""
    tasks: list[str] | None = None
    sweep: Table | None = None
    budget: Budget | None = None
    encoder: Table | None = None
    training: TrainingSettings = TrainingSettings()
    sampling: Table | None = None
    weighting: Table | None = None
    sharing: Table | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A member of a family and what the study sets of it."""

    name: str
    settings: Options = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A text that is the same for two choices of the same method with the same settings, and for no others."""
        return json.dumps([self.name, dict(self.settings)], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned: data and the head that answers.

    :param examples: How many training examples are used, drawn once for the whole study; 0 for all.
    :param batch_size: Examples of this task in a batch; None for what `[training]` says.
    :param report: The split whose scores are reported; "" for the dataset's own choice, "none" for a task that only
        helps others and is not scored.
    :param hold_out: Split -> the share of the training examples that is held out for it.
    :param allow_train: Whether the training examples themselves may be reported.
    """

    name: str
    dataset: Choice
    head: Choice
    examples: int
    batch_size: int | None
    report: str
    hold_out: Mapping[str, float] = field(default_factory=dict)
    allow_train: bool = False


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of training that the study compares.

    :param alone: True if every task gets a model of its own.
    :param match: "steps" if each model trained alone gets as many steps as the longest joint arm that has its task.
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
    training: TrainingSettings
    sampling: Choice
    weighting: Choice
    sharing: Choice
    budget: Budget
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
    :param longest_text: Characters of the longest text that is read.
    :param keep_models: Which models stay; no part of what a run is either.
    """

    name: str
    question: str
    seeds: tuple[int, ...]
    baseline: str
    tasks: Mapping[str, Task]
    arms: Mapping[str, Arm]
    path: Path
    settings: Options
    text: str
    analyses: tuple[Choice, ...] = ()
    longest_text: int = LONGEST_TEXT
    keep_models: KeepModels = "all"

    @property
    def scored(self) -> dict[str, Task]:
        """The tasks whose scores are reported."""
        return {name: task for name, task in self.tasks.items() if task.report != UNSCORED}

    def places(self, data: Path | None) -> Places:
        """Where this study's data may be."""
        return Places(self.path.parent, data, self.longest_text)
