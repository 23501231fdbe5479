"""The gradient times the input of a pretrained encoder's word pieces, summed over each word of a text."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manyheads.analyses._sequences import Texts
from manyheads.analyses._word_scores import margins
from manyheads.core.tensors import Tokens

WORD = re.compile(r"\w+(?:['’]\w+)*")
"""A word as the encoder `bag_of_words` has it, so that both kinds of encoders have the same words."""


def differentiable(model: Any) -> bool:
    """Whether its encoders have an embedding for each word piece."""
    return all(hasattr(getattr(one, "inner", None), "get_input_embeddings") for one in model.sharing.encoders())


def frequencies(texts: Iterable[str]) -> Counter[str]:
    """How many texts each word stands in, in lower case."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update({word.lower() for word in WORD.findall(text)})
    return found


def piece_gradients(model: Any, task: str, texts: Texts) -> list[np.ndarray]:
    """For each text of T tokens, special ones included, [T] the gradient of the margin times the token's embedding.

    :param texts: As the head of `task` reads them.
    """
    found: list[np.ndarray] = [np.zeros(0)] * len(texts.lengths)
    head = model.head(task)
    for rows, tokens in texts.passes():
        with _embedded(model) as embedded, torch.enable_grad():
            logits = head(model.sharing({task: tokens})[task], (1,) * len(rows))
            weights = torch.from_numpy(margins(logits.detach().double().numpy())).to(logits.dtype)
            slopes = torch.autograd.grad((weights * logits).sum(), embedded)
        products = [
            _of_tokens((slope * states).sum(-1), tokens).detach().double().numpy()
            for slope, states in zip(slopes, embedded, strict=True)
        ]
        parts = np.split(np.sum(products, axis=0), np.cumsum(tokens.lengths)[:-1])
        for row, part in zip(rows.tolist(), parts, strict=True):
            found[row] = part
    return found


def _of_tokens(values: Tensor, tokens: Tokens) -> Tensor:
    """[1, N + filler], or a rectangle [S, T] -> [N]"""
    if len(values) == 1:
        return values[0, : len(tokens.ids)]
    return torch.cat([row[:length] for row, length in zip(values, tokens.lengths, strict=True)])


@contextmanager
def _embedded(model: Any) -> Iterator[list[Tensor]]:
    """The outputs of the word embeddings within this context, as leaves of the graph. The model is not changed."""
    given: list[Tensor] = []

    def keep(module: Any, inputs: Any, output: Tensor) -> Tensor:  # noqa: ARG001 - as torch calls it
        given.append(output.detach().requires_grad_(True))
        return given[-1]

    hooks = [one.inner.get_input_embeddings().register_forward_hook(keep) for one in model.sharing.encoders()]
    try:
        yield given
    finally:
        for hook in hooks:
            hook.remove()


def of_words(
    texts: Sequence[str], pieces: Sequence[np.ndarray], tokenizer: Any, places: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """For each text and each word in it, the word's number and the sum over all its pieces in the text.

    :param pieces: For each text, a value for each token of its sequence; truncated tokens have none.
    :param places: word -> its number; other words are left out.
    """
    nothing = np.zeros(0, np.int32)
    special = len(tokenizer.join(nothing).ids)
    ids: list[int] = []
    values: list[float] = []
    for text, found, of_text in zip(texts, pieces, tokenizer.pieces(list(texts)), strict=True):
        kept = len(found) - special
        first = tokenizer.starts(kept)[0]
        words = [(match.start(), match.end(), places.get(match[0].lower())) for match in WORD.finditer(text)]
        starts = [start for start, _, _ in words]
        owner = np.searchsorted(starts, of_text.offsets[:kept, 0], side="right") - 1
        total: dict[int, float] = {}
        for at, word in enumerate(owner.tolist()):
            if word < 0 or of_text.offsets[at, 0] >= words[word][1] or words[word][2] is None:
                continue
            total[words[word][2]] = total.get(words[word][2], 0.0) + float(found[first + at])
        ids += total.keys()
        values += total.values()
    return np.array(ids, np.int64), np.array(values)
