"""The values that hold tensors: the other half of `values.py`, apart so that the commands need no torch to start.

Shapes: S sequences of a batch, N real tokens in all of them, D width, K layers. Sequences lie one after another without
padding; who needs a rectangle asks for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def padding_for(count: int) -> int:
    """How many tokens to add to `count` of them, so that few distinct numbers of tokens occur.

    A processor's bfloat16 kernels are set up anew for every shape, which costs as much as about 50 tokens. Numbers of
    tokens are rounded up to a multiple of 16, of 32 from 2,048 on and of 64 from 4,096 on: some 1 to 4 per cent more.
    """
    step = min(64, max(16, 1 << count.bit_length() >> 7))
    return -count % step


@dataclass(frozen=True)
class Tokens:
    """Sequences for the encoder, one after another.

    :param ids: [N] int64.
    :param token_types: [N] int64, token types.
    :param lengths: The length of each of the S sequences; they add up to N.
    """

    ids: Tensor
    token_types: Tensor
    lengths: tuple[int, ...]

    @cached_property
    def positions(self) -> Tensor:
        """[N] the place of each token in its sequence."""
        lengths = np.array(self.lengths)
        starts = np.repeat(lengths.cumsum() - lengths, lengths)
        return torch.from_numpy(np.arange(len(starts)) - starts).to(self.ids.device)

    def filled(self) -> "Tokens":
        """With a few tokens more, so that the number of all tokens recurs; see `padding_for`.

        They are sequences of their own behind all others, which `States.split` leaves out again.
        """
        rest, longest = padding_for(len(self.ids)), max(self.lengths)
        if not rest:
            return self
        lengths = [longest] * (rest // longest) + ([rest % longest] if rest % longest else [])
        filler = self.ids[:1].expand(rest)
        return Tokens(
            torch.cat([self.ids, filler]),
            torch.cat([self.token_types, torch.zeros_like(filler)]),
            (*self.lengths, *lengths),
        )

    @staticmethod
    def join(parts: Sequence["Tokens"]) -> "Tokens":
        """Several batches as one, so that the encoder passes once."""
        if len(parts) == 1:
            return parts[0]
        return Tokens(
            torch.cat([part.ids for part in parts]),
            torch.cat([part.token_types for part in parts]),
            tuple(length for part in parts for length in part.lengths),
        )

    def to(self, device: torch.device) -> "Tokens":
        return Tokens(self.ids.to(device), self.token_types.to(device), self.lengths)


@dataclass(frozen=True)
class States:
    """What an encoder makes of `Tokens`: every layer's states.

    :param layers: K + 1 tensors [N, D]: the embeddings, then each layer's output; the last is what heads usually read.
    :param lengths: The length of each of the S sequences.
    """

    layers: tuple[Tensor, ...]
    lengths: tuple[int, ...]

    @property
    def last(self) -> Tensor:
        """[N, D] the top layer."""
        return self.layers[-1]

    @cached_property
    def starts(self) -> Tensor:
        """[S] where each sequence begins."""
        ends = torch.tensor(self.lengths).cumsum(0)
        return (ends - torch.tensor(self.lengths)).to(self.last.device)

    def first(self, layer: int = -1) -> Tensor:
        """[S, D] the state of each sequence's first token, [CLS] in BERT."""
        return self.layers[layer][self.starts]

    def pooled(self, how: str) -> Tensor:
        """[S, D] one state for each sequence: its "first" token's, or the "mean" over its tokens, special ones too."""
        if how == "first":
            return self.first()
        return torch.stack([part.mean(0) for part in self.last.split(self.lengths)])

    def padded(self, values: Tensor, fill: float = 0.0) -> Tensor:
        """[N, ...] per-token values as [S, T, ...], `fill` behind each sequence's end."""
        return pad_sequence(list(values.split(self.lengths)), batch_first=True, padding_value=fill)

    def mask(self) -> Tensor:
        """[S, T] True at real tokens."""
        lengths = torch.tensor(self.lengths, device=self.last.device)
        return torch.arange(max(self.lengths), device=self.last.device) < lengths[:, None]

    def split(self, sizes: Sequence[int]) -> list["States"]:
        """Back into batches of `sizes` sequences each, in the order in which `Tokens.join` put them together.

        Sequences behind the last batch are filler, and are left out.
        """
        parts, at = [], 0
        lengths = []
        for size in sizes:
            lengths.append(self.lengths[at : at + size])
            at += size
        tokens = [sum(part) for part in lengths]
        layers = [layer[: sum(tokens)].split(tokens) for layer in self.layers]
        for index, part in enumerate(lengths):
            parts.append(States(tuple(layer[index] for layer in layers), tuple(part)))
        return parts


@dataclass(frozen=True)
class Batch:
    """The examples of one task in one step.

    :param counts: How many sequences each example has; they add up to S.
    :param targets: What the head's loss compares with; None if unlabelled.
    :param rows: Which rows of the dataset these examples are.
    """

    task: str
    tokens: Tokens
    counts: tuple[int, ...]
    targets: Tensor | None
    rows: tuple[int, ...]

    def to(self, device: torch.device) -> "Batch":
        targets = None if self.targets is None else self.targets.to(device)
        return Batch(self.task, self.tokens.to(device), self.counts, targets, self.rows)
