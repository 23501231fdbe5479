"""PCGrad: where two tasks' gradients point against each other, take out of each what opposes the other.

Yu, Kumar, Gupta, Levine, Hausman and Finn, "Gradient Surgery for Multi-Task Learning", NeurIPS 2020,
https://arxiv.org/abs/2001.06782, algorithm 1.
"""

from collections.abc import Sequence

from torch import Tensor
from torchjd.aggregation import PCGradWeighting

from manyheads.weighting import GradientWeighting


class PCGrad(GradientWeighting):
    """Replace the sum of the tasks' gradients g by the sum of their projections.

    Each g_i meets the other g_j in random order, and wherever their inner product is negative it loses its part along
    g_j: g_i <- g_i - (g_i . g_j) / |g_j|^2 * g_j. Projections are onto the g_j as they were before. Without conflict
    this is the ordinary sum.

    The projection is torchjd's. The random order, which matters from three tasks on, comes from torch's generator, like
    dropout. The paper projects the gradients of the whole network; here those of the shared parameters, since a
    task's own parameters have one gradient only.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks)
        self.projection = PCGradWeighting()

    def coefficients(self, gramian: Tensor) -> Tensor:
        return self.projection(gramian)
