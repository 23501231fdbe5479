"""How important each word is to a network with one hidden layer over a bag of words, by several scores.

V words, D hidden units, C classes, n texts. With W the input weights [V, D] and O the output weights [C, D], a text x
has the logits O f(x W + b) + c.

- The sum of the input weights of w, sum over u of W_wu: Adam K, "Multi-task learning: what is it, how does it work and
  why does it work?", GumGum Tech Blog, 2022. It is not a property of the function that the network computes: since
  f(-z) = 1 - f(z) for a sigmoid, flipping the signs of a unit's input weights, bias and output weights, and adding O_u
  to the output's bias, leaves every logit as it is and changes the sum.
- The path W O^T, less its mean over the classes: what w would add to the logits if every unit had the slope 1. The flip
  changes the signs of both factors, and so nothing.
- The gradient times the input: |x_w d margin / d x_w|, averaged over the texts that hold w. It depends on the function
  alone. (Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013,
  https://arxiv.org/abs/1312.6034; times the input: Shrikumar et al., 2016, https://arxiv.org/abs/1605.01713.)

A margin is the logit of the second of two classes less that of the first; of more classes, the logit of the answer less
the mean of the others.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import expit

Activation = Literal["sigmoid", "tanh", "relu"]
_CHUNK = 100_000
"""How many rows of weights are gathered at once: 50 MB for 64 units."""


@dataclass(frozen=True)
class Network:
    """A hidden layer over a bag of words, and an output for each class.

    :param weights: [V, D]
    :param bias: [D]
    :param outputs: [C, D]
    :param output_bias: [C]
    """

    weights: np.ndarray
    bias: np.ndarray
    outputs: np.ndarray
    output_bias: np.ndarray
    activation: Activation = "sigmoid"

    def hidden(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[n, D] the values of the units, and [n, D] their slopes, from their weighted sums with the bias, [n, D]."""
        if self.activation == "sigmoid":
            values = expit(sums)
            return values, values * (1 - values)
        if self.activation == "tanh":
            values = np.tanh(sums)
            return values, 1 - values**2
        return np.maximum(sums, 0), (sums > 0).astype(sums.dtype)

    def logits(self, texts: Any) -> np.ndarray:
        """[n, C] of texts [n, V], dense or sparse."""
        return self.hidden(texts @ self.weights + self.bias)[0] @ self.outputs.T + self.output_bias


def sums(weights: np.ndarray) -> np.ndarray:
    """[V] the blog's score: each word's input weights added up."""
    return weights.sum(axis=1)


def paths(network: Network) -> np.ndarray:
    """[V, C] what each word adds to each logit through all units of slope 1, less its mean over the classes."""
    outputs = network.outputs - network.outputs.mean(axis=0)
    return network.weights @ outputs.T


def path(network: Network) -> np.ndarray:
    """[V] the path to the second of two classes less that to the first; with more classes the largest difference
    between two of them, without a sign."""
    each = paths(network)
    return each[:, 1] - each[:, 0] if each.shape[1] == 2 else each.max(axis=1) - each.min(axis=1)


def margins(logits: np.ndarray) -> np.ndarray:
    """[n, C] the linear combination of each text's logits, [n, C], that is its margin."""
    n, classes = logits.shape
    if classes == 2:
        return np.tile([-1.0, 1.0], (n, 1))
    others = np.full((n, classes), -1 / (classes - 1))
    others[np.arange(n), logits.argmax(axis=1)] = 1
    return others


@dataclass(frozen=True)
class Gradients:
    """The gradient times the input, over texts.

    :param size: [V] the mean of its absolute value over the texts that hold the word; nan if none does.
    :param signed: [V] the mean of its value, whose sign tells which of two classes the word speaks for.
    :param texts: [V] how many texts hold the word.
    """

    size: np.ndarray
    signed: np.ndarray
    texts: np.ndarray


def averaged(ids: np.ndarray, values: np.ndarray, words: int) -> Gradients:
    """Means over the texts.

    :param ids: The number of each word of each text.
    :param values: Its gradient times the input.
    :param words: V.
    """
    texts = np.bincount(ids, minlength=words)
    size, signed = (np.bincount(ids, each, minlength=words) for each in (np.abs(values), values))
    known = texts > 0
    below = np.maximum(texts, 1)
    return Gradients(np.where(known, size / below, np.nan), np.where(known, signed / below, np.nan), texts)


def gradients(network: Network, texts: Any) -> Gradients:
    """The gradient times the input of each word, over texts [n, V], a `scipy.sparse.csr_matrix`."""
    values, slopes = network.hidden(texts @ network.weights + network.bias)
    logits = values @ network.outputs.T + network.output_bias
    to_hidden = (margins(logits) @ network.outputs * slopes).astype(network.weights.dtype)
    rows = np.repeat(np.arange(texts.shape[0]), np.diff(texts.indptr))
    found = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        given = texts.data[part] * np.einsum("td,td->t", network.weights[texts.indices[part]], to_hidden[rows[part]])
        found[part] = given
    return averaged(texts.indices, found, texts.shape[1])
