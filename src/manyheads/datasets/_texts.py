"""What must hold of texts wherever they come from: that there is something to read, in words that can be read."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow.compute import MatchSubstringOptions, call_function

from manyheads.core.problems import shown
from manyheads.datasets._checks import Problems

UNSEEN = " \t\n\r\xa0\u3000" + "\xad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f\ufeff"
"""White space, and characters that are no sign: soft hyphens, zero-width spaces and joiners, marks of direction."""
LONGEST_WORD = 100
"""Characters. Longer ones are [UNK] to BERT's tokenizers, but for those of Chinese characters, which are words each."""
LONG_WORD = MatchSubstringOptions(rf"[^\s\p{{Han}}]{{{LONGEST_WORD + 1}}}")


def check_texts(values: Sequence[Any], column: str, where: Callable[[int], str], problems: Problems) -> None:
    """Every value must be a string with something in it."""
    for row, value in enumerate(values):
        if type(value) is str and not _is_blank(value):
            continue
        if value is None:
            problems.add(where(row), f'"{column}" is missing or null', "", "Fill it in or remove the row.")
        elif type(value) is str:
            problems.add(where(row), f'"{column}" is empty', shown(value), "Fill it in or remove the row.")
        else:
            kind = type(value).__name__
            problems.add(where(row), f'"{column}" is of type {kind}, not a string', shown(value), "Write it in quotes.")


def _is_blank(text: str) -> bool:
    """Whether there is nothing to see in a text."""
    return not text or text.isspace() or (text[0] in UNSEEN and not text.strip(UNSEEN))


def has_long_word(texts: pa.Array) -> np.ndarray:
    """[n] bool, whether each text holds a word of more than `LONGEST_WORD` characters."""
    found = call_function("match_substring_regex", [texts], LONG_WORD)
    return found.fill_null(False).to_numpy(zero_copy_only=False)
