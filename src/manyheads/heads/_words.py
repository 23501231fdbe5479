"""Sentences that are given as words: their pieces, their windows, and where each word's first piece comes to lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.core.values import Input, Tokenizer
from manyheads.heads._texts import pieces_of
from manyheads.heads._windows import windows


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as an encoder reads it.

    :param inputs: One sequence, or one for each window.
    :param firsts: [words] int32, where each word's first piece is among the tokens of all the sequences one after
        another, special ones too: in the window that owns it, where it has the most context.
    :param truncated: How many pieces of overlong words were cut off.
    """

    inputs: tuple[Input, ...]
    firsts: np.ndarray
    truncated: int


def word_pieces(words: Sequence[str], tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """The ids of each distinct word, each word cut into pieces by itself, so that `[SEP]` is a word like any other.

    A space goes before each word: vocabularies that hold spaces (byte-level ones) know it so, and in others it changes
    nothing. A word of which the tokenizer leaves nothing (a soft hyphen, a zero-width space) gets the piece for what
    is unknown, so that every word has a place.
    """
    unknown = np.array([tokenizer.unknown], np.int32)
    found = pieces_of([f" {word}" for word in words], tokenizer)
    return {text[1:]: pieces.ids if len(pieces.ids) else unknown for text, pieces in found.items()}


def sentence(
    words: Sequence[str],
    pieces: Mapping[str, np.ndarray],
    tokenizer: Tokenizer,
    *,
    max_length: int,
    stride: int,
    max_word: int,
) -> Sentence:
    """A sentence in as many windows as it takes; every word is in one of them at least, and owned by just one.

    :param pieces: What `word_pieces` made of its words.
    :param stride: How many pieces a window lies after the one before.
    :param max_word: How many pieces of a word are kept.
    """
    parts = [pieces[word][:max_word] for word in words]
    truncated = sum(len(pieces[word]) for word in words) - sum(map(len, parts))
    sizes = np.array([len(part) for part in parts], np.int64)
    ids = np.concatenate([np.zeros(0, np.int32), *parts])
    starts = sizes.cumsum() - sizes
    cut = windows(len(ids), tokenizer.room(False, max_length), stride)
    inputs = tuple(tokenizer.join(ids[begin:end]) for begin, end in zip(cut.begins, cut.ends, strict=True))
    # Where the text of each window lies among all tokens, less where it begins in the sentence.
    lengths = np.array([len(one.ids) for one in inputs])
    moved = lengths.cumsum() - lengths + tokenizer.starts(0)[0] - np.array(cut.begins)
    return Sentence(inputs, (starts + moved[cut.owners[starts]]).astype(np.int32), truncated)
