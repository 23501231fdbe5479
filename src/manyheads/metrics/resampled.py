"""The metrics, as functions of sums over items, so that a comparison can recompute them on any resample.

Scores of batches are never averaged: each kind says which additive statistics an item has, and how the score follows
from their mean. A resample is then a weighted mean of rows, thousands at once. Numpy only.

C: number of classes, taken from the data. n items, k numbers per item, m statistics per item.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from manyheads.core.values import Measure

# Means of resamples are not exact: k ones times 1/k may be 0.9999999999999999. A real spread is at least 2/n.
_NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class Kind:
    """How items become a score.

    :param statistics: [n, k] items to [n, m] statistics, one row per item, that may be summed over any items.
    :param value: [..., m] means of the statistics to [...] scores, nan where the score is undefined.
    """

    statistics: Callable[[np.ndarray], np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]


def ranks(values: np.ndarray) -> np.ndarray:
    """[n] each value's rank from 1 on; equal values share the mean of their ranks."""
    return scipy.stats.rankdata(values)  # loads scipy.stats, which takes half a second, when it is first called


def placements(gold: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[n, 2] the items of `auc`: whether the example is positive, and its placement among the other class, centred.

    The placement of a positive is the share of the negatives with a lower score, that of a negative the share of the
    positives with a higher one; ties count half. Its mean over either class is the area under the ROC curve (A), so
    that the means over both classes, less A, vary over resamples as the area does but for terms of order 1 / n: DeLong,
    DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated ROC curves", Biometrics 44, 1988. From
    each placement A / 2 is taken away beforehand.

    :param gold: [n] 1 for the positive class, 0 for the other.
    :param scores: [n] larger means more surely positive.
    """
    positive, scores = np.asarray(gold) == 1, np.asarray(scores, dtype=np.float64)
    found = np.zeros(len(scores))
    if positive.any() and not positive.all() and np.isfinite(scores).all():
        of_all, negative = ranks(scores), ~positive
        found[positive] = (of_all[positive] - ranks(scores[positive])) / negative.sum()
        found[negative] = 1 - (of_all[negative] - ranks(scores[negative])) / positive.sum()
        found -= found[positive].mean() / 2
    found[~np.isfinite(scores)] = np.nan
    return np.stack([positive.astype(np.float64), found], axis=1)


def _one_hot(classes: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(classes[:, None] == np.arange(count), dtype=np.float64)


def _gold_and_predicted(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[n, C] each, one-hot, from (gold index, predicted index)."""
    count = int(items.max()) + 1 if items.size else 1
    return _one_hot(items[:, 0], count), _one_hot(items[:, 1], count)


def _divide(above: np.ndarray, below: np.ndarray, defined: np.ndarray) -> np.ndarray:
    return np.where(defined, above / np.where(defined, below, 1.0), np.nan)


def _mean_statistics(items: np.ndarray) -> np.ndarray:
    return items[:, :1]


def _mean_value(means: np.ndarray) -> np.ndarray:
    return means[..., 0]


def _mean_of_part_statistics(items: np.ndarray) -> np.ndarray:
    return np.stack([items[:, 0] * items[:, 1], items[:, 1]], axis=1)


def _mean_of_part_value(means: np.ndarray) -> np.ndarray:
    return _divide(means[..., 0], means[..., 1], means[..., 1] > 0)


def _ratio_statistics(items: np.ndarray) -> np.ndarray:
    return items[:, :2]


def _ratio_value(means: np.ndarray) -> np.ndarray:
    return _divide(means[..., 0], means[..., 1], means[..., 1] > 0)


def _matthews_statistics(items: np.ndarray) -> np.ndarray:
    gold, predicted = _gold_and_predicted(items)
    correct = (items[:, :1] == items[:, 1:2]).astype(np.float64)
    return np.concatenate([correct, gold, predicted], axis=1)


def _matthews_value(means: np.ndarray) -> np.ndarray:
    """Gorodkin 2004: (c - sum p_k t_k) / sqrt((1 - sum p_k^2)(1 - sum t_k^2)); c correct, t gold, p predicted.

    The whole table of confusions is not needed: 2 C + 1 statistics do, where a one-hot table has C * C.
    """
    count = (means.shape[-1] - 1) // 2
    correct, gold, predicted = means[..., 0], means[..., 1 : count + 1], means[..., count + 1 :]
    spread_gold = 1 - (gold**2).sum(-1)
    spread_predicted = 1 - (predicted**2).sum(-1)
    defined = (spread_gold > _NO_SPREAD) & (spread_predicted > _NO_SPREAD)
    below = np.sqrt(np.where(defined, spread_gold * spread_predicted, 1.0))
    return _divide(correct - (gold * predicted).sum(-1), below, defined)


def _f1_statistics(items: np.ndarray) -> np.ndarray:
    gold, predicted = items[:, 0] == 1, items[:, 1] == 1
    return np.stack([gold & predicted, gold, predicted], axis=1).astype(np.float64)


def _f1_value(means: np.ndarray) -> np.ndarray:
    both, below = means[..., 0], means[..., 1] + means[..., 2]
    return _divide(2 * both, below, below > 0)


def _macro_f1_statistics(items: np.ndarray) -> np.ndarray:
    gold, predicted = _gold_and_predicted(items)
    return np.concatenate([gold * predicted, gold, predicted], axis=1)


def _macro_f1_value(means: np.ndarray) -> np.ndarray:
    """The mean over the classes that occur, in the gold labels or the predictions, as scikit-learn has it."""
    both, gold, predicted = np.split(means, 3, axis=-1)
    below = gold + predicted
    per_class = 2 * both / np.where(below > 0, below, 1.0)
    occurring = (below > 0).sum(-1)
    return _divide(per_class.sum(-1), occurring, occurring > 0)


def _auc_statistics(items: np.ndarray) -> np.ndarray:
    positive, placement = items[:, 0] == 1, items[:, 1]
    return np.stack([positive, positive * placement, ~positive * placement], axis=1).astype(np.float64)


def _auc_value(means: np.ndarray) -> np.ndarray:
    positive, above, below = np.moveaxis(means, -1, 0)
    defined = (positive > _NO_SPREAD) & (positive < 1 - _NO_SPREAD)
    return _divide(above, positive, defined) + _divide(below, 1 - positive, defined)


def _pearson_statistics(items: np.ndarray) -> np.ndarray:
    # Centred and scaled before squaring, or 1e9 + 0.001 would lose all its digits. First minus the minimum, so that
    # a constant becomes exactly 0 and not the rounding error of its mean.
    centred = items - items.min(axis=0)
    centred = centred - centred.mean(axis=0) * (centred.max(axis=0) > 0)
    scale = np.abs(centred).max(axis=0)
    x, y = (centred / np.where(scale > 0, scale, 1.0)).T
    return np.stack([x, y, x * x, y * y, x * y], axis=1)


def _pearson_value(means: np.ndarray) -> np.ndarray:
    x, y, xx, yy, xy = np.moveaxis(means, -1, 0)
    spread_x, spread_y = xx - x * x, yy - y * y
    defined = (spread_x > _NO_SPREAD * xx) & (spread_y > _NO_SPREAD * yy)
    below = np.sqrt(np.where(defined, spread_x, 1.0)) * np.sqrt(np.where(defined, spread_y, 1.0))
    return np.clip(_divide(xy - x * y, below, defined), -1.0, 1.0)


KINDS: dict[str, Kind] = {
    "mean": Kind(_mean_statistics, _mean_value),
    "mean_of_part": Kind(_mean_of_part_statistics, _mean_of_part_value),
    "ratio": Kind(_ratio_statistics, _ratio_value),
    "matthews": Kind(_matthews_statistics, _matthews_value),
    "f1": Kind(_f1_statistics, _f1_value),
    "macro_f1": Kind(_macro_f1_statistics, _macro_f1_value),
    "pearson": Kind(_pearson_statistics, _pearson_value),
    "auc": Kind(_auc_statistics, _auc_value),
}
"""Items: `mean` (number), `mean_of_part` (number, 1 if it counts), `ratio` (part, whole: the parts' sum over that of
the wholes; for the F1 of chunks 2 correct, found + gold), `matthews` and `macro_f1` (gold index, predicted index), `f1`
(the same, where 1 is the positive class), `pearson` (x, y), `auc` (what `placements` gives). Spearman's correlation is
`pearson` on `ranks`: in a resample the ranks of the whole sample stay fixed, and so do the placements of `auc`. Ranking
every resample anew would cost a sort for each and change the interval little.
"""


def score(measure: Measure) -> float | None:
    """The metric over all its items; None where it is undefined (see `undefined`), never 0 and never nan."""
    if len(measure.items) == 0 or not np.isfinite(measure.items).all():
        return None
    kind = KINDS[measure.kind]
    value = float(kind.value(kind.statistics(measure.items).mean(axis=0)))
    return value if np.isfinite(value) else None


def undefined(measure: Measure) -> str | None:
    """Why the metric has no value, in words; None if it has one."""
    if score(measure) is not None:
        return None
    items = measure.items
    if len(items) == 0:
        return "there are no examples"
    if not np.isfinite(items).all():
        return f"{int((~np.isfinite(items)).any(axis=1).sum())} of {len(items)} values are not finite"
    if measure.kind == "f1":
        return "the positive class occurs neither in the gold labels nor in the predictions"
    if measure.kind == "ratio":
        return "there is nothing to count in any example"
    if measure.kind == "auc":
        return "all gold labels are the same"
    constant = [
        name for name, column in zip(("gold", "predicted"), items.T, strict=False) if column.min() == column.max()
    ]
    return f"all {' and all '.join(constant) or 'resampled'} values are the same"
