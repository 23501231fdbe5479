"""Proportional sampling: shuffle the batches of all tasks together, so that larger tasks are trained more.

Liu, He, Chen and Gao, "Multi-Task Deep Neural Networks for Natural Language Understanding", ACL 2019,
https://arxiv.org/abs/1901.11504, algorithm 1.
"""

import random

from manyheads.sampling import Sampling, Step


class Proportional(Sampling):
    """An epoch is one pass over the union of all tasks' batches, in random order: every example is seen exactly once.

    A step trains task i with probability n_i / (n_1 + ... + n_m), where n_i is its number of batches. Losses are not
    weighted, yet large tasks weigh more: "equally weighted losses" over a union are losses weighted by size.

    Where the paper and the code differ: its code packs batches once, before training, so that the same examples meet in
    every epoch. Here each task is reshuffled at each pass.
    """

    def plan(self, epoch: int, rng: random.Random) -> list[Step]:
        steps: list[Step] = [(task,) for task in self.tasks for _ in range(self.sizes[task])]
        rng.shuffle(steps)
        return steps

    def expected_shares(self) -> dict[str, float]:
        return {task: size / self.expected_steps() for task, size in self.sizes.items()}

    def expected_steps(self) -> float:
        return float(sum(self.sizes.values()))
