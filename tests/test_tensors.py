import pytest
import torch

from manyheads.tensors import States, Tokens


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
