"""A study as frozen dataclasses, and what may be set in one. `parser.py` makes it from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Lt
from pydantic import Field, Strict, model_validator

from manyheads.core.settings import Settings, unfit
from manyheads.core.values import Places

ALONE = "one per task"
UNSCORED = "none"

Positive = Annotated[float, Gt(0)]
PositiveInt = Annotated[int, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
BelowOne = Annotated[float, Ge(0), Lt(1)]


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    :param weight_decay: How much of a weight, times the learning rate, is taken away in each update.
    :param betas: The shares of the past in the running means of the gradient and of its square.
    :param epsilon: What keeps the division from being one by zero.
    """

    name: Literal["adamw"] = "adamw"
    weight_decay: NotNegative = 0.01
    betas: Annotated[tuple[BelowOne, BelowOne], Strict(False)] = (0.9, 0.999)
    epsilon: Positive = 1e-8


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
    momentum: BelowOne = 0.0


Optimizer = Annotated[AdamW | Adamax | SGD, Field(discriminator="name")]


class CheckpointInterval(Settings):
    """How often the state of a run is written: after so many minutes, or after so many steps."""

    minutes: Positive | None = None
    steps: PositiveInt | None = None

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
    steps: PositiveInt | None = None
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
    learning_rate: Positive = 3e-5
    optimizer: Optimizer = AdamW()
    warmup: BelowOne = 0.1
    schedule: Literal["linear", "constant"] = "linear"
    clip: NotNegative = 1.0
    accumulation: PositiveInt = 1
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    scores_every: PositiveInt = 100
    selection_examples: PositiveInt = 500
    checkpoint: CheckpointInterval = CheckpointInterval(minutes=10.0)


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
