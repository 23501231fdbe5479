"""Windows over a context that is longer than the encoder takes: cut by ourselves, so that no text is ever lost.

Tokenizers 0.23.1 and 0.23.2 lost most of a long context when they cut it (82 % in one case), without a word. Here a
context is made into pieces once, whole, and the windows are slices of it; that nothing is missing is checked each time.

T: pieces of the whole context.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.values import Pieces


@dataclass(frozen=True, slots=True)
class Windows:
    """How a context is cut.

    :param begins: The first piece of each window.
    :param ends: One past the last piece of each window.
    :param owners: [T] the window in which each piece has the most context on its poorer side; among equals the longest
        window, then the first. This is `_check_is_max_context` of BERT's `run_squad.py`.
    """

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    owners: np.ndarray

    def holding(self, start: int, end: int) -> list[int]:
        """The windows that hold all pieces from `start` to `end` (included)."""
        return [
            index for index, (a, b) in enumerate(zip(self.begins, self.ends, strict=True)) if a <= start and end < b
        ]


@lru_cache(maxsize=1 << 14)
def windows(count: int, room: int, stride: int) -> Windows:
    """Cut `count` pieces into windows of at most `room`, each `stride` pieces after the one before.

    The stride is how far the window moves, as in BERT's `doc_stride`; in Hugging Face's tokenizers `stride` is how far
    windows overlap, which here is `room - stride`.
    """
    assert 1 <= stride <= room, f"stride {stride}, room {room}"
    begins = [0]
    while begins[-1] + room < count:
        begins.append(begins[-1] + stride)
    ends = [min(begin + room, count) for begin in begins]
    owners, best = np.zeros(count, np.int32), np.full(count, -1.0)
    for index, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        place = np.arange(end - begin)
        context = np.minimum(place, place[::-1]) + 0.01 * (end - begin)
        better = context > best[begin:end]
        owners[begin:end][better] = index
        best[begin:end][better] = context[better]
    covered = begins[0] == 0 and ends[-1] == count
    assert covered and all(begin <= end for begin, end in zip(begins[1:], ends, strict=False)), (begins, ends)
    return Windows(tuple(begins), tuple(ends), owners)


def uncovered(text: str, pieces: Pieces) -> str:
    """The letters and digits of a text that belong to no piece; a sound tokenizer leaves none."""
    covered = np.zeros(len(text) + 1, np.int32)
    np.add.at(covered, pieces.offsets[:, 0], 1)
    np.add.at(covered, pieces.offsets[:, 1], -1)
    # White space, control characters and accents belong to no piece in many tokenizers, and carry no answer.
    return "".join(text[index] for index in np.flatnonzero(covered.cumsum()[:-1] <= 0) if text[index].isalnum())


def check_coverage(text: str, pieces: Pieces) -> None:
    """Stop if the tokenizer lost a part of the text, instead of training on what is left."""
    lost = uncovered(text, pieces)
    if lost:
        found = f"{len(lost)} letters and digits without a piece in {shown(text, 40)}, such as {shown(lost, 30)}"
        raise StudyError(
            [Problem("head span", "the tokenizer lost text", found, "Install tokenizers 0.23.3 or newer.")]
        )


def piece_span(pieces: Pieces, start: int, end: int) -> tuple[int, int] | None:
    """The first and the last piece that hold any of the characters from `start` up to, not including, `end`."""
    first = int(np.searchsorted(pieces.offsets[:, 1], start, side="right"))
    last = int(np.searchsorted(pieces.offsets[:, 0], end, side="left")) - 1
    return (first, last) if first <= last else None
