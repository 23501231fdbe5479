"""Attention over sequences that lie one after another without padding.

Linear layers see N real tokens; only the attention itself, a few per cent of the work, sees rectangles: sequences of
nearly equal length form a group, and each group is one call of torch's scaled dot-product attention.

Registered with transformers' attention interface, so that any of its layers that goes through that interface takes
[1, N, D] states and `packing=` as a keyword. Shapes: N tokens, H heads, d width of a head, P tokens with padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

NAME = "manyheads_packed"
GROWTH = 1.25
"""A group's longest sequence is at most this many times its shortest."""


@dataclass(frozen=True)
class Packing:
    """How N tokens lie in padded rectangles.

    :param places: [N] where each token goes among the P padded places.
    :param shapes: (sequences, length) of each rectangle, one after another in P.
    :param masks: [sequences, 1, 1, length] True at real tokens, for each rectangle; None where all are real.
    """

    places: Tensor
    shapes: tuple[tuple[int, int], ...]
    masks: tuple[Tensor | None, ...]

    @staticmethod
    def of(lengths: Sequence[int], device: torch.device) -> "Packing":
        """Group sequences of these lengths, each kept whole."""
        starts, places, shapes, masks, at = [0] * len(lengths), [], [], [], 0
        for group in _groups(lengths):
            longest = max(lengths[index] for index in group)
            for row, index in enumerate(group):
                starts[index] = at + row * longest
            at += longest * len(group)
            shapes.append((len(group), longest))
            masks.append(_mask([lengths[index] for index in group], longest, device))
        places = torch.cat([torch.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)])
        return Packing(places.to(device), tuple(shapes), tuple(masks))


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if groups and lengths[index] <= GROWTH * lengths[groups[-1][0]]:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _mask(lengths: list[int], longest: int, device: torch.device) -> Tensor | None:
    if min(lengths) == longest:
        return None
    return (torch.arange(longest) < torch.tensor(lengths)[:, None])[:, None, None, :].to(device)


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


def packed_attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _attention_mask: Tensor | None,
    *,
    packing: Packing,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """[1, H, N, d] queries, keys and values -> [1, N, H, d], each sequence attending to itself only."""
    size = sum(rows * length for rows, length in packing.shapes)
    sizes = [rows * length for rows, length in packing.shapes]
    together = torch.stack([part[0].transpose(0, 1) for part in (query, key, value)], dim=1)  # [N, 3, H, d]
    if together.device.type == "cpu":
        # The backward pass of torch's attention in bfloat16 takes nine times as long on a CPU as in single precision.
        together = together.float()
    outputs = []
    groups = _Pad.apply(together, packing.places, size).split(sizes)
    with torch.autocast(together.device.type, enabled=False):
        for group, (rows, length), mask in zip(groups, packing.shapes, packing.masks, strict=True):
            q, k, v = group.view(rows, length, *together.shape[1:]).permute(2, 0, 3, 1, 4)  # 3 x [rows, H, length, d]
            output = nn.functional.scaled_dot_product_attention(q, k, v, mask, dropout_p=dropout, scale=scaling)
            outputs.append(output.transpose(1, 2).reshape(rows * length, *together.shape[2:]))
    return _Unpad.apply(torch.cat(outputs).to(query.dtype), packing.places)[None], None


AttentionInterface.register(NAME, packed_attention)
