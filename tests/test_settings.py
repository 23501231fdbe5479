"""Whatever a setting of a method found is given: `check` refuses it, or it trains. See `support/settings_battery`."""

from collections import Counter

import pytest
from settings_battery import battery, shown
from tiny_encoders import make_family

from manyheads import registry
from manyheads.core.settings import check, odd_numbers

FAMILIES = [*registry.FAMILIES, "study"]
GOOD = ("refused", "trained", "planned")
SETTINGS = [
    (family, name, setting)
    for family in registry.FAMILIES
    for name in registry.names(family)
    for setting in registry.describe(family, name).settings
]


def wrong(families: list[str], encoder, share: int) -> list[str]:
    outcomes = list(battery(families, encoder, share=share))
    print(len(outcomes), dict(Counter(one.kind for one in outcomes)))
    assert outcomes
    return [
        f"{one.kind}: {one.trial.method} {one.trial.setting} = {shown(one.trial.value)}: {one.text}"
        for one in outcomes
        if one.kind not in GOOD
    ]


@pytest.mark.parametrize("number", [-0.0, float("nan"), float("inf"), float("-inf")], ids=repr)
@pytest.mark.parametrize(("family", "name", "setting"), SETTINGS, ids=lambda one: getattr(one, "name", one))
def test_a_number_that_is_no_amount_is_refused(family, name, setting, number):
    for value in (number, {"a": number}):
        assert check(setting.type, value, setting.name, {"tasks": ["a"]})


def test_a_number_of_no_known_type_is_finite():
    assert check(object, float("nan"), "x", {}) or odd_numbers(float("nan"), object, "x")


def test_some_values_of_the_training_tables():
    assert wrong(["study"], None, 300) == []


def test_some_values_of_some_methods():
    assert wrong(["weighting", "sampling", "sharing"], None, 300) == []


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_value_of_every_setting(family, tmp_path):
    assert wrong([family], make_family("bert", tmp_path / "tiny"), 1) == []
