"""The plain values that pass between the layers. Imports no torch, so that the commands stay quick.

Values that hold tensors are in `tensors.py`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from manyheads.core.problems import Problem

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
Example = Mapping[str, Any]
"""A row of a dataset: column to value."""
Answer = dict[str, Any]
"""What a head answers to an example, as plain JSON values."""
Options = Mapping[str, Any]
"""The settings of a method, those left at their defaults too: name to value."""


LONGEST_TEXT = 1_000_000
"""Characters: of a novel. A tokenizer takes some 300 bytes for each."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where data may be, and how much of it is read.

    :param study: The folder of the study file.
    :param data: A local mirror of the Hub (`--data`), if any.
    :param longest_text: Characters of the longest text that is read.
    """

    study: Path
    data: Path | None = None
    longest_text: int = LONGEST_TEXT


@dataclass(frozen=True)
class Table:
    """One split of a dataset as its head asks for it.

    :param rows: A `datasets.Dataset` with the head's columns, and always `id` (a unique string). Labels are names.
        `cluster` (a string), where present, says which rows belong together, such as the questions on one passage.
    :param labels: The names of the classes in a fixed order; None where the task has none.
    :param labelled: False if the split carries no gold labels (GLUE's test splits).
    :param dropped: How many rows were left out, by reason. Shown in the report.
    :param warnings: What a person should know but that stops nothing.
    """

    rows: Any
    labels: tuple[str, ...] | None = None
    labelled: bool = True
    dropped: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[Problem] = ()

    def present(self, *names: str) -> list[str]:
        """Those of these columns that the split has."""
        return [name for name in dict.fromkeys(names) if name in self.rows.column_names]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text as word pieces, without special tokens.

    :param ids: [T] int32.
    :param offsets: [T, 2] int32, the characters (start, end) of the text that each piece covers.
    """

    ids: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True, slots=True)
class Input:
    """One sequence for the encoder, special tokens included.

    :param ids: [T] int32.
    :param token_types: [T] int8, the segment (token type) of each token: 0, or 1 for the second text of a pair.
    """

    ids: np.ndarray
    token_types: np.ndarray


class Tokenizer(Protocol):
    """Cuts texts into word pieces. Special tokens written in a text (`[SEP]`) are text."""

    max_length: int
    """The longest sequence the encoder takes, special tokens included."""
    unknown: int
    """The id of the piece that stands for what has none."""

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """The word pieces of each text; a whole batch at once is much faster than text by text."""
        ...

    def join(self, first: np.ndarray, second: np.ndarray | None = None) -> Input:
        """Add the special tokens around one text's ids, or around and between two."""
        ...

    def room(self, pair: bool, max_length: int) -> int:
        """How many ids of text fit into `max_length` beside the special tokens."""
        ...

    def starts(self, first_length: int) -> tuple[int, int]:
        """Where the first and the second text begin in a joined pair whose first text has `first_length` ids."""
        ...

    def fingerprint(self) -> str:
        """A short hash of everything that the pieces and the special tokens depend on: equal hashes, equal tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as its head encodes it.

    :param inputs: One sequence, or one per choice, or one per window.
    :param targets: What `loss` compares with, as plain numbers (or tuples of numbers): one per example, per input or
        per token, as the head likes; a batch concatenates them into one tensor. Empty if the example has no label. In a
        split they are all whole or all not, and all of one shape; as tensors they are int64 or float32.
    :param metadata: What `decode` and `counts` need to know about the example (offsets, the text of the context, ...).
        It is kept on disk, so it may hold what JSON may (dicts with strings for keys, lists, texts, numbers, true,
        false, none) and, anywhere in that, numpy arrays of numbers. It comes back equal; a tuple comes back as a list.
    :param truncated: How many word pieces did not fit and were cut off. Counted and shown.
    """

    inputs: tuple[Input, ...]
    targets: tuple = ()
    metadata: Any = None
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric before it is summed up, so that the comparison can resample the items.

    :param kind: How items become a score; a key of `resampled.KINDS`.
    :param items: [n, k] float64, one row per example, in the order of the predictions.
    """

    kind: str
    items: np.ndarray


@dataclass(frozen=True, slots=True)
class HighlightedText:
    """A text with a highlighted part, such as a context and the answer in it.

    :param start: The first highlighted character.
    :param end: The character after the last one; equal to `start` if nothing is highlighted.
    """

    text: str
    start: int
    end: int


def derived_seed(*parts: object) -> int:
    """A seed for one purpose: a pure function of what it is for, the same on every machine and in every process."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
