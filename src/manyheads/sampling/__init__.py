"""Which task or tasks the next step trains.

To add a schedule, write `sampling/<name>.py` with one class that inherits from `Sampling`, and
`tests/sampling/test_<name>.py`. There is nothing to register.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from manyheads.types import Problem

Step = tuple[str, ...]
"""The tasks that one step trains, one batch of each."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to the model and the optimizer before a step, when a schedule has phases.

    :param fresh_heads: Tasks whose heads start anew.
    :param fresh_optimizer: True if the optimizer forgets its moments.
    :param schedule: (first step, one past the last step) of a learning-rate schedule of its own; None to go on as before.
    """

    fresh_heads: tuple[str, ...] = ()
    fresh_optimizer: bool = False
    schedule: tuple[int, int] | None = None


class Sampling:
    """The contract of every schedule.

    A schedule is a pure function of its settings and the seed: `plan` lays out an epoch with a generator made for
    (seed, epoch), so that step k of a run is known without the steps before it. Which examples a task's j-th batch holds is
    not the schedule's business: the batches of a task follow one another without end, reshuffled at each pass.

    :param sizes: How many batches one pass over each task's training data takes, in the order of the study file.
    :param types: The name of each task's head, for schedules that draw a type of task before a task.
    """

    needs_scores: ClassVar[bool] = False
    """True if `hear` must be told scores on the selection split during training."""

    def __init__(self, sizes: Mapping[str, int], types: Mapping[str, str]) -> None:
        self.sizes = dict(sizes)
        self.types = dict(types)
        self.tasks = list(sizes)

    def plan(self, epoch: int, rng: random.Random) -> list[Step]:
        """The steps of one epoch, counted from 0. What an epoch is, is the schedule's to say."""
        raise NotImplementedError

    def changes(self, epoch: int) -> dict[int, Change]:
        """What happens before which step of an epoch (counted from the epoch's start). Nothing by default."""
        return {}

    def expected_shares(self) -> dict[str, float]:
        """The share of all batches that each task is expected to get; they add up to 1."""
        raise NotImplementedError

    def expected_steps(self) -> float:
        """The expected number of steps of an epoch."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """What a person should know before training, such as that a pool will be used more than once."""
        return []

    def hear(self, scores: Mapping[str, float]) -> None:
        """Told each task's main score on the selection split, between steps. Does nothing by default."""

    @classmethod
    def problems(cls, types: Mapping[str, str], settings: Mapping[str, object], where: str) -> list[Problem]:
        """What in the settings does not fit the study (tasks that do not exist, weights that cannot be), before any data is
        read. `types` has each task's head; `where` opens each message, such as `arms.joint.sampling`."""
        return []
