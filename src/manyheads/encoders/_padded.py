"""Encoders as transformers computes them: sequences side by side, the shorter ones filled up with padding.

The slow way: about half of what a batch of mixed lengths computes is padding. It is the only way for architectures
whose attention `_packed.py` does not know, and that of all under `MANYHEADS_PLAIN=1`.

Shapes: S sequences, T tokens of the longest, N real tokens, D width.
"""

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.masking_utils import create_bidirectional_mask

from manyheads.core.tensors import States, Tokens


class Padded:
    """Calls a model of transformers by its own forward pass.

    :param inner: The model.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        accepted = inspect.signature(inner.forward).parameters
        self.token_types: bool = "token_type_ids" in accepted and getattr(inner.config, "type_vocab_size", 0) > 1
        """Whether the model tells the texts of a pair apart: DistilBERT, RoBERTa, MPNet and ModernBERT do not."""

    def states(self, tokens: Tokens) -> States:
        """All layers' states."""
        places = _Places(tokens)
        given = {"token_type_ids": places.rectangle(tokens.token_types)} if self.token_types else {}
        padding = getattr(self.inner.config, "pad_token_id", None) or 0
        ids, mask = places.rectangle(tokens.ids, padding), places.mask()
        found = self.inner(input_ids=ids, attention_mask=mask, output_hidden_states=True, **given)
        layers = (*found.hidden_states[:-1], found.last_hidden_state)
        return States(tuple(places.flat(layer) for layer in layers), tokens.lengths)

    def layer(self, index: int, states: Tensor, tokens: Tokens) -> Tensor:
        """[N, D] -> [N, D] what one layer makes of the states below it, in models of BERT's kind."""
        places = _Places(tokens)
        rectangle = places.rectangle(states)
        mask = create_bidirectional_mask(
            config=self.inner.config, inputs_embeds=rectangle, attention_mask=places.mask()
        )
        return places.flat(self.inner.encoder.layer[index](rectangle, mask))


class _Places:
    """Where N tokens lie in a rectangle [S, T]."""

    def __init__(self, tokens: Tokens) -> None:
        self.shape = len(tokens.lengths), max(tokens.lengths)
        rows = torch.from_numpy(np.repeat(np.arange(self.shape[0]), tokens.lengths)).to(tokens.ids.device)
        self.places = rows * self.shape[1] + tokens.positions

    def rectangle(self, values: Tensor, fill: int = 0) -> Tensor:
        """[N, ...] -> [S, T, ...]"""
        rows, length = self.shape
        empty = values.new_full((rows * length, *values.shape[1:]), fill)
        return empty.index_copy(0, self.places, values).unflatten(0, self.shape)

    def flat(self, values: Tensor) -> Tensor:
        """[S, T, ...] -> [N, ...]"""
        return values.flatten(0, 1).index_select(0, self.places)

    def mask(self) -> Tensor:
        """[S, T] 1 at real tokens, 0 at padding."""
        return self.rectangle(torch.ones_like(self.places))
