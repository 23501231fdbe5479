"""The metrics against scikit-learn and scipy, values by hand, and that a resample is the same as scoring its items."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from manyheads.core.values import Measure
from manyheads.metrics.resampled import KINDS, placements, ranks, score, undefined


def pairs(seed, size, classes):
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, classes, size)
    predicted = np.where(generator.random(size) < 0.6, gold, generator.integers(0, classes, size))
    return np.stack([gold, predicted], axis=1).astype(np.float64)


def numbers(seed, size):
    generator = np.random.default_rng(seed)
    gold = generator.normal(size=size).round(1)
    return np.stack([gold, gold + generator.normal(size=size)], axis=1)


@pytest.mark.parametrize("classes", [2, 3, 17])
@pytest.mark.parametrize("seed", range(5))
def test_classes_agree_with_scikit_learn(classes, seed):
    items = pairs(seed, 200, classes)
    gold, predicted = items.T
    assert score(Measure("matthews", items)) == pytest.approx(oracle.matthews_corrcoef(gold, predicted), abs=1e-12)
    assert score(Measure("macro_f1", items)) == pytest.approx(
        oracle.f1_score(gold, predicted, average="macro"), abs=1e-12
    )
    if classes == 2:
        assert score(Measure("f1", items)) == pytest.approx(oracle.f1_score(gold, predicted), abs=1e-12)


def test_macro_f1_leaves_out_classes_that_do_not_occur_and_counts_those_only_predicted():
    items = np.array([[0, 0], [0, 4], [2, 2], [2, 0]], dtype=np.float64)
    expected = oracle.f1_score(items[:, 0], items[:, 1], average="macro")
    assert score(Measure("macro_f1", items)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1e6, 1.0), (-3.0, 1e-9), (0.0, 1e150)])
def test_correlations_agree_with_scipy(seed, shift, scale):
    items = numbers(seed, 150)
    moved = items * scale + shift
    expected = stats.pearsonr(*items.T).statistic
    tolerance = 1e-12 if shift == 0 else 1e-7  # what rounding left of the shifted numbers
    assert score(Measure("pearson", moved)) == pytest.approx(expected, abs=tolerance)
    if shift == 0:
        ranked = np.stack([ranks(column) for column in items.T], axis=1)
        assert score(Measure("pearson", ranked)) == pytest.approx(stats.spearmanr(*items.T).statistic, abs=1e-12)


def test_correlation_of_numbers_far_from_zero_keeps_its_digits():
    items = numbers(0, 100)
    moved = items + 2.0**30
    expected = stats.pearsonr(*(moved - 2.0**30).T).statistic
    assert score(Measure("pearson", moved)) == pytest.approx(expected, abs=1e-12)


def test_ranks_share_ties():
    assert ranks(np.array([10.0, 20, 10, 30])).tolist() == [1.5, 3, 1.5, 4]
    values = np.random.default_rng(0).integers(0, 20, 200)
    assert (ranks(values) == stats.rankdata(values)).all()


def test_area_under_the_curve_by_hand():
    # Of the six pairs of a positive and a negative, 4 stand in the right order and 1 is a tie: A = 4.5 / 6.
    items = placements(np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1, 0.5]))
    assert score(Measure("auc", items)) == pytest.approx(0.75)
    # Placements 1 and 1.5 / 3 of the positives, 1.5 / 2, 1 and 1 / 2 of the negatives, each less A / 2.
    assert items[:, 1] + 0.375 == pytest.approx([1, 0.75, 0.5, 1, 0.5])
    assert items[:, 0].tolist() == [1, 0, 1, 0, 0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [1, 12])
def test_area_under_the_curve_agrees_with_scikit_learn(seed, digits):
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, 2, 200)
    scores = (0.7 * gold + generator.normal(size=200)).round(digits)
    assert score(Measure("auc", placements(gold, scores))) == pytest.approx(
        oracle.roc_auc_score(gold, scores), abs=1e-12
    )
    assert score(Measure("auc", placements(1 - gold, -scores))) == pytest.approx(
        oracle.roc_auc_score(gold, scores), abs=1e-12
    )


def test_fixed_placements_vary_as_the_area_itself():
    """The standard deviation over resamples, with every resample ranked anew by scikit-learn, and with none."""
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 2, 300)
    scores = gold + generator.normal(size=300)
    draws = generator.integers(0, 300, (300, 300))
    anew = np.array([oracle.roc_auc_score(gold[draw], scores[draw]) for draw in draws])
    items = placements(gold, scores)
    fixed = np.array([score(Measure("auc", items[draw])) for draw in draws])
    assert np.corrcoef(anew, fixed)[0, 1] > 0.995
    assert fixed.std() == pytest.approx(anew.std(), rel=0.02)


def test_values_by_hand():
    items = np.array([[1, 1], [1, 1], [1, 0], [0, 1], [0, 0]], dtype=np.float64)
    assert score(Measure("f1", items)) == pytest.approx(4 / 6)
    assert score(Measure("macro_f1", items)) == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert score(Measure("matthews", items)) == pytest.approx((2 * 1 - 1 * 1) / 6)
    assert score(Measure("mean", np.array([[1.0], [0], [1], [1]]))) == 0.75
    assert score(Measure("ratio", np.array([[1.0, 2], [0, 0], [3, 6], [0, 2]]))) == pytest.approx(4 / 10)
    assert score(Measure("pearson", np.array([[0.0, 0], [1, 2], [2, 4]]))) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "items", "reason"),
    [
        ("mean", np.empty((0, 1)), "no examples"),
        ("mean", [[1.0], [np.nan]], "1 of 2 values are not finite"),
        ("matthews", [[0, 1], [1, 1], [0, 1]], "all predicted values are the same"),
        ("matthews", [[1, 1], [1, 0]], "all gold values are the same"),
        ("f1", [[0, 0], [0, 0]], "positive class"),
        ("ratio", [[0, 0], [0, 0]], "nothing to count"),
        ("auc", placements(np.ones(3), np.arange(3)), "all gold labels are the same"),
        ("auc", placements(np.zeros(3), np.arange(3)), "all gold labels are the same"),
        ("auc", placements(np.array([0, 1, 1]), np.array([1, np.nan, 2])), "1 of 3 values are not finite"),
        ("pearson", [[1, 0.1], [2, 0.1], [3, 0.1]], "all predicted values are the same"),
        ("pearson", [[1, 1]], "all gold and all predicted values are the same"),
    ],
)
def test_undefined_has_a_reason_and_is_never_zero(kind, items, reason):
    measure = Measure(kind, np.array(items, dtype=np.float64))
    assert score(measure) is None
    assert reason in undefined(measure)


def test_defined_has_no_reason():
    assert undefined(Measure("matthews", pairs(0, 50, 3))) is None


ITEMS = {
    "mean": numbers(1, 60)[:, :1],
    "mean_of_part": pairs(4, 60, 2),
    "ratio": np.cumsum(np.random.default_rng(5).integers(0, 4, (60, 2)), axis=1),
    "matthews": pairs(1, 60, 4),
    "macro_f1": pairs(2, 60, 4),
    "f1": pairs(3, 60, 2),
    "pearson": numbers(2, 60),
    "auc": placements(pairs(5, 60, 2)[:, 0], pairs(6, 60, 2)[:, 1] + pairs(5, 60, 2)[:, 1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_are_additive(kind):
    """A resample's score from summed statistics equals the score of the resampled items, for all resamples at once."""
    items, generator = ITEMS[kind], np.random.default_rng(0)
    draws = generator.integers(0, len(items), (40, len(items)))
    counts = np.stack([np.bincount(draw, minlength=len(items)) for draw in draws])
    statistics = KINDS[kind].statistics(items)
    assert statistics.shape[0] == len(items)
    found = KINDS[kind].value(counts @ statistics / len(items))
    assert found.shape == (40,)
    for draw, value in zip(draws, found, strict=True):
        assert value == pytest.approx(score(Measure(kind, items[draw])), abs=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_items_does_not_matter(kind):
    items = ITEMS[kind]
    shuffled = items[np.random.default_rng(1).permutation(len(items))]
    assert score(Measure(kind, shuffled)) == pytest.approx(score(Measure(kind, items)), abs=1e-12)


@pytest.mark.parametrize("kind", ["matthews", "pearson"])
def test_a_resample_of_one_value_is_undefined_not_a_rounding_error(kind):
    items = ITEMS[kind]
    statistics = KINDS[kind].statistics(items)
    for row in range(len(items)):
        weights = np.zeros(len(items))
        weights[row] = 7
        assert np.isnan(KINDS[kind].value((weights @ statistics) * (1 / 7)))


def test_mean_of_part_by_hand():
    items = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.5, 1.0]])
    assert score(Measure("mean_of_part", items)) == pytest.approx(0.5)
    assert score(Measure("mean_of_part", items * [1.0, 0.0])) is None
