import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.core.values import Measure
from manyheads.metrics.resampled import score
from manyheads.results.intervals import Spread, holm, resample, spread

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "simulated_studies.py"


@pytest.fixture(scope="module")
def simulated():
    """The simulation behind docs/results/comparison.md; there at full size, here smaller."""
    spec = importlib.util.spec_from_file_location("simulated_studies", BENCHMARK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulated_studies"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def ones(count, of):
    return Measure("mean", np.repeat([1.0, 0.0], [count, of - count])[:, None])


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04; never below the one before
    assert holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])


def test_holm_does_not_count_what_has_no_p():
    assert holm([None, 0.03, None]) == [None, 0.03, None]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_variance_components_of_two_seeds_and_two_items_by_hand():
    # Items (1, 0) under both seeds, plus 1 for the second seed: scores .5 and 1.5. The four equally likely resamples of
    # two items give 0, .5, .5, 1 (plus 1): variance 1/8, times 2 / (2 - 1) = 1/4 for each seed and for their mean.
    resampled = np.array([[0.0, 1.0], [0.5, 1.5], [0.5, 1.5], [1.0, 2.0]])
    found = spread(np.array([0.5, 1.5]), resampled, units=2)
    assert found == Spread(value=1.0, seeds=2, units=2, between=0.5, own=0.0, shared=0.25)
    assert found.items_only == 0.25

    # Opposite items: the mean over seeds is .5 in every resample, so all the variance is each seed's own.
    resampled = np.array([[0.0, 1.0], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    found = spread(np.array([0.5, 0.5]), resampled, units=2)
    assert found == Spread(value=0.5, seeds=2, units=2, between=0.0, own=0.5, shared=0.0)
    assert found.items_only == 0.25  # half of .5, as a test of these two seeds has it; yet not of the method


def test_half_width_by_hand():
    # A = .0003 / 3 = .0001, B = .0003: (.0001 * 4.302653 + .0003 * 1.962339) / .02
    found = Spread(value=0.0, seeds=3, units=1001, between=0.0003, own=0.0, shared=0.0003)
    assert found.half_width() == pytest.approx((0.0001 * 4.302653 + 0.0003 * 1.962339) / 0.02, rel=1e-5)


def test_seeds_needed_by_hand():
    # t[k - 1] * .01 / sqrt(k) <= .01 needs t[k - 1] <= sqrt(k): k = 6 has 2.571 > 2.449, k = 7 has 2.447 < 2.646
    found = Spread(value=0.0, seeds=3, units=1000, between=0.0001, own=0.0, shared=0.0)
    assert found.seeds_needed(0.01) == 7


def test_more_seeds_do_not_help_where_the_test_set_is_too_small():
    found = Spread(value=0.0, seeds=3, units=1000, between=0.0001, own=0.0, shared=0.01**2)
    assert found.seeds_needed(0.019) is None  # 1.96 * .01 is more
    assert found.seeds_needed(0.025) is not None


# ---- oracles ---------------------------------------------------------------------------------------------------------


def test_without_seed_noise_it_is_the_normal_interval_of_a_share():
    n, right = 2000, 1700
    scores, resampled = resample([ones(right, n)] * 3, None, resamples=4000)
    found = spread(scores, resampled, n)
    assert found is not None
    expected = scipy.stats.norm.ppf(0.975) * math.sqrt(0.85 * 0.15 / n)
    assert found.value == 0.85
    assert found.half_width() == pytest.approx(expected, rel=0.04)  # 4000 resamples know an sd to 1.1 %


def test_without_item_noise_it_is_the_t_interval_and_the_t_test_over_seeds():
    differences = np.array([0.011, 0.004, 0.009, 0.013, 0.002])
    found = spread(differences, np.tile(differences, (100, 1)), 1000)
    assert found is not None
    test = scipy.stats.ttest_1samp(differences, 0)
    low, high = test.confidence_interval()
    assert found.interval() == pytest.approx((low, high))
    assert found.p() == pytest.approx(test.pvalue, rel=1e-6)


def test_with_items_alone_it_is_the_paired_t_test_over_items():
    rng = np.random.default_rng(1)
    ours, theirs = (rng.random((2, 3000)) < [[0.87], [0.85]]).astype(float)
    scores, resampled = resample([Measure("mean", x[:, None]) for x in (ours, theirs)], None, resamples=4000)
    found = spread(scores[:1] - scores[1:], resampled[:, :1] - resampled[:, 1:], 3000)
    assert found is not None
    low, high = scipy.stats.ttest_rel(ours, theirs).confidence_interval()
    assert found.half_width() == pytest.approx((high - low) / 2, rel=0.04)
    assert found.p() is None  # one seed is no test of a method


def test_clusters_are_drawn_whole():
    # Ten copies of each of 200 items hold no more than the 200 items.
    rng = np.random.default_rng(0)
    single = (rng.random((200, 1)) < 0.7).astype(float)
    copies, groups = np.repeat(single, 10, axis=0), np.repeat(np.arange(200), 10)
    alone = resample([Measure("mean", single)], None, resamples=500)
    together = resample([Measure("mean", copies)], groups, resamples=500)
    assert together[0] == alone[0]
    assert np.allclose(together[1], alone[1])
    assert resample([Measure("mean", copies)], None, resamples=500)[1].std() < 0.5 * alone[1].std()


def test_every_kind_is_scored_as_metrics_does_and_on_the_same_resamples():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, (400, 2)).astype(float)
    kinds = ["pearson", "mean", "macro_f1", "mean", "matthews", "f1"]
    measures = [Measure(kind, classes[:, :1] if kind == "mean" else classes) for kind in kinds]
    scores, resampled = resample(measures, None, resamples=50)
    assert scores == pytest.approx([score(measure) for measure in measures])
    assert np.array_equal(resampled[:, 1], resampled[:, 3])
    drawn = np.random.default_rng(0).integers(0, 400, (50, 400))
    again = [score(Measure("macro_f1", classes[row])) for row in drawn]
    assert resampled[:, 2] == pytest.approx(again)


def test_statistics_too_large_for_memory_are_done_in_portions(monkeypatch):
    rng = np.random.default_rng(0)
    measures = [Measure("macro_f1", rng.integers(0, 5, (100, 2)).astype(float)) for _ in range(7)]
    whole = resample(measures, None, resamples=30)
    monkeypatch.setattr("manyheads.results.intervals._PASS", 4000)
    monkeypatch.setattr("manyheads.results.intervals._CHUNK", 1000)
    parts = resample(measures, None, resamples=30)
    assert np.array_equal(whole[0], parts[0])
    assert parts[1][:10] == pytest.approx(whole[1][:10])


# ---- edges -----------------------------------------------------------------------------------------------------------


def test_a_score_undefined_in_many_resamples_has_no_spread():
    resampled = np.array([[0.1], [np.nan], [0.2], [0.3]])
    assert spread(np.array([0.2]), resampled, 10) is None


def test_identical_answers_differ_by_nothing():
    found = spread(np.zeros(3), np.zeros((100, 3)), 500)
    assert found is not None
    assert (found.interval(), found.p(), found.missable()) == ((0.0, 0.0), 1.0, 0.0)


def test_one_item_tells_nothing():
    found = spread(np.array([1.0, 1.0]), np.ones((10, 2)), 1)
    assert found is not None
    assert found.interval() is None
    assert found.p() is None


def test_a_claim_is_never_surer_than_the_items_allow():
    # Three seeds agree by luck: the t test over seeds says p = .0003; one item more or less says nothing.
    scores = np.array([0.0100, 0.0101, 0.0099])
    found = Spread(float(scores.mean()), 3, 400, float(scores.var(ddof=1)), own=3 * 0.01**2, shared=0.0)
    assert scipy.stats.ttest_1samp(scores, 0).pvalue < 0.001
    assert found.p() == pytest.approx(2 * scipy.stats.t.sf(1, 399))
    assert found.missable() == pytest.approx(0.01 + scipy.stats.t.ppf(0.975, 399) * 0.01)


def test_five_items_cannot_prove_anything():
    found = spread(np.ones(3), np.ones((10, 3)), 5)
    assert found is not None
    assert found.p() == 2**-4


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_order_and_lies_between_p_and_bonferroni(p):
    adjusted = holm(p)
    assert all(value <= other <= min(1.0, len(p) * value) + 1e-12 for value, other in zip(p, adjusted, strict=True))
    assert sorted(range(len(p)), key=lambda i: (p[i], i)) == sorted(range(len(p)), key=lambda i: (adjusted[i], p[i], i))


@settings(deadline=None, max_examples=50)
@given(
    st.floats(-0.1, 0.1), st.integers(2, 10), st.integers(2, 10_000),
    st.floats(1e-8, 1e-2), st.floats(0, 1e-2), st.floats(0, 1e-2),
)  # fmt: skip
def test_p_below_a_level_means_that_its_interval_excludes_zero(value, seeds, units, between, own, shared):
    found = Spread(value, seeds, units, between, own, shared)
    p = found.p()
    assert p is not None
    if p < 0.05:
        assert abs(value) > found.half_width(0.05)
    assert found.half_width(0.01) > found.half_width(0.05)
    assert found.missable() >= abs(value) + found.half_width(0.05)


# ---- the promise -----------------------------------------------------------------------------------------------------


def above(share: float, count: int) -> float:
    """The percentage that a binomial share exceeds with probability 0.001 only."""
    return 100 * float(scipy.stats.binom.ppf(0.999, count, share)) / count


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "seed_sd"), [(3, 0.01), (5, 0.003), (10, 0.005)])
def test_studies_without_an_effect_seldom_claim_one(simulated, seeds, seed_sd):
    count = 40 if seeds == 10 else 80
    found = simulated.claims(np.random.default_rng(2), seeds, seed_sd, studies=count, resamples=150)
    assert found.family <= above(0.05, count)
    assert found.single <= above(0.05, count)


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "seeds"), [("ACCURACY", 3), ("ACCURACY", 10), ("MATTHEWS", 5), ("SQUAD", 5)])
def test_intervals_cover_a_planted_difference(simulated, metric, seeds):
    task = getattr(simulated, metric)
    found = simulated.coverage(np.random.default_rng(3), task, seeds, 0.005, studies=200, resamples=200)
    assert 100 - above(0.07, 200) <= found.ours


@pytest.mark.slow
def test_a_test_set_in_passages_must_be_resampled_by_passage(simulated):
    found = simulated.coverage(np.random.default_rng(4), simulated.SQUAD, 10, 0.003, studies=200, resamples=200)
    assert found.ours >= 100 - above(0.07, 200)
    assert found.independent < 90
    assert found.seeds_alone < 80


def test_a_large_gain_is_found(simulated):
    found = simulated.claims(np.random.default_rng(5), 5, 0.003, studies=20, resamples=200, arms=1, effect=0.05)
    assert found.helps > 80
