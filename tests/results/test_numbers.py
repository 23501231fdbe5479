import pytest

from manyheads.core.problems import counted
from manyheads.results import numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.9, "90.0"), (0.5, "50.0"), (1.0, "100.0"), (0.0, "0.0"), (-0.0, "0.0"), (-0.1, "−10.0"), (None, "undefined"),
        (0.0004, "0.04"), (-0.0004, "−0.04"), (0.0005, "0.1"), (0.00004, "0.0"), (-0.00004, "0.0"), (-1e-12, "0.0"),
    ],
)  # fmt: skip
def test_scores_are_shown_times_a_hundred_and_a_small_one_is_not_nothing(value, shown):
    assert numbers.points(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123, "+1.2"), (-0.0123, "−1.2"), (0.1, "+10.0"), (None, "–"), (0.0, "0.0"), (-0.0, "0.0"),
        (-0.0004, "−0.04"), (0.0002, "+0.02"), (-0.00001, "0.0"),
    ],
)  # fmt: skip
def test_differences_have_a_sign_unless_they_are_none(value, shown):
    assert numbers.gain(value) == shown


def test_more_decimals():
    assert [numbers.points(value, 2) for value in (0.912, -0.00004, -0.000001)] == ["91.20", "−0.004", "0.00"]
    assert numbers.gain(0.012, 2) == "+1.20"


@pytest.mark.parametrize(
    ("bounds", "signed", "shown"),
    [
        ((-0.0123, 0.02), False, "−1.2 to 2.0"), ((-0.0123, 0.02), True, "−1.2 to +2.0"),
        ((-0.0004, 0.0), True, "−0.04 to 0.0"), (None, False, "–"),
    ],
)  # fmt: skip
def test_intervals(bounds, signed, shown):
    assert numbers.interval(bounds, signed=signed) == shown


@pytest.mark.parametrize(
    ("p", "shown"), [(0.0, "< 0.001"), (0.00099, "< 0.001"), (0.001, "0.001"), (0.0204, "0.020"), (1.0, "1.000")]
)
def test_p_values(p, shown):
    assert numbers.p_value(p) == shown


@pytest.mark.parametrize(("part", "shown"), [(0.0, "0.0 %"), (-0.0, "0.0 %"), (0.1234, "12.3 %"), (1.0, "100.0 %")])
def test_shares(part, shown):
    assert numbers.share(part) == shown


@pytest.mark.parametrize(
    ("n", "shown"),
    [(0, "0"), (9_999, "9,999"), (-3, "−3"), (1_641_472, "1.64\xa0M"), (2.5e9, "2.5\xa0G"), (3e12, "3\xa0T")],
)
def test_large_counts_as_people_say_them(n, shown):
    assert numbers.short_count(n) == shown


def test_counts_and_durations():
    assert [counted(n, "arm") for n in (0, 1, 2, 1200)] == ["0 arms", "1 arm", "2 arms", "1,200 arms"]
    assert [numbers.minutes(seconds) for seconds in (0, 90, 360_000)] == ["0.0", "1.5", "6,000.0"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1234, -3], ["1,234", "−3"]), ([12.345, 0.5], ["12.3", "0.5"]), ([0.5, 0.25], ["0.500", "0.250"]),
        ([0.0], ["0.000"]), ([-0.00001, 0.5], ["0.000", "0.500"]), ([1500.0, 2], ["1,500.0", "2.0"]),
    ],
)  # fmt: skip
def test_the_numbers_of_a_column_are_alike(values, shown):
    show = numbers.alike(values)
    assert [show(value) for value in values] == shown
