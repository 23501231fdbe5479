import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from steady import STEADY

from manyheads.core.tensors import States, Tokens, padding_for


def states(*lengths: int) -> States:
    total = sum(lengths)
    return States((torch.zeros(total, 2), torch.arange(2.0 * total).view(total, 2)), lengths)


def test_first_mean_and_mask_by_hand():
    given = states(1, 3)
    assert given.first().tolist() == [[0, 1], [2, 3]]
    assert given.pooled("mean").tolist() == [[0, 1], [4, 5]]
    assert torch.equal(given.pooled("first"), given.first())
    assert given.mask().tolist() == [[True, False, False], [True, True, True]]
    assert given.padded(given.last, fill=-1.0)[0].tolist() == [[0, 1], [-1, -1], [-1, -1]]


def test_join_and_split_undo_each_other():
    parts = [Tokens(torch.arange(n), torch.zeros(n, dtype=torch.long), (n - 1, 1)) for n in (3, 5)]
    joined = Tokens.join(parts)
    assert joined.lengths == (2, 1, 4, 1)
    first, second = States((joined.ids[:, None].float(),), joined.lengths).split([2, 2])
    assert (first.lengths, second.lengths) == ((2, 1), (4, 1))
    assert second.last[:, 0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("how", ["first", "mean"])
def test_a_sequence_pools_by_itself(how):
    both, alone = states(2, 3), states(2)
    assert torch.equal(both.pooled(how)[0], alone.pooled(how)[0])


def test_padding_by_hand():
    assert [padding_for(count) for count in (16, 17, 200, 2047, 2048, 2049, 5000)] == [0, 15, 8, 1, 0, 31, 56]


def test_padding_leaves_few_numbers_and_adds_little():
    counts = range(128, 4097)
    assert len({count + padding_for(count) for count in counts}) <= 200
    assert max(padding_for(count) / count for count in counts) < 0.12
    assert sum(padding_for(count) / count for count in counts) / len(counts) < 0.02


def test_filler_is_sequences_of_its_own_that_split_leaves_out():
    tokens = Tokens(torch.tensor([5, 6, 7, 8, 9]), torch.tensor([0, 0, 1, 0, 1]), (3, 2))
    filled = tokens.filled()
    assert len(filled.ids) == sum(filled.lengths) == 16
    assert max(filled.lengths) == 3
    assert filled.ids[:5].tolist() == tokens.ids.tolist()
    (back,) = States((filled.ids[:, None].float(),), filled.lengths).split([2])
    assert (back.lengths, back.last[:, 0].tolist()) == ((3, 2), [5, 6, 7, 8, 9])


def test_positions_count_anew_in_each_sequence():
    assert Tokens(torch.zeros(6).long(), torch.zeros(6).long(), (3, 1, 2)).positions.tolist() == [0, 1, 2, 0, 0, 1]


@STEADY
@given(tokens=st.integers(1, 100_000))
def test_padding_of_a_pass_is_small(tokens):
    assert 0 <= padding_for(tokens) <= max(64, tokens // 8)
