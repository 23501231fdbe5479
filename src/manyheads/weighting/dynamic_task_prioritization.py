"""Dynamic task prioritization: the worse a task's score, the more its loss weighs.

Guo, Haque, Huang, Yeung and Fei-Fei, "Dynamic Task Prioritization for Multitask Learning", ECCV 2018,
https://openaccess.thecvf.com/content_ECCV_2018/html/Michelle_Guo_Focus_on_the_ECCV_2018_paper.html, section 3.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor

from manyheads.core.settings import BelowOne, PerTask
from manyheads.weighting import Weighting


class DynamicTaskPrioritization(Weighting):
    """Minimise the sum of w * loss, where w = -(1 - k)^gamma * log(k) and k is the task's smoothed score in (0, 1).

    k <- alpha * score + (1 - alpha) * k whenever the task is scored; the first score is taken as it is. The weights are
    constants between scores. Difficult tasks come first, which is the opposite of uncertainty weighting.

    Where this departs from the paper: (1) scores come from the selection split, not from the training batches, where 16
    examples make a noisy score; selecting and weighting on the same split is optimistic, so report on another. (2) The
    weights are normalised to a mean of 1, because otherwise they shrink as all tasks improve, and with them the
    learning rate. (3) k is kept within [epsilon, 1 - epsilon]: at 0 the weight is infinite, at 1 the task is dropped
    and may be forgotten. (4) The focal loss of single examples, the other half of the paper, is the business of heads.
    (5) All tasks have the same gamma.

    Until a task has been scored it has the mean weight of the others; at first all weigh 1.

    :param tasks: The names of the tasks, in the order of the study file.
    :param alpha: How much a new score counts, above 0 and up to 1 (no smoothing).
    :param gamma: The larger, the less do tasks with good scores weigh. 0 leaves -log(k).
    :param normalise: Scale the weights to a mean of 1.
    :param epsilon: How far from 0 and 1 scores are kept.
    :param chance: The score of guessing, for tasks where it is above 0; k is then (score - chance) / (1 - chance).
    """

    needs_scores = True
    smoothed: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        alpha: Annotated[float, Gt(0), Le(1)] = 0.5,
        gamma: Annotated[float, Ge(0), Le(50)] = 1.0,
        normalise: bool = True,
        epsilon: Annotated[float, Ge(1e-6), Lt(0.5)] = 0.01,
        chance: PerTask[BelowOne] | None = None,
    ) -> None:
        super().__init__(tasks)
        self.alpha, self.gamma, self.epsilon = alpha, gamma, epsilon
        self.normalise = normalise
        self.chance = dict(chance or {})
        # One entry per task, written only when that task is scored; NaN before.
        self.register_buffer("smoothed", torch.full((len(self.tasks),), math.nan, dtype=torch.float64))

    def combine(self, losses: dict[str, Tensor]) -> Tensor:
        weights = self.weights()
        return torch.stack([weights[task] * loss for task, loss in losses.items()]).sum()

    def hear(self, scores: Mapping[str, float]) -> None:
        for task, score in scores.items():
            place = self.tasks.index(task)
            old = self.smoothed[place].item()
            self.smoothed[place] = score if math.isnan(old) else self.alpha * score + (1 - self.alpha) * old

    def weights(self) -> dict[str, float]:
        known = {
            task: self._weight(task, score)
            for task, score in zip(self.tasks, self.smoothed.tolist(), strict=True)
            if not math.isnan(score)
        }
        mean = sum(known.values()) / len(known) if known else 1.0
        scale = 1 / mean if self.normalise else 1.0
        return {task: scale * known.get(task, mean) for task in self.tasks}

    def _weight(self, task: str, score: float) -> float:
        chance = self.chance.get(task, 0.0)
        k = min(max((score - chance) / (1 - chance), self.epsilon), 1 - self.epsilon)
        return -((1 - k) ** self.gamma) * math.log(k)
