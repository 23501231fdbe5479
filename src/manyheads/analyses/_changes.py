"""What changed from one arm to another, example by example and seed by seed, in sums that add up to the scores.

k: the seeds that both arms finished. n: the examples of the reported split.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from manyheads.core.values import Answer, Measure
from manyheads.heads import Head
from manyheads.results.intervals import resample, spread

RESAMPLES = 1_000
ADDITIVE = ("mean", "ratio")
"""The kinds of metrics whose score is a sum over the examples, divided by a sum that no answer changes."""


@dataclass(frozen=True)
class Changes:
    """Two arms' answers to the same examples.

    With x the contribution of an example to the score of an arm and w its weight,

        score = sum(x) / sum(w),   difference = sum over seeds and examples of (after - before) / (k sum(w)),

    so that what is gained less what is lost is the difference, exactly.

    :param before: [k, n] x under the one arm.
    :param after: [k, n] x under the other.
    :param weights: [n] w: 1 for each example, or its words where a score is a share of words.
    """

    before: np.ndarray
    after: np.ndarray
    weights: np.ndarray

    @property
    def seeds(self) -> int:
        return len(self.before)

    @property
    def total(self) -> float:
        return float(self.weights.sum())

    @property
    def most(self) -> int:
        """The fewest seeds that are more than half of them."""
        return self.seeds // 2 + 1

    @cached_property
    def better(self) -> np.ndarray:
        """[n] in how many seeds each example became better."""
        return (self.after > self.before).sum(axis=0)

    @cached_property
    def worse(self) -> np.ndarray:
        """[n] in how many seeds each example became worse."""
        return (self.after < self.before).sum(axis=0)

    @cached_property
    def net(self) -> np.ndarray:
        """[n] in how many more seeds it became better than worse."""
        return self.better - self.worse

    @cached_property
    def gains(self) -> np.ndarray:
        """[n] the mean change over the seeds."""
        return (self.after - self.before).mean(axis=0)

    def scores(self) -> list[float]:
        """The scores of the two arms, mean over the seeds."""
        return [float(part.sum()) / (self.seeds * self.total) for part in (self.before, self.after)]

    def gained(self) -> float:
        """What all improvements add to the score, mean over the seeds."""
        return float(np.maximum(self.after - self.before, 0).sum()) / (self.seeds * self.total)

    def lost(self) -> float:
        """What all deteriorations take from it, mean over the seeds."""
        return float(np.maximum(self.before - self.after, 0).sum()) / (self.seeds * self.total)

    def difference(self) -> float:
        """Of the scores, mean over the seeds."""
        return self.gained() - self.lost()

    def count(self, level: int, sign: int) -> int:
        """How many examples became better (sign 1) or worse (-1) in at least `level` more seeds than the other way."""
        return int((sign * self.net >= level).sum())

    @property
    def consistent(self) -> tuple[int, int]:
        """How many examples became better, and how many worse, in more than half of the seeds net of the others."""
        return self.count(self.most, 1), self.count(self.most, -1)

    def by_chance(self, level: int) -> float:
        """How many would be expected to, in each direction, if the arms differed by chance alone.

        If it is chance which of the arms answers better under a seed, the signs of an example's c changes are tosses
        of a fair coin, and better - worse >= level where at least (c + level) / 2 of them are heads.
        """
        changed, counts = np.unique(self.better + self.worse, return_counts=True)
        return float(sum(n * heads(int(c), math.ceil((c + level) / 2)) for c, n in zip(changed, counts, strict=True)))

    def sure(self, level: int, sign: int) -> float | None:
        """The share of the examples which changed so consistently that is more than chance; None if there are none."""
        found = self.count(level, sign)
        return max(0.0, 1 - self.by_chance(level) / found) if found else None

    def part(self, inside: np.ndarray) -> "Changes":
        """The same for some of the examples.

        :param inside: [n] which ones, as booleans.
        """
        return Changes(self.before[:, inside], self.after[:, inside], self.weights[inside])

    def interval(self, clusters: Sequence[str] | None = None) -> tuple[float, float] | None:
        """The 95 % interval of the difference, over seeds and examples; None if it cannot be known.

        :param clusters: [n] which examples belong together: whole clusters are drawn.
        """
        if not self.total:
            return None
        groups = None if clusters is None else np.unique(np.array(clusters), return_inverse=True)[1]
        units = len(self.weights) if groups is None else int(groups.max()) + 1
        measures = [Measure("ratio", np.stack([one, self.weights], axis=1)) for one in self.after - self.before]
        known = spread(*resample(measures, groups, resamples=RESAMPLES), units) if units > 1 else None
        return known.interval() if known else None


@dataclass(frozen=True)
class TaskChanges:
    """How the answers of two arms differ on one task.

    :param answers: Of the one arm and of the other, for each seed, as the runs wrote them.
    :param rows: The examples, a `datasets.Dataset`.
    :param head: The head that answers.
    :param groups: What the examples are grouped by -> the group of each.
    """

    task: str
    metric: str
    changes: Changes
    answers: tuple[list[Sequence[Answer]], list[Sequence[Answer]]]
    rows: Any
    head: Head
    groups: Mapping[str, Sequence[str]]

    @property
    def clusters(self) -> list[str] | None:
        """The cluster of each example; None if the data has no clusters."""
        lines = self.answers[0][0]
        return [line["cluster"] for line in lines] if "cluster" in lines[0] else None

    @property
    def words(self) -> tuple[str, str]:
        """What became of an answer: fixed or broken, or improved or worsened if it can be partly right."""
        values = np.concatenate([self.changes.before, self.changes.after])
        return ("fixed", "broken") if np.isin(values, (0, 1)).all() else ("improved", "worsened")


def heads(tosses: int, least: int) -> float:
    """The probability of at least so many heads in so many tosses of a fair coin."""
    return sum(math.comb(tosses, each) for each in range(max(0, least), tosses + 1)) / 2**tosses


def contributions(answers: Sequence[Answer], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """[n] what each answer adds to a score of an additive kind, and [n] its weight."""
    items = np.array([line["items"][metric] for line in answers], dtype=np.float64).reshape(len(answers), -1)
    return items[:, 0], items[:, 1] if items.shape[1] > 1 else np.ones(len(items))
