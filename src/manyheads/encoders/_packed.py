"""Attention over sequences that lie one after another without padding.

Linear layers see N real tokens; only the attention itself, a few per cent of the work, sees rectangles: sequences of
near length form a group, and each group is one call of torch's scaled dot-product attention.

Takes the place of the forward pass of transformers' self-attention modules (`replace_attention`), which then take
[1, N, D] states and `packing=` as a keyword. Shapes: N tokens, D width, H heads, d width of a head, P tokens with
padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from manyheads.encoders._linear import linear

MULTIPLE = 16
"""Lengths are rounded up to a multiple of this, so that few distinct shapes occur."""
OVERHEAD = 6_000
"""What one more call of the attention costs, counted in entries of the matrix of scores."""
SOFTMAX_BACKWARD = getattr(torch.ops.aten, "_softmax_backward_data", None)
"""A private operator of torch; without it attention in bfloat16 is torch's own, which is slower."""


@dataclass(frozen=True)
class Packing:
    """How N tokens lie in padded rectangles.

    :param places: [N] where each token goes among the P padded places.
    :param shapes: (sequences, length) of each rectangle, one after another in P.
    :param masks: [sequences, 1, 1, length] what to add to the scores of each rectangle: 0 at real tokens, minus
        infinity elsewhere; None where all are real.
    """

    places: Tensor
    shapes: tuple[tuple[int, int], ...]
    masks: tuple[Tensor | None, ...]

    @staticmethod
    def of(lengths: Sequence[int], device: torch.device) -> "Packing":
        """Group sequences of these lengths, each kept whole."""
        starts, shapes, masks, at = np.zeros(len(lengths), np.int64), [], [], 0
        for group in _groups(lengths):
            real = np.array([lengths[index] for index in group])
            longest = -(-int(real.max()) // MULTIPLE) * MULTIPLE
            starts[group] = at + longest * np.arange(len(group))
            at += longest * len(group)
            shapes.append((len(group), longest))
            masks.append(_mask(real, longest, device))
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)
        return Packing(torch.from_numpy(places).to(device), tuple(shapes), tuple(masks))

    @property
    def size(self) -> int:
        """P"""
        return sum(rows * length for rows, length in self.shapes)


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """Sequences that share a rectangle, such that calls and entries of the scores cost least together.

    Of the sequences in order of their length, each group is a stretch. `best[i]` is the least cost of the first i
    distinct lengths: the least over j of best[j] + overhead + (sequences from j to i) x (length i)^2.
    """
    by_length: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        by_length.setdefault(-(-length // MULTIPLE) * MULTIPLE, []).append(index)
    sizes = sorted(by_length)
    best, cuts = [0], []
    for i, size in enumerate(sizes):
        costs, rows = [], 0
        for j in range(i, -1, -1):
            rows += len(by_length[sizes[j]])
            costs.append((best[j] + OVERHEAD + rows * size**2, j))
        cost, cut = min(costs)
        best.append(cost)
        cuts.append(cut)
    groups, end = [], len(sizes)
    while end:
        groups.append([index for size in sizes[cuts[end - 1] : end] for index in by_length[size]])
        end = cuts[end - 1]
    return groups[::-1]


def _mask(lengths: np.ndarray, longest: int, device: torch.device) -> Tensor | None:
    if lengths.min() == longest:
        return None
    hidden = torch.from_numpy(np.arange(longest) >= lengths[:, None])
    return torch.zeros(hidden.shape).masked_fill_(hidden, -torch.inf)[:, None, None, :].to(device)


class _Pad(torch.autograd.Function):
    """[N, ...] -> [P, ...]. Its own function because autograd's indexing would add where nothing ever collides."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor, size: int) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(places)
        return values.new_zeros(size, *values.shape[1:]).index_copy_(0, places, values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (places,) = ctx.saved_tensors
        return gradient.index_select(0, places), None, None


class _Unpad(torch.autograd.Function):
    """[P, ...] -> [N, ...], the inverse."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(places)
        ctx.size = values.shape[0]
        return values.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (places,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.size, *gradient.shape[1:]).index_copy_(0, places, gradient), None


class _HalfAttention(torch.autograd.Function):
    """softmax(scale Q K^T + mask) V in bfloat16 as five batched products, [B, T, d] each.

    The backward pass of torch's own attention in bfloat16 takes nine times as long on a CPU as in single precision, and
    that twice as long as these products. As in `transformers`' eager attention, the scores are rounded to bfloat16.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        scores = torch.baddbmm(query.new_empty(1), query, key.transpose(1, 2), beta=0, alpha=scale)
        if mask is not None:
            scores.view(mask.shape[0], -1, *scores.shape[1:]).add_(mask.to(scores.dtype))
        shares = torch.softmax(scores, -1)
        ctx.save_for_backward(query, key, value, shares)
        ctx.scale = scale
        return torch.bmm(shares, value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, value, shares = ctx.saved_tensors
        to_value = torch.bmm(shares.transpose(1, 2), gradient)
        to_shares = torch.bmm(gradient, value.transpose(1, 2))
        assert SOFTMAX_BACKWARD is not None
        to_scores = SOFTMAX_BACKWARD(to_shares, shares, -1, shares.dtype)
        nothing = query.new_empty(1)
        to_query = torch.baddbmm(nothing, to_scores, key, beta=0, alpha=ctx.scale)
        to_key = torch.baddbmm(nothing, to_scores.transpose(1, 2), query, beta=0, alpha=ctx.scale)
        return to_query, to_key, to_value, None, None


def _attention(parts: Tensor, rows: int, mask: Tensor | None, dropout: float, scale: float) -> Tensor:
    """[rows * T, 3, H, d] -> [rows * T, H, d]"""
    places, three, heads, width = parts.shape
    query, key, value = parts.view(rows, -1, three, heads, width).permute(2, 0, 3, 1, 4)  # [rows, H, T, d] each
    if parts.dtype == torch.bfloat16 and SOFTMAX_BACKWARD is not None:
        flat = [part.reshape(rows * heads, -1, width) for part in (query, key, value)]
        output = _HalfAttention.apply(*flat, mask, scale).view(rows, heads, -1, width)
    else:
        mask = None if mask is None else mask.to(parts.dtype)
        output = nn.functional.scaled_dot_product_attention(query, key, value, mask, dropout_p=dropout, scale=scale)
    return output.transpose(1, 2).reshape(places, heads, width)


def packed_attention(three: Tensor, packing: Packing, *, dropout: float = 0.0, scale: float) -> Tensor:
    """[N, 3, H, d] queries, keys and values -> [N, H, d], each sequence attending to itself only."""
    half = three.dtype == torch.bfloat16 and three.device.type == "cpu"
    padded = _Pad.apply(three.float() if half and dropout else three, packing.places, packing.size)
    with torch.autocast(three.device.type, enabled=False):
        groups = padded.split([rows * length for rows, length in packing.shapes])
        outputs = [
            _attention(group, rows, mask, dropout, scale)
            for group, (rows, _), mask in zip(groups, packing.shapes, packing.masks, strict=True)
        ]
    return _Unpad.apply(torch.cat(outputs).to(three.dtype), packing.places)


def _forward(self: Any, states: Tensor, _mask: Tensor | None = None, *, packing: Packing, **_: Any) -> Any:
    """[1, N, D] -> [1, N, D]: queries, keys and values by one product, then attention."""
    parts = (self.query, self.key, self.value)
    weight, bias = torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
    three = linear(states[0], weight, bias).unflatten(1, (3, -1, self.attention_head_size))
    dropout = self.dropout.p if self.training else 0.0
    return packed_attention(three, packing, dropout=dropout, scale=self.scaling).flatten(1)[None], None


def replace_attention(module: nn.Module) -> None:
    """Let every self-attention of BERT's kind be computed without padding; parameters and their names stay."""
    for child in module.modules():
        if all(isinstance(getattr(child, name, None), nn.Linear) for name in ("query", "key", "value")):
            child.forward = MethodType(_forward, child)


def embedded(inner: Any, ids: Tensor, token_types: Tensor, positions: Tensor, words: Tensor | None = None) -> Tensor:
    """[N] each -> [N, D] the states below a model's first layer.

    :param words: [N, D] stands in for the rows of the table of words.
    """
    states = inner.embeddings(
        input_ids=ids[None] if words is None else None,
        inputs_embeds=None if words is None else words[None],
        token_type_ids=token_types[None],
        position_ids=positions[None],
    )
    if hasattr(inner, "embeddings_project"):
        states = inner.embeddings_project(states)
    return states[0]


def layer_output(inner: Any, index: int, states: Tensor, packing: Packing) -> Tensor:
    """[N, D] -> [N, D] what a layer makes of the states below it, after `replace_attention`."""
    return inner.encoder.layer[index](states[None], None, packing=packing)[0]
