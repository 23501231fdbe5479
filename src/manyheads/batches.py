"""Examples become steps: tokenised once, and batch j of a task is a pure function of (seed, task, j)."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from manyheads.heads import Head
from manyheads.tensors import Batch, Tokens
from manyheads.types import Encoded, Table, Tokenizer, derived_seed

CHUNK = 2_000
"""So many examples are tokenised at once: enough for the tokenizer's threads, few enough for memory."""


def encoded(head: Head, table: Table, tokenizer: Tokenizer) -> list[Encoded]:
    """A split's examples as the head encodes them, in order."""
    rows = table.rows
    return [
        example
        for at in range(0, len(rows), CHUNK)
        for example in head.encode([dict(row) for row in rows.select(range(at, min(at + CHUNK, len(rows))))], tokenizer)
    ]


def collate(task: str, examples: Sequence[Encoded], rows: Sequence[int]) -> Batch:
    """Examples as one batch, sequences one after another without padding."""
    inputs = [one for example in examples for one in example.inputs]
    tokens = Tokens(
        torch.from_numpy(np.concatenate([one.ids for one in inputs])).long(),
        torch.from_numpy(np.concatenate([one.kinds for one in inputs])).long(),
        tuple(len(one.ids) for one in inputs),
    )
    targets = [target for example in examples for target in example.targets]
    return Batch(
        task,
        tokens,
        tuple(len(example.inputs) for example in examples),
        torch.tensor(targets) if targets else None,
        tuple(rows),
    )


class TrainingData:
    """A task's training examples as an endless row of batches, reshuffled at each pass.

    The j-th batch depends on nothing but the seed, the task's name and j: not on the arm, nor on the other tasks. So
    arms are compared on the same order of the same data, and a run can be taken up anywhere.
    """

    def __init__(self, task: str, examples: Sequence[Encoded], batch_size: int, seed: int) -> None:
        self.task = task
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self._order = lru_cache(maxsize=2)(self._shuffled)

    @property
    def per_pass(self) -> int:
        """How many batches one pass takes; the last may be smaller."""
        return -(-len(self.examples) // self.batch_size)

    def rows(self, index: int) -> list[int]:
        """Which examples the `index`-th batch holds."""
        number, at = divmod(index, self.per_pass)
        return self._order(number)[at * self.batch_size : (at + 1) * self.batch_size].tolist()

    def batch(self, index: int) -> Batch:
        """The `index`-th batch, counted from 0 over all passes."""
        rows = self.rows(index)
        return collate(self.task, [self.examples[row] for row in rows], rows)

    def _shuffled(self, number: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(derived_seed(self.seed, "order", self.task, number)))
        return generator.permutation(len(self.examples))


def parts(batch: Batch, number: int, examples: Sequence[Encoded]) -> list[Batch]:
    """A batch in up to `number` parts of whole examples, for gradient accumulation."""
    if number == 1:
        return [batch]
    size = -(-len(batch.rows) // number)
    return [
        collate(batch.task, [examples[row] for row in batch.rows[at : at + size]], batch.rows[at : at + size])
        for at in range(0, len(batch.rows), size)
    ]
