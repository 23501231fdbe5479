"""Sequential training: all epochs of one task, then all epochs of the next, on the same encoder.

Phang, Fevry and Bowman, "Sentence Encoders on STILTs: Supplementary Training on Intermediate Labeled-data Tasks", 2018,
https://arxiv.org/abs/1811.01088.
"""

import random
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Literal

from manyheads.core.problems import Problem
from manyheads.sampling import Change, Sampling, Step, order_problems


class Sequential(Sampling):
    """The run trains task after task, each for as many passes over its data as the run has epochs.

    An epoch is as many steps as one pass over the data of all tasks takes, so that a budget in epochs costs the same
    here as under proportional sampling; which task an epoch trains depends on how far the run is. The last task is the
    target, the ones before are intermediate: this is the control for gains that come from more data, not from learning
    tasks together.

    Where the paper and the code differ: the paper fine-tunes twice, with an optimizer and a schedule of its own each
    time, which are the defaults here; it gives the target task a new head, as every task has here from the start.

    :param order: The tasks in the order of training; the order of the study if left out.
    :param optimizer: "restart" forgets the optimizer's moments when the next task starts.
    :param schedule: "restart" gives each task a learning-rate schedule (warm-up and decay) of its own.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        types: Mapping[str, str],
        *,
        order: list[str] | None = None,
        optimizer: Literal["keep", "restart"] = "restart",
        schedule: Literal["keep", "restart"] = "restart",
    ) -> None:
        super().__init__(sizes, types)
        self.order = list(order or self.tasks)
        self.optimizer, self.schedule = optimizer, schedule
        self.length = sum(self.sizes.values())

    def plan(self, epoch: int, rng: random.Random) -> list[Step]:
        ends, last = self._ends(), len(self.order) - 1
        steps = range(epoch * self.length, (epoch + 1) * self.length)
        # Behind the end of the run that was announced, the last task goes on.
        return [(self.order[min(bisect_right(ends, step), last)],) for step in steps]

    def changes(self, epoch: int) -> dict[int, Change]:
        changes, start, offset = {}, 0, epoch * self.length
        for end in self._ends():
            if start < end and offset <= start < offset + self.length:
                schedule = (start - offset, end - offset) if self.schedule == "restart" else None
                change = Change(fresh_optimizer=self.optimizer == "restart" and start > 0, schedule=schedule)
                if change != Change():
                    changes[start - offset] = change
            start = end
        return changes

    def expected_shares(self) -> dict[str, float]:
        return {task: size / self.length for task, size in self.sizes.items()}

    def expected_steps(self) -> float:
        return float(self.length)

    def _ends(self) -> list[int]:
        """One past the last step of each task, counted from the start of the run."""
        return list(accumulate(round(self.epochs * self.sizes[task]) for task in self.order))

    @classmethod
    def problems(cls, types: Mapping[str, str], settings: Mapping[str, object], where: str) -> list[Problem]:
        order = settings.get("order")
        return order_problems(order, types, f"{where}.order") if isinstance(order, list) else []
