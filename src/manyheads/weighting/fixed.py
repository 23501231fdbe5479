"""Fixed weights: the losses are added up, each times a number that stays the same.

Kurin, De Palma, Kostrikov, Whiteson and Kumar, "In Defense of the Unitary Scalarization for Deep Multi-Task Learning",
NeurIPS 2022, https://arxiv.org/abs/2201.04122: with all weights 1, the baseline that other methods have to beat.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from manyheads.core.settings import NotAllZero, PerTask
from manyheads.weighting import Weighting


class Fixed(Weighting):
    """Minimise the sum over the tasks of a step of w * loss.

    Weights are taken as they are. To keep what a learning rate means, let them add up to the number of tasks. Where
    each step holds one task only, Adam divides much of a weight away again: then a task's share of the steps weighs
    more (`sampling`).

    :param weights: The weight of each task; 1 for a task that is not named. 0 keeps a task in the step, untrained.
    """

    accumulates = True

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        weights: Annotated[PerTask[Annotated[float, Ge(0), Le(1e6)]], NotAllZero] | None = None,
    ) -> None:
        super().__init__(tasks)
        self.weight_of = {task: float((weights or {}).get(task, 1.0)) for task in self.tasks}

    def combine(self, losses: dict[str, Tensor]) -> Tensor:
        return torch.stack([self.weight_of[task] * loss for task, loss in losses.items()]).sum()

    def weights(self) -> dict[str, float]:
        return dict(self.weight_of)
