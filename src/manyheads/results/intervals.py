"""How surely a score or a difference is known from a few seeds and one test set: resampling, intervals, tests, power.

The seeds and the items of the test set are both samples. With x_si the contribution of item i under seed s,

    x_si = mu + a_s + b_i + c_si,      Var(mean) = Var(a) / k + Var(b) / n + Var(c) / (k n),

where k seeds share the same n items: more seeds do not lessen b, and more items do not lessen a. A bootstrap that
draws seeds and items with replacement misses on both sides: of the variance of a it sees (k - 1) / k (its intervals
cover 84 % for k = 3 where a prevails), and that of c it counts twice. So only the items are drawn, and the seeds enter
through their t distribution. `docs/results/comparison.md` has the measured coverage.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy.special import stdtr, stdtrit

from manyheads.core.values import Measure
from manyheads.metrics.resampled import KINDS

_CHUNK = 4_000_000  # numbers in one block of draws: 32 MB
_PASS = 25_000_000  # numbers in the statistics that are held at once: 200 MB
_DEFINED = 0.9  # a score that is undefined in more than a tenth of the resamples gets no interval


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over seeds and the parts of its variance.

    :param value: The mean over the seeds.
    :param seeds: How many seeds (k).
    :param units: How many independent units the test set has: clusters, or else items.
    :param between: The variance of the seeds' scores on this test set, Var(a) + Var(c) / n; nan for one seed.
    :param own: Its part that is due to the items, Var(c) / n: seeds differ in which items they get right.
    :param shared: Var(b) / n, what the choice of the items does to all seeds alike.
    """

    value: float
    seeds: int
    units: int
    between: float
    own: float
    shared: float

    @property
    def items_only(self) -> float:
        """The variance if the seeds were the only ones of interest: Var(b) / n + Var(c) / (k n)."""
        return self.shared + self.own / self.seeds

    def half_width(self, level: float = 0.05, seeds: int | None = None) -> float:
        """Half the interval that covers with probability 1 - level; nan if it cannot be known.

        Cochran's approximation for a sum of variances of different reliability ("Approximate significance levels of
        the Behrens-Fisher test", Biometrics 20, 1964): with A = between / k and B = shared, the quantile is the mean
        of two t quantiles weighted by A and B,

            half = (A t[k - 1] + B t[units - 1]) / sqrt(A + B).

        Satterthwaite's degrees of freedom give shorter intervals that cover 91 to 94 % with 3 seeds.

        With one seed the interval is that of the items alone.

        :param seeds: Plan with this many seeds instead. The variance between seeds is then taken to be at least `own`.
        """
        if self.units < 2:
            return math.nan
        of_items = -float(stdtrit(self.units - 1, level / 2))
        if self.seeds == 1:
            return of_items * math.sqrt(self.items_only)
        k = seeds or self.seeds
        a = (self.between if seeds is None else max(self.between, self.own)) / k
        b = self.shared
        if a + b == 0:
            return 0.0
        return (a * -float(stdtrit(k - 1, level / 2)) + b * of_items) / math.sqrt(a + b)

    def interval(self, level: float = 0.05) -> tuple[float, float] | None:
        """The 95 % interval (for the default level), or None if it cannot be known."""
        half = self.half_width(level)
        return (self.value - half, self.value + half) if math.isfinite(half) else None

    def p(self) -> float | None:
        """The smallest level whose interval excludes zero; None with one seed, which says nothing about training.

        It is never smaller than what the items alone allow, nor than 2^(1 - units), the smallest p of a sign test.
        For with few seeds `between` can come out small by luck, and a claim that the test set itself cannot carry is
        not worth making.
        """
        if self.seeds < 2 or self.units < 2:
            return None
        low, high = 0.0, 1.0
        for _ in range(60):
            level = (low + high) / 2
            low, high = (low, level) if self.half_width(level) < abs(self.value) else (level, high)
        least = 2.0 ** (1 - self.units)
        if self.items_only > 0:
            least = max(least, 2 * float(stdtr(self.units - 1, -abs(self.value) / math.sqrt(self.items_only))))
        return min(1.0, max(high, least)) if self.value else 1.0

    def missable(self, level: float = 0.05) -> float:
        """The largest difference that may be there unseen: the farther end of the interval, or of the items' alone."""
        of_items = -float(stdtrit(self.units - 1, level / 2)) * math.sqrt(self.items_only)
        return abs(self.value) + max(self.half_width(level), of_items)

    def seeds_needed(self, half: float, level: float = 0.05, limit: int = 1000) -> int | None:
        """The fewest seeds whose expected half-width is at most `half`; None if the test set is too small for that."""
        if self.seeds < 2 or self.units < 2 or self.half_width(level, limit) > half:
            return None
        low, high = 1, limit
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.half_width(level, middle) <= half else (middle, high)
        return high


def spread(scores: np.ndarray, resampled: np.ndarray, units: int) -> Spread | None:
    """The parts of the variance of the mean over seeds, by resampling the items.

    With V_mean the variance over resamples of the mean over seeds and V_each that of one seed's score,

        V_mean = Var(b) / n + Var(c) / (k n),   V_each = Var(b) / n + Var(c) / n,

    so that Var(c) / n = (V_each - V_mean) k / (k - 1) and Var(b) / n is the rest; both are zero at least. The
    variance between the seeds' scores holds Var(c) / n already, which therefore is not counted twice.

    :param scores: [k] each seed's score, or difference, on the test set as it is.
    :param resampled: [R, k] the same on each resample of the test set.
    :return: None if too many resamples are undefined.
    """
    k = len(scores)
    defined = resampled[np.isfinite(resampled).all(axis=1)]
    if len(defined) < max(2, _DEFINED * len(resampled)):
        return None
    correction = (
        units / (units - 1) if units > 1 else 1.0
    )  # a resample of u units has variance (u - 1) / u of a new sample
    of_mean = float(defined.mean(axis=1).var()) * correction
    of_each = float(defined.var(axis=0).mean()) * correction
    own = max(0.0, (of_each - of_mean) * k / (k - 1)) if k > 1 else 0.0
    between = float(np.var(scores, ddof=1)) if k > 1 else math.nan
    return Spread(float(np.mean(scores)), k, units, between, own, max(0.0, of_mean - own / k))


def _draws(units: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks [r, units] of how often each unit is drawn; the same seed gives the same draws, whatever they serve."""
    rng = np.random.default_rng(seed)
    size = max(1, _CHUNK // units)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(0, units, (rows, units)) + np.arange(rows)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)


def _per_unit(statistics: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """[n, m] -> [units, m + 1]: statistics summed over the items of each unit, and how many items it has."""
    counted = np.concatenate([statistics, np.ones((len(statistics), 1))], axis=1)
    if groups is None:
        return counted
    total = np.zeros((int(groups.max()) + 1, counted.shape[1]))
    np.add.at(total, groups, counted)
    return total


def _passes(measures: Sequence[Measure], widths: Sequence[int]) -> Iterator[list[int]]:
    """The indices of the measures, equal kinds side by side, in portions whose statistics fit into memory together."""
    portion: list[int] = []
    columns = 0
    for index in sorted(range(len(measures)), key=lambda index: (measures[index].kind, widths[index])):
        wider = columns + widths[index] + 1
        if portion and wider * len(measures[index].items) > _PASS:
            yield portion
            portion, wider = [], widths[index] + 1
        portion.append(index)
        columns = wider
    if portion:
        yield portion


def resample(
    measures: Sequence[Measure], groups: np.ndarray | None, *, resamples: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Score every measure on the test set as it is and on the same resamples of it.

    Items that belong together, such as the questions on one passage, are drawn together (the cluster bootstrap). A
    draw is a vector of counts, and a score is a function of sums, so that all of it is one product of matrices.

    :param measures: All about the same n items in the same order.
    :param groups: [n] the number of each item's cluster, from 0 on; None if every item stands alone.
    :return: [c] and [resamples, c]; nan where a score is undefined.
    """
    widths = [KINDS[measure.kind].statistics(measure.items).shape[1] for measure in measures]
    scores, resampled = np.empty(len(measures)), np.empty((resamples, len(measures)))
    for portion in _passes(measures, widths):
        statistics = [KINDS[measures[index].kind].statistics(measures[index].items) for index in portion]
        table = np.concatenate([_per_unit(of_items, groups) for of_items in statistics], axis=1)
        layout = [(measures[index].kind, widths[index]) for index in portion]
        scores[portion] = _values(layout, table.sum(axis=0))
        start = 0
        for draws in _draws(len(table), resamples, seed):
            resampled[start : start + len(draws), portion] = _values(layout, draws @ table)
            start += len(draws)
    return scores, resampled


def _values(layout: Sequence[tuple[str, int]], sums: np.ndarray) -> np.ndarray:
    """[..., columns] sums -> [..., measures] scores; neighbours of one kind are computed together."""
    values, start = [], 0
    for (kind, width), same in groupby(layout):
        stop = start + (width + 1) * len(list(same))
        cells = sums[..., start:stop].reshape(*sums.shape[:-1], -1, width + 1)
        values.append(KINDS[kind].value(cells[..., :-1] / cells[..., -1:]))
        start = stop
    return np.concatenate(values, axis=-1)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjust p values so that any false claim among all of them happens with probability 0.05 at most.

    In ascending order, p_(i) becomes the largest of (m - j + 1) p_(j) over j <= i, at most 1 (Holm, "A simple
    sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979). None stays None and
    is not counted.
    """
    order = sorted((value, index) for index, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    largest = 0.0
    for rank, (value, index) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * value))
        adjusted[index] = largest
    return adjusted
