"""Texts as several heads read them: pieces, and pairs cut to a length."""

from collections.abc import Sequence

import numpy as np

from manyheads.core.values import Example, Input, Pieces, Tokenizer


def pieces_of(texts: Sequence[str], tokenizer: Tokenizer) -> dict[str, Pieces]:
    """Each distinct text's pieces, each text cut into pieces once."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, tokenizer.pieces(distinct), strict=True))


def cut(first: int, second: int, room: int) -> tuple[int, int]:
    """How many pieces of two texts to keep: the longer one gives first, as in BERT's `_truncate_seq_pair`."""
    if first + second <= room:
        return first, second
    if second <= room // 2:
        return room - second, second
    if first <= room - room // 2:
        return first, room - first
    return room - room // 2, room // 2


def fit(first: np.ndarray, second: np.ndarray | None, tokenizer: Tokenizer, max_length: int) -> tuple[Input, int]:
    """One sequence of at most `max_length` from one or two texts' ids, and how many ids were cut off."""
    room = tokenizer.room(second is not None, max_length)
    if second is None:
        return tokenizer.join(first[:room]), max(0, len(first) - room)
    keep_first, keep_second = cut(len(first), len(second), room)
    truncated = len(first) + len(second) - keep_first - keep_second
    return tokenizer.join(first[:keep_first], second[:keep_second]), truncated


def encode_texts(examples: Sequence[Example], tokenizer: Tokenizer, max_length: int) -> list[tuple[Input, int]]:
    """Each example's `text`, with its `text_pair` if it has one, as one sequence, and how many ids were cut off."""
    pairs = [(example["text"], example.get("text_pair")) for example in examples]
    pieces = pieces_of([text for pair in pairs for text in pair if text is not None], tokenizer)
    return [
        fit(pieces[first].ids, None if second is None else pieces[second].ids, tokenizer, max_length)
        for first, second in pairs
    ]
