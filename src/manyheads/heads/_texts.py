"""Texts as several heads read them: pieces, and pairs cut to a length."""

from collections.abc import Sequence

import numpy as np

from manyheads.core.text_checks import text_windows
from manyheads.core.values import Example, Input, Options, Pieces, Tokenizer
from manyheads.heads._windows import windows


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


def ends(ids: np.ndarray, keep: int) -> np.ndarray:
    """The first and the last `keep` of ids, 128 to 382 as in Sun et al., who kept 510."""
    if len(ids) <= keep:
        return ids
    head = keep * 128 // 510
    return np.concatenate([ids[:head], ids[len(ids) - (keep - head) :]])


def fit_ends(first: np.ndarray, second: np.ndarray | None, tokenizer: Tokenizer, max_length: int) -> tuple[Input, int]:
    """As `fit`, which cuts both texts to the same sizes; of a text that is cut, the first and the last ids stay."""
    room = tokenizer.room(second is not None, max_length)
    if second is None:
        return tokenizer.join(ends(first, room)), max(0, len(first) - room)
    keep_first, keep_second = cut(len(first), len(second), room)
    truncated = len(first) + len(second) - keep_first - keep_second
    return tokenizer.join(ends(first, keep_first), ends(second, keep_second)), truncated


def fit_windows(
    first: np.ndarray, second: np.ndarray | None, tokenizer: Tokenizer, settings: Options
) -> tuple[tuple[Input, ...], int]:
    """Windows over one text, or over the longer of two; see `core.text_checks.text_windows`."""
    sizes = [len(first)] if second is None else [len(first), len(second)]
    short, room, stride = text_windows(sizes, tokenizer.room(second is not None, settings["max_length"]), settings)
    laid = windows(max(sizes), room, stride)
    slices = [slice(begin, end) for begin, end in zip(laid.begins, laid.ends, strict=True)]
    if second is None:
        return tuple(tokenizer.join(first[part]) for part in slices), 0
    if len(first) >= len(second):
        inputs = [tokenizer.join(first[part], second[:short]) for part in slices]
    else:
        inputs = [tokenizer.join(first[:short], second[part]) for part in slices]
    return tuple(inputs), min(sizes) - short


def encode_texts(
    examples: Sequence[Example], tokenizer: Tokenizer, settings: Options
) -> list[tuple[tuple[Input, ...], int]]:
    """Each example's `text`, with its `text_pair` if it has one, as sequences, and how many ids were cut off.

    :param settings: `max_length`, `overflow` and `stride` of a `PooledHead`.
    """
    pairs = [(example["text"], example.get("text_pair")) for example in examples]
    pieces = pieces_of([text for pair in pairs for text in pair if text is not None], tokenizer)
    found = []
    for first, second in pairs:
        ids, other = pieces[first].ids, None if second is None else pieces[second].ids
        if settings["overflow"] == "windows":
            found.append(fit_windows(ids, other, tokenizer, settings))
        else:
            fitted = fit if settings["overflow"] == "truncate" else fit_ends
            one, truncated = fitted(ids, other, tokenizer, settings["max_length"])
            found.append(((one,), truncated))
    return found
