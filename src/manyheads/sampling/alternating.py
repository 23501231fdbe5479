"""Alternating portions: train one task on a part of its data, then the next, and come back for the other parts.

Sharma, "Understanding Multitask Learning with Transfer Learning", Stanford CS224N report, section 3.2 (cross-domain
tasks), after McCann et al., "The Natural Language Decathlon", 2018, https://arxiv.org/abs/1806.08730.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Mapping
from typing import Annotated, Literal

from annotated_types import Gt, Le

from manyheads.core.problems import Problem
from manyheads.sampling import Change, Sampling, Step, order_problems


class Alternating(Sampling):
    """In each of ceil(1 / portion) rounds, every task in turn trains on the next `portion` of its batches.

    An epoch visits each portion of each task once and in order, so that every example is seen exactly once. With
    portion = 1 the tasks follow one another (and an epoch forgets what the one before ended with); the smaller the
    portion, the closer to sampling in proportion to size.

    The report trains "on QA for a portion of the dataset (50 %)", swaps the head, trains the classification task, and
    swaps back. It leaves open how many switches there are, whether a head comes back as it was, and whether the
    optimizer and its schedule start anew; hence the settings. By default nothing starts anew: the runs then differ from
    proportional sampling in the order of batches only. The task that trains last has the advantage of it: vary `order`.

    :param order: The tasks in the order of their turns; the order of the study if left out.
    :param portion: The share of its data that a task trains on in one turn, above 0 and up to 1; at least one batch
        of the largest task. The last turn takes what is left.
    :param head: "fresh" gives a task a new head whenever its turn comes again; "keep" puts its old one back.
    :param optimizer: "restart" forgets the optimizer's moments at each switch of tasks.
    :param schedule: "restart" gives each turn a learning-rate schedule (warm-up and decay) of its own.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        types: Mapping[str, str],
        *,
        order: list[str] | None = None,
        portion: Annotated[float, Gt(0), Le(1)] = 0.5,
        head: Literal["keep", "fresh"] = "keep",
        optimizer: Literal["keep", "restart"] = "keep",
        schedule: Literal["keep", "restart"] = "keep",
    ) -> None:
        super().__init__(sizes, types)
        self.order = list(order or self.tasks)
        self.portion = max(portion, 1 / max(self.sizes.values()))
        self.head, self.optimizer, self.schedule = head, optimizer, schedule

    def plan(self, epoch: int, rng: random.Random) -> list[Step]:
        return [(task,) for task, start, end in self._turns() for _ in range(start, end)]

    def changes(self, epoch: int) -> dict[int, Change]:
        changes = {}
        trained = set(self.order if epoch else ())
        previous = self.order[-1] if epoch else None
        for task, start, end in self._turns():
            switched = previous not in (None, task)
            change = Change(
                # A head that was never trained is fresh already.
                fresh_heads=(task,) if self.head == "fresh" and switched and task in trained else (),
                fresh_optimizer=self.optimizer == "restart" and switched,
                schedule=(start, end) if self.schedule == "restart" else None,
            )
            if change != Change():
                changes[start] = change
            trained.add(task)
            previous = task
        return changes

    def expected_shares(self) -> dict[str, float]:
        return {task: size / self.expected_steps() for task, size in self.sizes.items()}

    def expected_steps(self) -> float:
        return float(sum(self.sizes.values()))

    def expected_batches(self, steps: int) -> dict[str, float]:
        whole, rest = divmod(steps, sum(self.sizes.values()))
        # So many rounds are whole in what is left of an epoch.
        done = bisect_right(range(self._rounds), rest, key=lambda turns: sum(self._after(turns).values())) - 1
        seen, next_seen = self._after(done), self._after(done + 1)
        rest -= sum(seen.values())
        batches = {}
        for task in self.order:
            turn = min(rest, next_seen[task] - seen[task])
            batches[task] = float(whole * self.sizes[task] + seen[task] + turn)
            rest -= turn
        return batches

    @property
    def _rounds(self) -> int:
        return math.ceil(1 / self.portion - 1e-9)

    def _after(self, turns: int) -> dict[str, int]:
        return {task: self._seen(task, turns, self._rounds) for task in self.order}

    def _turns(self) -> list[tuple[str, int, int]]:
        """(task, first step, one past the last step) of each turn in an epoch that is long enough for a batch."""
        rounds, turns, at = self._rounds, [], 0
        for index in range(rounds):
            for task in self.order:
                length = self._seen(task, index + 1, rounds) - self._seen(task, index, rounds)
                if length:
                    turns.append((task, at, at + length))
                    at += length
        return turns

    def _seen(self, task: str, turns: int, rounds: int) -> int:
        """How many batches of its pass a task has seen after so many turns."""
        size = self.sizes[task]
        return size if turns == rounds else round(turns * self.portion * size)

    @classmethod
    def problems(cls, types: Mapping[str, str], settings: Mapping[str, object], where: str) -> list[Problem]:
        order = settings.get("order")
        return order_problems(order, types, f"{where}.order") if isinstance(order, list) else []
