"""Texts as bags of the words that a network knows, as the heads see them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from manyheads.core.values import Input, Pieces
from manyheads.encoders._bag_of_words_checks import ANY_LENGTH, WORD

VOCABULARY = "vocabulary.txt"
MOST = 127
"""A word that stands in a text more often counts as so many: `Input.token_types`, where counts travel, is int8."""


class WordTokenizer:
    """Implements `values.Tokenizer`: pieces are the known words of a text in their order, a sequence is a bag of them.

    A sequence holds each word once, in the order of the vocabulary, and there are no special tokens. Its `token_types`
    hold how often each word occurs, if that is counted, else 0. A pair of texts is one bag. Unknown words are left
    out, so that a text may become a sequence without a token.

    :param words: The vocabulary; a word's id is its place.
    :param counted: Whether it matters how often a word occurs.
    """

    max_length = ANY_LENGTH
    unknown = -1
    """No piece stands for unknown words, which are left out."""

    def __init__(self, words: Sequence[str], *, counted: bool) -> None:
        self.words = list(words)
        self.counted = counted
        self._places = {word: place for place, word in enumerate(self.words)}

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        return [self._pieces(text) for text in texts]

    def _pieces(self, text: str) -> Pieces:
        ids, offsets = [], []
        for match in WORD.finditer(text):
            place = self._places.get(match[0].lower())
            if place is not None:
                ids.append(place)
                offsets += match.span()
        return Pieces(np.array(ids, np.int32), np.array(offsets, np.int32).reshape(-1, 2))

    def join(self, first: np.ndarray, second: np.ndarray | None = None) -> Input:
        ids = first if second is None else np.concatenate([first, second])
        if not self.counted:
            distinct = np.unique(ids).astype(np.int32, copy=False)
            return Input(distinct, np.zeros(len(distinct), np.int8))
        distinct, counts = np.unique(ids, return_counts=True)
        return Input(distinct.astype(np.int32, copy=False), np.minimum(counts, MOST).astype(np.int8))

    def room(self, pair: bool, max_length: int) -> int:
        return max_length

    def starts(self, first_length: int) -> tuple[int, int]:
        return 0, first_length

    def fingerprint(self) -> str:
        content = json.dumps([self.words, self.counted, WORD.pattern, MOST])
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the vocabulary, a word in each line."""
        (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in self.words), "utf-8")


def saved_words(folder: Path) -> list[str]:
    """The vocabulary that `WordTokenizer.save` wrote.

    :raises OSError: If there is none.
    """
    return (folder / VOCABULARY).read_text("utf-8").split("\n")[:-1]
