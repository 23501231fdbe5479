"""Weighted batch selection: draw the task of each step with given probabilities; one task's data end the epoch.

The Stanford CS224N report on MtDNN for SQuAD 2.0, algorithm 1, after Liu, He, Chen and Gao, "Multi-Task Deep
Neural Networks for Natural Language Understanding", ACL 2019, https://arxiv.org/abs/1901.11504.
"""

import random
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Literal

from manyheads.core.problems import Problem, StudyError, shown, unknown_names
from manyheads.core.settings import NotNegative
from manyheads.sampling import Sampling, Step


class Weighted(Sampling):
    """Each step draws a pool with probability W and takes a batch of it; the epoch ends when the pool `ends` is empty.

    A pool is a task, or with per = "type" all tasks that have the same head; within a type, tasks are drawn uniformly.
    Per epoch, the tasks of the pool `ends` are seen exactly once. With n batches in that pool, an epoch has n / W steps
    on average: a lower weight costs more steps for the same data of that task.

    What the report leaves open, and what is done here: it does not say whether W belongs to types or to datasets
    (`per`), nor what happens when another pool is empty (`on_empty`). Its "uniform weights" for the rest are what tasks
    get that `weights` does not name: equal parts of what is missing to 1.

    :param weights: The probability of each task, or of each head with per = "type". If all are named, only their
        proportions count. 0 means never drawn.
    :param per: Whether `weights` names tasks or heads.
    :param ends: The task (or head) whose empty pool ends the epoch; the one with the largest weight if left out.
    :param on_empty: When a batch is drawn from another pool that is empty: "cycle" starts another pass over that task,
        which keeps W; "drop" draws from the pools that are left, in proportion to W; "stop" ends the epoch; "error"
        ends the run.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        types: Mapping[str, str],
        *,
        weights: dict[str, NotNegative],
        per: Literal["task", "type"] = "task",
        ends: str = "",
        on_empty: Literal["cycle", "drop", "stop", "error"] = "cycle",
    ) -> None:
        super().__init__(sizes, types)
        self.pools = _pools(types, per)
        self.shares = _shares(weights, list(self.pools))
        self.ends = ends or _largest(weights, self.shares)
        self.on_empty = on_empty

    def plan(self, epoch: int, rng: random.Random) -> list[Step]:
        left = dict(self.sizes)
        steps: list[Step] = []
        while any(left[task] for task in self.pools[self.ends]):
            task = self._draw(left, rng)
            if not left[task]:
                if self.on_empty == "stop":
                    break
                if self.on_empty == "error":
                    raise StudyError([self._emptied(task, epoch, len(steps))])
                left[task] = self.sizes[task]
            left[task] -= 1
            steps.append((task,))
        return steps

    def expected_shares(self) -> dict[str, float]:
        draws = self._expected_draws()
        return {task: draws[task] / sum(draws.values()) for task in self.tasks}

    def expected_steps(self) -> float:
        """Exact for on_empty = "cycle"; otherwise a little high, as if every draw came out as expected."""
        return sum(self._expected_draws().values())

    def notes(self) -> list[str]:
        notes = []
        for task, draws in self._expected_draws().items():
            size = self.sizes[task]
            if not draws:
                notes.append(f"{task}: weight 0, never drawn")
            elif draws > size + 1e-6:
                times = f"each example is seen {draws / size:.1f} times in it"
                notes.append(f"{task}: {draws:.0f} draws expected of {size} batches in an epoch: {times}")
        whole = self._full_epoch()
        if self.on_empty in ("stop", "error") and self._epoch() < whole:
            how = "stop" if self.on_empty == "stop" else "fail"
            notes.append(
                f"an epoch is expected to {how} after {self._epoch():.0f} of {whole:.0f} steps at an empty pool"
            )
        return notes

    def _draw(self, left: Mapping[str, int], rng: random.Random) -> str:
        pools = self.pools
        if self.on_empty == "drop":
            pools = {pool: tasks for pool, tasks in pools.items() if any(left[task] for task in tasks)}
        names = list(pools)
        pool = rng.choices(names, [self.shares[name] for name in names])[0]
        tasks = pools[pool]
        if pool == self.ends or self.on_empty == "drop":
            tasks = [task for task in tasks if left[task]]
        return tasks[0] if len(tasks) == 1 else rng.choice(tasks)

    def _emptied(self, task: str, epoch: int, steps: int) -> Problem:
        remedy = 'Give it a lower weight, or set on_empty to "cycle", "drop" or "stop".'
        what = f"epoch {epoch + 1} drew another batch of {task} after its {self.sizes[task]}"
        return Problem("sampling.on_empty", what, f"an empty pool at step {steps + 1} of the epoch", remedy)

    def _full_epoch(self) -> float:
        """The expected steps of an epoch that no other empty pool ends or changes."""
        return sum(self.sizes[task] for task in self.pools[self.ends]) / self.shares[self.ends]

    def _epoch(self) -> float:
        """The expected steps until the pool `ends` is empty, or any other if that too ends the epoch."""
        if self.on_empty in ("cycle", "drop"):
            return self._full_epoch()
        others = [(pool, task) for pool, tasks in self.pools.items() if pool != self.ends for task in tasks]
        lasts = (
            self.sizes[task] * len(self.pools[pool]) / self.shares[pool] for pool, task in others if self.shares[pool]
        )
        return min([self._full_epoch(), *lasts])

    def _expected_draws(self) -> dict[str, float]:
        draws = dict.fromkeys(self.tasks, 0.0)
        for pool, tasks in self.pools.items():
            amount = self._epoch() * self.shares[pool]
            if pool == self.ends or self.on_empty == "drop":
                draws |= _poured(amount, {task: self.sizes[task] for task in tasks})
            else:
                draws |= dict.fromkeys(tasks, amount / len(tasks))
        return draws

    @classmethod
    def problems(cls, types: Mapping[str, str], settings: Mapping[str, object], where: str) -> list[Problem]:
        weights, ends = settings.get("weights"), settings.get("ends", "")
        pools = list(_pools(types, str(settings.get("per", "task"))))
        if not isinstance(weights, Mapping) or not weights:
            remedy = f"For example weights = {{ {pools[0]} = 0.8 }}."
            return [Problem(f"{where}.weights", "gives no weight", shown(weights), remedy)]
        problems = unknown_names(weights, pools, f"{where}.weights")
        if ends:
            problems += unknown_names([str(ends)], pools, f"{where}.ends")
        if not problems:
            problems += _sum_problems(weights, pools, str(ends), where)
        return problems


def _pools(types: Mapping[str, str], per: str) -> dict[str, list[str]]:
    pools: dict[str, list[str]] = {}
    for task, head in types.items():
        pools.setdefault(head if per == "type" else task, []).append(task)
    return pools


def _shares(weights: Mapping[str, float], pools: Sequence[str]) -> dict[str, float]:
    """The probability of each pool: what is missing to 1 is divided equally among those without a weight."""
    unnamed = [pool for pool in pools if pool not in weights]
    missing = 1 - sum(weights.values())
    # 0.7 + 0.2 + 0.1 is a little less than 1.
    rest = missing / len(unnamed) if unnamed and missing > 1e-9 else 0.0
    amounts = {pool: weights.get(pool, rest) for pool in pools}
    return {pool: amount / sum(amounts.values()) for pool, amount in amounts.items()}


def _largest(weights: Mapping[str, float], shares: Mapping[str, float]) -> str:
    """The pool with the largest share; among equals the one that `weights` names first."""
    return max([*weights, *shares], key=lambda pool: shares[pool])


def _poured(amount: float, sizes: Mapping[str, int]) -> dict[str, float]:
    """The amount in equal parts, but to nobody more than its size."""
    parts = {}
    for index, task in enumerate(sorted(sizes, key=lambda task: sizes[task])):
        parts[task] = min(float(sizes[task]), amount / (len(sizes) - index))
        amount -= parts[task]
    return parts


def _sum_problems(weights: Mapping[str, float], pools: Sequence[str], ends: str, where: str) -> list[Problem]:
    total, unnamed = sum(weights.values()), [pool for pool in pools if pool not in weights]
    if not isfinite(total):
        return [Problem(f"{where}.weights", "add up to more than a number can be", "", "Only proportions count.")]
    if total > 1 + 1e-9 and unnamed:
        remedy = f"Name {', '.join(unnamed)} too, or give weights that add up to at most 1."
        return [Problem(f"{where}.weights", "leave less than nothing to the others", f"a sum of {total:g}", remedy)]
    if not total and not unnamed:
        return [Problem(f"{where}.weights", "are all 0", "", "Give at least one task a weight above 0.")]
    if ends and not _shares(weights, pools)[ends]:
        remedy = f"Give {ends} a weight above 0, or let another end the epoch."
        return [Problem(f"{where}.ends", "names a pool that is never drawn, so that no epoch would end", ends, remedy)]
    return []
