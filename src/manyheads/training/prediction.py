"""A model and examples become predictions and scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from manyheads.core.values import Answer, Encoded, Measure
from manyheads.data.batches import batch_of, identity, lengths
from manyheads.metrics import resampled
from manyheads.training.loop import autocast
from manyheads.training.model import MultiTaskModel

TOKENS = 8_192
"""Real tokens of one pass: large enough to keep the processor busy, small enough for a laptop's memory."""


def _silent() -> None:
    """Nobody is told."""


def predict(
    model: MultiTaskModel,
    examples: Mapping[str, Sequence[Encoded]],
    precision: str = "fp32",
    tokens: int = TOKENS,
    alive: Callable[[], None] = _silent,
) -> dict[str, list[Answer]]:
    """Each task's answers, in the order of its examples.

    Examples of several tasks that are the same sequences (several heads over the same texts) share one encoder pass.

    :param alive: Called before each pass; what it raises ends the work.
    """
    model.eval()
    answers: dict[str, list[Any]] = {task: [None] * len(given) for task, given in examples.items()}
    for tasks in _same_inputs(examples):
        given = examples[tasks[0]]
        for chunk in _chunks(given, tokens):
            alive()
            batch = batch_of(tasks[0], given, chunk)
            with torch.inference_mode(), autocast(precision):
                outputs = model.outputs(dict.fromkeys(tasks, batch))
            for task in tasks:
                decoded = model.head(task).decode(outputs[task].float(), [examples[task][index] for index in chunk])
                for index, answer in zip(chunk, decoded, strict=True):
                    answers[task][index] = answer
    return answers


def _same_inputs(examples: Mapping[str, Sequence[Encoded]]) -> list[list[str]]:
    """Tasks grouped by whether they ask about the same sequences."""
    if len(examples) == 1:
        return [list(examples)]
    groups: dict[str, list[str]] = {}
    for task, given in examples.items():
        groups.setdefault(identity(given), []).append(task)
    return list(groups.values())


def _chunks(examples: Sequence[Encoded], tokens: int) -> list[list[int]]:
    """Which examples are computed together: sorted by length, at most about `tokens` of them (one example at least)."""
    sizes = lengths(examples)
    chunks: list[list[int]] = []
    size = 0
    for index in np.argsort(sizes, kind="stable").tolist():
        if not chunks or size + sizes[index] > tokens:
            chunks.append([])
            size = 0
        chunks[-1].append(index)
        size += sizes[index]
    return chunks


def scores(measures: Mapping[str, Measure]) -> dict[str, float | None]:
    """Each metric over all items at once; None where it is undefined."""
    return {name: resampled.score(measure) for name, measure in measures.items()}
