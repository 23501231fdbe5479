"""Spans of a context: where the gold answers are in its pieces, and which spans score best.

T: pieces of the whole context.
"""

import unicodedata
from typing import TypedDict

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from manyheads.core.values import Answer, Example, Pieces
from manyheads.heads._windows import Windows, piece_span, windows


class SpanMetadata(TypedDict):
    """What decoding needs to know of a question.

    :param offsets: [T, 2] the characters of the context that each piece of the whole context covers.
    :param first: Where the context begins in every window's sequence.
    :param room: How many pieces of the context a window holds at most.
    :param stride: How many pieces a window lies after the one before.
    :param lost: The answer to learn from lies in no window.
    :param reachable: Some gold answer can be decoded: it lies in the window that owns its start, and is not too long.
        None if there is no gold answer to compare with.
    """

    context: str
    offsets: np.ndarray
    first: int
    room: int
    stride: int
    lost: bool
    reachable: bool | None


def windows_of(metadata: SpanMetadata) -> Windows:
    """How the question's context was cut."""
    return windows(len(metadata["offsets"]), metadata["room"], metadata["stride"])


def best_spans(logits: np.ndarray, metadata: SpanMetadata, max_answer: int, nbest: int) -> list[Answer]:
    """The `nbest` spans of distinct text, best first; among equals the one that starts, then ends, first."""
    cut, count = windows_of(metadata), len(metadata["offsets"])
    scores = np.full((count, max_answer), -np.inf)  # [i, d] of the span from piece i to i + d
    for index, (begin, end) in enumerate(zip(cut.begins, cut.ends, strict=True)):
        if begin == end:
            continue
        own = np.flatnonzero(cut.owners[begin:end] == index)
        start, ends = logits[index, metadata["first"] : metadata["first"] + end - begin].T
        ends = np.concatenate([ends, np.full(max_answer - 1, -np.inf)])
        scores[begin + own] = start[own, None] + sliding_window_view(ends, max_answer)[own]
    flat = scores.ravel()
    wanted = min(nbest, int(np.isfinite(flat).sum()))
    if wanted == 0:
        return [{"text": "", "start": 0, "end": 0, "score": 0.0}]  # as BERT has it for a context without a piece
    worst = -np.partition(-flat, wanted - 1)[wanted - 1]
    candidates = np.flatnonzero(flat >= worst)
    context, spans = metadata["context"], dict[str, Answer]()
    for place in candidates[np.argsort(-flat[candidates], kind="stable")][:wanted]:
        first, length = divmod(int(place), max_answer)
        start, end = _trim(context, int(metadata["offsets"][first, 0]), int(metadata["offsets"][first + length, 1]))
        span = {"text": context[start:end], "start": start, "end": end, "score": float(flat[place])}
        spans.setdefault(span["text"], span)
    return list(spans.values())


def gold_spans(example: Example, context: Pieces) -> list[tuple[int, int] | None]:
    """The first and last piece of each gold answer; None for one that no piece holds."""
    spans = []
    for text, start in zip(example["answers"]["text"], example["answers"]["answer_start"], strict=True):
        begin = start + len(text) - len(text.lstrip())
        spans.append(piece_span(context, begin, start + len(text.rstrip())))
    return spans


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without white space around it, and with the accents that follow its last character."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return start, end
