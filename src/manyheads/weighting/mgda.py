"""MGDA: go along the shortest convex combination of the tasks' gradients, on which all losses fall, or else stop.

Désidéri, "Multiple-gradient descent algorithm (MGDA) for multiobjective optimization", Comptes Rendus Mathematique 350,
2012, https://doi.org/10.1016/j.crma.2012.03.014; Sener and Koltun, "Multi-Task Learning as Multi-Objective
Optimization", NeurIPS 2018, https://arxiv.org/abs/1810.04650, section 3 and algorithm 2.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor
from torchjd.aggregation import MGDAWeighting

from manyheads.weighting import GradientWeighting


class MGDA(GradientWeighting):
    """Replace the sum of the m tasks' gradients g by m times the shortest vector in their convex hull.

    d = m * sum of a_i g_i, where the a_i >= 0 add up to 1 and minimise |sum of a_i g_i|. If that is not 0, then
    g_j . d >= |d|^2 / m for every task j: a small enough step lowers all losses. If it is 0, no direction does, and the
    shared parameters stay. For two tasks a_1 = (g_2 - g_1) . g_2 / |g_1 - g_2|^2, cut to [0, 1].

    The shortest gradient decides: a task that is nearly learned takes nearly all of the weight. With normalise = "norm"
    the g_i are divided by their norms first, so that d points along the shortest combination of the unit vectors, for
    two tasks halfway between them.

    The a_i are found by the algorithm of Frank and Wolfe, in torchjd. It is exact for two tasks. With three and more it
    approaches slowly where all tasks have weight, and by its default settings may end some percent off.

    Where this departs from the papers: their d is 1/m of ours. With the factor m the coefficients add up to m, as those
    of the ordinary sum do, so that arms with the same learning rate can be compared; and with "norm" they are scaled to
    add up to m as well, where the papers' d would have at most length 1 whatever the gradients' norms. Sener and
    Koltun's code finds the a_i for the normalised gradients and applies them to the others, which need not lower all
    losses. Their MGDA-UB, on gradients of the representation, needs all tasks to share their inputs and is not here.

    :param normalise: "none", or "norm" to divide each gradient by its norm before weights are sought.
    :param epsilon: The search ends when a step of it moves less than this share of the way to a single task.
    :param max_iters: The search ends after so many steps.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        normalise: Literal["none", "norm"] = "none",
        epsilon: Annotated[float, Gt(0), Lt(1)] = 1e-3,
        max_iters: Annotated[int, Ge(1), Le(100_000)] = 100,
    ) -> None:
        super().__init__(tasks)
        self.normalise = normalise
        self.search = MGDAWeighting(epsilon=epsilon, max_iters=max_iters)

    def coefficients(self, gramian: Tensor) -> Tensor:
        scale = torch.ones(len(gramian), dtype=gramian.dtype)
        if self.normalise == "norm":
            norms = gramian.diagonal().sqrt()
            # A task without a gradient is at its minimum; as with "none", it takes all of the weight.
            scale = torch.where(norms > 0, 1 / norms, scale)
        found = scale * self.search(gramian * torch.outer(scale, scale))
        return len(gramian) * found / found.sum()
