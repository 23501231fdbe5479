"""Attention without padding: how sequences are grouped, and that half precision computes the same attention."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close

from manyheads.encoders import _packed
from manyheads.encoders._packed import Packing, packed_attention

CPU = torch.device("cpu")
LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=12)


def test_packing_by_hand(monkeypatch):
    # Overhead of 100 entries: 3 and 2 (rounded up to 16) and 17 (to 32). Together 3 x 32^2 + 100 = 3,172; apart
    # 2 x 16^2 + 32^2 + 200 = 1,736.
    monkeypatch.setattr(_packed, "OVERHEAD", 100)
    packing = Packing.of([3, 17, 2], CPU)
    assert packing.shapes == ((2, 16), (1, 32))
    assert packing.places.tolist() == [0, 1, 2, *range(32, 49), 16, 17]
    assert packing.size == 64
    hidden = -torch.inf
    assert packing.masks[0][:, 0, 0].tolist() == [[0] * 3 + [hidden] * 13, [0] * 2 + [hidden] * 14]
    # When a call costs more than the entries it saves, there is one.
    monkeypatch.setattr(_packed, "OVERHEAD", 2000)
    assert Packing.of([3, 17, 2], CPU).shapes == ((3, 32),)


def test_a_full_rectangle_needs_no_mask():
    assert Packing.of([16, 16], CPU).masks == (None,)


@given(LENGTHS)
@settings(max_examples=60, deadline=None)
def test_no_other_stretches_would_cost_less(lengths):
    def cost(groups):
        sizes = [-(-max(group) // _packed.MULTIPLE) * _packed.MULTIPLE for group in groups]
        return sum(_packed.OVERHEAD + len(group) * size**2 for group, size in zip(groups, sizes, strict=True))

    ours = [[lengths[index] for index in group] for group in _packed._groups(lengths)]
    assert sorted(length for group in ours for length in group) == sorted(lengths)
    ordered = sorted(lengths)[:8]
    best = min(
        cost([ordered[a:b] for a, b in zip((0, *cuts), (*cuts, len(ordered)), strict=True)])
        for number in range(len(ordered))
        for cuts in combinations(range(1, len(ordered)), number)
    )
    assert cost([[ordered[index] for index in group] for group in _packed._groups(ordered)]) == best


@given(LENGTHS)
@settings(max_examples=60, deadline=None)
def test_every_token_has_a_place_of_its_own(lengths):
    packing = Packing.of(lengths, CPU)
    places = packing.places.tolist()
    assert len(set(places)) == len(places) == sum(lengths)
    assert max(places) < packing.size
    for length, part in zip(lengths, packing.places.split(lengths), strict=True):
        assert part.tolist() == list(range(int(part[0]), int(part[0]) + length))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_attention_and_its_gradients_equal_each_sequence_by_itself(dtype, tolerance):
    lengths = (5, 40, 1, 33, 40)
    torch.manual_seed(0)
    whole = torch.randn(sum(lengths), 3, 2, 16).to(dtype).requires_grad_()
    weights = torch.randn(sum(lengths), 2, 16)
    output = packed_attention(whole, Packing.of(lengths, CPU), scale=0.25)
    (output.float() * weights).sum().backward()
    exact = whole.detach().float().requires_grad_()
    # [T, 3, H, d] -> 3 x [H, T, d] for each sequence.
    parts = [part.permute(1, 2, 0, 3) for part in exact.split(lengths)]
    expected = torch.cat([scaled_dot_product_attention(*three).transpose(0, 1) for three in parts])
    (expected * weights).sum().backward()
    assert output.dtype == whole.grad.dtype == dtype
    assert_close(output.float(), expected, rtol=tolerance, atol=tolerance)
    assert_close(whole.grad.float(), exact.grad, rtol=tolerance, atol=2 * tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_of_attention_is_on_average_none(dtype):
    torch.manual_seed(0)
    three, packing = torch.randn(24, 3, 2, 8).to(dtype), Packing.of((24,), CPU)
    plain = packed_attention(three, packing, scale=0.35)
    draws = [packed_attention(three, packing, scale=0.35, dropout=0.2).float() for _ in range(400)]
    assert not torch.equal(draws[0], draws[1])
    assert_close(torch.stack(draws).mean(0), plain.float(), rtol=0, atol=0.1)
