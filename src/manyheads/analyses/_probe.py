"""A linear classifier on states that nothing else has been trained for.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016,
https://arxiv.org/abs/1610.01644.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

PENALTY = 1e-3
"""Half of this times the squared weights is added to the mean loss; states are scaled to variance 1 before."""


@dataclass(frozen=True)
class Probe:
    """Multinomial logistic regression.

    :param centre: [D] and `scale` [D], of the states that it was fitted to.
    :param weights: [D + 1, C], the bias last.
    """

    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray

    def probabilities(self, states: np.ndarray) -> np.ndarray:
        """[n, C] of states [n, D]."""
        return softmax(((states - self.centre) / self.scale) @ self.weights[:-1] + self.weights[-1], axis=1)


def fitted(states: np.ndarray, labels: np.ndarray, classes: int) -> Probe:
    """The probe with the least mean cross entropy, penalised so that there is one even where classes can be parted.

    :param states: [n, D]
    :param labels: [n] from 0 to below `classes`.
    """
    states = np.asarray(states, np.float64)
    centre, scale = states.mean(axis=0), states.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    scaled, n = (states - centre) / scale, len(states)
    gold = np.eye(classes)[labels]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(-1, classes)
        logits = scaled @ weights[:-1] + weights[-1]
        wrong = (softmax(logits, axis=1) - gold) / n
        slope = np.concatenate([scaled.T @ wrong + PENALTY * weights[:-1], wrong.sum(axis=0, keepdims=True)])
        value = -(log_softmax(logits, axis=1) * gold).sum() / n + PENALTY / 2 * (weights[:-1] ** 2).sum()
        return float(value), slope.ravel()

    start = np.zeros((states.shape[1] + 1) * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return Probe(centre, scale, found.x.reshape(-1, classes))
