"""A pass over a task holds every example once, and the next holds them in another order."""

from hypothesis import given
from hypothesis import strategies as st
from steady import STEADY

from manyheads.data.batches import TrainingData


@STEADY
@given(count=st.integers(1, 60), size=st.integers(1, 20), seed=st.integers(0, 2**40))
def test_a_pass_holds_every_example_once_and_the_next_in_another_order(count, size, seed):
    data = TrainingData("task", [None] * count, size, seed)
    passes = [[row for at in range(data.per_pass) for row in data.rows(n * data.per_pass + at)] for n in range(3)]
    for one in passes:
        assert sorted(one) == list(range(count))
    assert data.rows(0) == TrainingData("task", [None] * count, size, seed).rows(0)
    if count > 30:
        assert passes[0] != passes[1] != passes[2]
        assert passes[0] != [
            row for at in range(data.per_pass) for row in TrainingData("other", [None] * count, size, seed).rows(at)
        ]
