import random
from collections import Counter

import pytest

from manyheads.sampling.proportional import Proportional

SIZES = {"mnli": 25, "mrpc": 3, "cola": 7}


def sampling() -> Proportional:
    return Proportional(SIZES, dict.fromkeys(SIZES, "classification"))


def test_every_batch_of_an_epoch_is_seen_exactly_once():
    for epoch in range(3):
        assert Counter(sampling().plan(epoch, random.Random(epoch))) == {(task,): n for task, n in SIZES.items()}


def test_plan_depends_on_the_generator_only():
    assert sampling().plan(0, random.Random(1)) == sampling().plan(5, random.Random(1))
    assert sampling().plan(0, random.Random(1)) != sampling().plan(0, random.Random(2))


def test_tasks_are_mixed_and_not_in_blocks():
    # Each place in the epoch holds mrpc with probability 3 / 35.
    first = [sampling().plan(0, random.Random(seed))[0] for seed in range(2000)]
    assert first.count(("mrpc",)) / 2000 == pytest.approx(3 / 35, abs=0.02)


def test_shares_are_proportional_to_size():
    assert sampling().expected_shares() == pytest.approx({"mnli": 25 / 35, "mrpc": 3 / 35, "cola": 7 / 35})
    assert sampling().expected_steps() == 35
