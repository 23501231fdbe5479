"""UPGrad: project each task's gradient onto the directions that harm no task, and take the sum.

Quinton and Rey, "Jacobian Descent for Multi-Objective Optimization", 2024, https://arxiv.org/abs/2406.16232, section 3.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from scipy.optimize import nnls
from torch import Tensor
from torchjd.aggregation import UPGradWeighting
from torchjd.linalg import DualConeProjector, PSDMatrix

from manyheads.weighting import GradientWeighting


class UPGrad(GradientWeighting):
    """Replace the sum of the tasks' gradients g by the sum of their projections onto the cone where nobody is harmed.

    d = sum over i of P(g_i), where P(x) is the point closest to x among all y with g_j . y >= 0 for every task j. A
    small enough step along d raises no task's loss. By proposition 1 of the paper, P(J^T u) = J^T v with the v that
    minimises v^T J J^T v under v >= u, where J [m, n] holds the gradients g. Without conflict this is the ordinary sum,
    and with two tasks it is PCGrad; with more, PCGrad's projections one after another may still harm a task.

    Where this departs from the paper and from torchjd, which finds the coefficients from the v: both take the mean,
    which is the ordinary step at 1/m of the learning rate; here it is the sum, so that arms with the same learning
    rate can be compared. The v are found by non-negative least squares (scipy's, after Lawson and Hanson) on the
    cosines of the gradients, not by torchjd's projector: that one adds 1e-4 to a Gramian scaled by its trace, which
    leaves a task whose gradient is a hundredth of another's half in conflict, projects nothing where the squares of
    all gradients add up to less than 1e-4, and needs a solver under the GPL.

    :param reg_eps: Added to the diagonal of the matrix of cosines, so that coefficients stay bounded where gradients
        nearly cancel. It leaves a conflict with a cosine of about reg_eps, at worst of its square root.
    """

    def __init__(self, tasks: Sequence[str], *, reg_eps: Annotated[float, Ge(1e-12), Lt(1)] = 1e-6) -> None:
        super().__init__(tasks)
        self.mean = UPGradWeighting(projector=_LeastSquares(reg_eps))

    def coefficients(self, gramian: Tensor) -> Tensor:
        return len(gramian) * self.mean(gramian)


class _LeastSquares(DualConeProjector):
    """The coefficients v of the projections: argmin of v^T G v under v >= u, for each u.

    With C = D^-1 G D^-1 the cosines, D the norms, R^T R = C and v = D^-1 (D u + z), this is the z >= 0 for which
    |R z + R D u| is smallest.
    """

    def __init__(self, reg_eps: Annotated[float, Gt(0), Lt(1)]) -> None:
        self.reg_eps = reg_eps

    def __call__(self, U: Tensor, G: PSDMatrix) -> Tensor:  # noqa: N803
        gramian, vectors = G.double().numpy(), U.double().numpy()
        norms = np.sqrt(gramian.diagonal())
        # A task without a gradient conflicts with nobody; its row and column are zeros whatever they are divided by.
        norms = np.where(norms > 0, norms, 1.0)
        cosines = gramian / np.outer(norms, norms) + self.reg_eps * np.eye(len(gramian))
        values, axes = np.linalg.eigh(cosines)
        root = np.sqrt(np.maximum(values, 0.0))[:, None] * axes.T
        found = [scaled + nnls(root, -root @ scaled)[0] for scaled in vectors * norms]
        return torch.from_numpy(np.stack(found) / norms).to(U.dtype)
