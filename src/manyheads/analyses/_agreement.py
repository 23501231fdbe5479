"""Whether two models find the same words important: rank correlations, their intervals, and what chance gives.

V words, k pairs of models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import kendalltau, spearmanr

from manyheads.core.values import Measure
from manyheads.metrics.resampled import ranks
from manyheads.results.intervals import resample, spread

Seeds = Mapping[int, np.ndarray]
"""seed -> [V] a score of each word."""
Pairs = Sequence[tuple[np.ndarray, np.ndarray]]
"""The scores, each [V], of two models that are compared."""


@dataclass(frozen=True)
class Correlation:
    """A mean over pairs of models.

    :param interval: The 95 % interval over words and pairs; None if it cannot be known.
    """

    value: float
    interval: tuple[float, float] | None


def across(one: Seeds, other: Seeds) -> Pairs:
    """Each seed of one model with the next seed of the other, the last with the first: each is used once.

    Two models of the same seed, which start from the same weights and so agree on what neither has learned, are paired
    only if there is no second seed.
    """
    seeds = [seed for seed in one if seed in other]
    return [(one[seed], other[after]) for seed, after in zip(seeds, seeds[1:] + seeds[:1], strict=True)]


def within(one: Seeds) -> Pairs:
    """Each seed of a model with its next one, the last with the first: each is used twice. Two seeds are one pair."""
    seeds = list(one)
    pairs = list(zip(seeds, seeds[1:] + seeds[:1], strict=True))
    return [(one[first], one[second]) for first, second in pairs[: 1 if len(seeds) == 2 else None] if first != second]


def same_start(one: Seeds, other: Seeds) -> Pairs:
    """Each seed of one model with the same seed of the other: both start from the same weights."""
    return [(one[seed], other[seed]) for seed in one if seed in other]


def concordance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[V] for each word, the share of the other words that both scores put on the same side of it, less the share that
    they put on different sides. The mean is Kendall's tau a; words of equal score count for neither.
    """
    orders = [np.arange(len(one))]
    orders += [orders[0][::-1]] if len(np.unique(one)) < len(one) or len(np.unique(other)) < len(other) else []
    parts = [_concordance(_places(one, first), _places(other, second)) for first in orders for second in orders]
    return np.mean(parts, axis=0)


def _places(values: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """[V] each value's place from 0 on, equal values in the order of `ties`."""
    places = np.empty(len(values), np.int64)
    places[np.lexsort((ties, values))] = np.arange(len(values))
    return places


def _concordance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`concordance` of two permutations: of s words below in both, n - 1 - x - y + s are above in both."""
    order, n = np.argsort(one), len(one)
    below = np.empty(n, np.int64)
    below[order] = _smaller_before(other[order])
    same = below + (n - 1 - one - other + below)
    return (2 * same - (n - 1)) / max(1, n - 1)


def _smaller_before(values: np.ndarray) -> np.ndarray:
    """[V] how many smaller values stand before each: a bottom-up merge sort that sorts all blocks of a size at once."""
    n, width = len(values), 1
    at, found = np.arange(n), np.zeros(n, np.int64)
    while width < n:
        block = at // (2 * width)
        order = np.lexsort((values, block))
        left = (order // width) % 2 == 0
        before = left.cumsum()
        first = before[block[order] * 2 * width] - left[block[order] * 2 * width]
        found[order[~left]] += (before - first)[~left]
        width *= 2
    return found


def spearman(pairs: Pairs, resamples: int, *, twice: bool = False) -> Correlation:
    """The mean of Spearman's rho over pairs.

    :param twice: Whether each seed is in two of the pairs, as those of `within` are.
    """
    measures = [Measure("pearson", np.stack([ranks(one), ranks(other)], axis=1)) for one, other in pairs]
    return _mean(measures, resamples, twice)


def kendall(pairs: Pairs, resamples: int, *, twice: bool = False) -> Correlation:
    """The mean of Kendall's tau over pairs.

    In a resample each word keeps its concordance with all words, which changes the interval by terms of order 1 / V:
    Hoeffding, "A Class of Statistics with Asymptotically Normal Distribution", Annals
    of Mathematical Statistics 19, 1948.
    """
    measures = []
    for one, other in pairs:
        shares = concordance(one, other)
        measures.append(Measure("mean", (2 * shares - shares.mean())[:, None]))
    return _mean(measures, resamples, twice)


def _mean(measures: Sequence[Measure], resamples: int, twice: bool) -> Correlation:
    """With r = m + a + b + e of a pair, a and b due to its seeds, k pairs in a ring of k seeds have a mean of variance
    (4 Var(a) + Var(e)) / k, and pairs of their own (2 Var(a) + Var(e)) / k: twice that is never too little."""
    words = len(measures[0].items)
    scores, resampled = resample(measures, None, resamples=resamples)
    found = spread(scores, resampled, words)
    if found and twice:
        found = replace(found, between=2 * found.between)
    interval = found.interval() if found else None
    clipped = None if interval is None else (max(-1.0, interval[0]), min(1.0, interval[1]))
    return Correlation(float(np.mean(scores)), clipped)


def by_chance(one: Seeds, other: Seeds, permutations: int, seed: int = 0) -> tuple[float, float]:
    """The p values of rho and tau: how often the words of the other model, in a random order, give at least as much
    agreement of either sign.

    The mean ranks over the first half of the seeds of one model are compared with those over the second half of the
    other's, which start from other weights. If there is one seed, both start from the same.
    """
    seeds = [s for s in one if s in other]
    half = (len(seeds) + 1) // 2
    first = ranks(np.mean([ranks(one[s]) for s in seeds[:half]], axis=0))
    second = ranks(np.mean([ranks(other[s]) for s in (seeds[half:] or seeds)], axis=0))
    return permuted(first, second, permutations, seed)


def permuted(one: np.ndarray, other: np.ndarray, permutations: int, seed: int = 0) -> tuple[float, float]:
    """The p values of two-sided permutation tests of rho and tau; the order as it is counts as a permutation."""
    rng = np.random.default_rng(seed)
    first, second = (each - each.mean() for each in (ranks(one), ranks(other)))
    observed = abs(first @ second) * (1 - 1e-12), abs(_tau(one, other)) * (1 - 1e-12)
    counts = np.ones(2)
    for _ in range(permutations):
        order = rng.permutation(len(one))
        counts[0] += abs(first @ second[order]) >= observed[0]
        counts[1] += abs(_tau(one, other[order])) >= observed[1]
    rho, tau = (counts / (permutations + 1)).tolist()
    return rho, tau


def _tau(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.asarray(kendalltau(one, other))[0])


def shared_first(pairs: Pairs, first: int) -> float:
    """The share of the `first` most important words that are among those of the other model too; mean over pairs."""
    shares = []
    for one, other in pairs:
        tops = [set(np.argsort(-each, kind="stable")[:first].tolist()) for each in (one, other)]
        shares.append(len(tops[0] & tops[1]) / min(first, len(one)))
    return float(np.mean(shares))


def mean_rho(pairs: Pairs) -> float:
    """Spearman's correlation, mean over pairs."""
    return float(np.mean([rho(*pair) for pair in pairs]))


def same_start_rho(one: Seeds, other: Seeds) -> float:
    """Spearman's correlation of models of the same seed, mean over seeds."""
    return mean_rho(same_start(one, other))


def rho(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two scores."""
    return float(np.asarray(spearmanr(one, other))[0])
