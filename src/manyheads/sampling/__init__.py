"""Which task or tasks the next step trains.

To add a schedule, write `sampling/<name>.py` with one class that inherits from `Sampling`, and
`tests/sampling/test_<name>.py`. There is nothing to register.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from manyheads.core.problems import Problem, shown, unknown_names

Step = tuple[str, ...]
"""The tasks that one step trains, one batch of each."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to the model and the optimizer before a step, when a schedule has phases.

    :param fresh_heads: Tasks whose heads start anew.
    :param fresh_optimizer: True if the optimizer forgets its moments.
    :param schedule: (first step, one past the last step) of a learning-rate schedule of its own, counted from
        the epoch's start like the keys of `changes`, and past its end if the phase goes on; None to go on as before.
    """

    fresh_heads: tuple[str, ...] = ()
    fresh_optimizer: bool = False
    schedule: tuple[int, int] | None = None


class Sampling(ABC):
    """The contract of every schedule.

    A schedule is a pure function of its settings and the seed: `plan` lays out an epoch with a generator made for
    (seed, epoch), so that step k of a run is known without the steps before it. Which examples a task's j-th batch
    holds is not the schedule's business: the batches of a task follow one another without end, reshuffled at each pass.

    `epochs` says how many epochs the run takes (its steps over `expected_steps`, if the budget is not in epochs). The
    program sets it before the first plan, for schedules that spread over the whole run.

    :param sizes: How many batches one pass over each task's training data takes, in the order of the study file.
    :param types: The name of each task's head, for schedules that draw a type of task before a task.
    """

    def __init__(self, sizes: Mapping[str, int], types: Mapping[str, str]) -> None:
        self.sizes = dict(sizes)
        self.types = dict(types)
        self.tasks = list(sizes)
        self.epochs = 1.0

    @abstractmethod
    def plan(self, epoch: int, rng: random.Random) -> list[Step]:
        """The steps of one epoch, counted from 0. What an epoch is, is the schedule's to say."""

    def changes(self, epoch: int) -> dict[int, Change]:
        """What happens before which step of an epoch (counted from the epoch's start). Nothing by default."""
        return {}

    @abstractmethod
    def expected_shares(self) -> dict[str, float]:
        """The share of all batches that each task is expected to get; they add up to 1."""

    @abstractmethod
    def expected_steps(self) -> float:
        """The expected number of steps of an epoch, by arithmetic: `manyheads check` lays out no epoch."""

    def expected_batches(self, steps: int) -> dict[str, float]:
        """How many batches of each task the first `steps` steps of a run are expected to hold. A schedule whose steps
        hold several batches, or whose tasks take long turns, has an answer of its own."""
        return {task: share * steps for task, share in self.expected_shares().items()}

    def notes(self) -> list[str]:
        """What a person should know before training, such as that a pool will be used more than once."""
        return []

    @classmethod
    def problems(cls, types: Mapping[str, str], settings: Mapping[str, object], where: str) -> list[Problem]:
        """What in the settings does not fit the study (tasks that do not exist, weights that cannot be), before any
        data is read. `types` has each task's head; `where` opens each message, such as `arms.joint.sampling`."""
        return []


def order_problems(order: Iterable[str], types: Mapping[str, str], where: str) -> list[Problem]:
    """What is wrong with an order in which tasks take turns: it names each task of the arm once."""
    order = list(order)
    problems = unknown_names(order, types, where)
    for name in dict.fromkeys(name for name in order if order.count(name) > 1):
        problems.append(Problem(where, "names a task twice", shown(name), "Name it once; turns follow in a circle."))
    missing = [task for task in types if task not in order]
    if missing:
        remedy = "Add them, or take them out of the arm's `tasks`."
        problems.append(Problem(where, "leaves out tasks, which would never be trained", ", ".join(missing), remedy))
    return problems
