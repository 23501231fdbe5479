"""Round robin: the tasks take turns in a fixed order, whatever the size of their data.

McCann, Keskar, Xiong and Socher, "The Natural Language Decathlon: Multitask Learning as Question Answering", 2018,
https://arxiv.org/abs/1806.08730, the training strategy "fully joint".
"""

import math
import random
from collections.abc import Mapping
from typing import Literal

from manyheads.core.problems import Problem, shown
from manyheads.core.settings import PerTask, PositiveInt
from manyheads.sampling import Sampling, Step


class RoundRobin(Sampling):
    """A round is one batch of each task in the order of the study, or as many of a task as `batches` says.

    An epoch is a whole number of rounds. Small tasks are seen more often than large ones: each gets the same share, and
    starts another pass when its data run out.

    Where the paper and the code differ: decaNLP counts rounds, not epochs. Joint steps are ours: one update then holds
    a batch of every task, which methods that compare the tasks' losses or gradients need.

    :param until: "longest" plans the fewest rounds in which every example is seen; "shortest" the most in which none is
        seen twice (but one round at least).
    :param joint: One step holds one batch of every task, instead of one step for each batch.
    :param batches: How many batches of a task make its turn; 1 for a task that is not named.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        types: Mapping[str, str],
        *,
        until: Literal["longest", "shortest"] = "longest",
        joint: bool = False,
        batches: PerTask[PositiveInt] | None = None,
    ) -> None:
        super().__init__(sizes, types)
        self.joint = joint
        self.batches = {task: (batches or {}).get(task, 1) for task in self.tasks}
        if until == "longest":
            self.rounds = max(math.ceil(sizes[task] / self.batches[task]) for task in self.tasks)
        else:
            self.rounds = max(1, min(sizes[task] // self.batches[task] for task in self.tasks))

    def plan(self, epoch: int, rng: random.Random) -> list[Step]:
        if self.joint:
            return [tuple(self.tasks)] * self.rounds
        one_round: list[Step] = [(task,) for task in self.tasks for _ in range(self.batches[task])]
        return one_round * self.rounds

    def expected_shares(self) -> dict[str, float]:
        return {task: count / sum(self.batches.values()) for task, count in self.batches.items()}

    def expected_steps(self) -> float:
        return float(self.rounds if self.joint else self.rounds * sum(self.batches.values()))

    def expected_batches(self, steps: int) -> dict[str, float]:
        if self.joint:
            return dict.fromkeys(self.tasks, float(steps))
        whole, rest = divmod(steps, sum(self.batches.values()))
        batches = {}
        for task, count in self.batches.items():
            batches[task] = float(whole * count + min(rest, count))
            rest -= min(rest, count)
        return batches

    def notes(self) -> list[str]:
        draws = {task: self.rounds * count for task, count in self.batches.items()}
        return [
            f"{task}: {draws[task]} draws of {size} batches in an epoch: "
            f"each example is seen {draws[task] / size:.1f} times in it"
            for task, size in self.sizes.items()
            if draws[task] > size
        ]

    @classmethod
    def problems(cls, types: Mapping[str, str], settings: Mapping[str, object], where: str) -> list[Problem]:
        batches = settings.get("batches")
        if not isinstance(batches, Mapping) or not settings.get("joint"):
            return []
        what, remedy = "a joint step holds one batch of each task", "Leave `batches` out, or set joint = false."
        several = {task: count for task, count in batches.items() if count > 1}
        return [Problem(f"{where}.batches.{task}", what, shown(count), remedy) for task, count in several.items()]
