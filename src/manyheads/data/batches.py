"""Examples become steps: tokenised once, and batch j of a task is a pure function of (seed, task, j)."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch

from manyheads.core.tensors import Batch, Tokens
from manyheads.core.values import Encoded, Table, Tokenizer, derived_seed
from manyheads.data.columns import CHUNK, Examples, Form, agreed, block_of, blocks_of, identity_of, vocabulary_of
from manyheads.heads import Head


def encoded(head: Head, table: Table, tokenizer: Tokenizer) -> list[Encoded]:
    """A split's examples as the head encodes them, in order, as a plain list; for few examples."""
    return [example for chunk in _chunks(head, table, tokenizer) for example in chunk]


def encoded_blocks(head: Head, table: Table, tokenizer: Tokenizer) -> Iterator[tuple[pa.RecordBatch, Form | None]]:
    """A split's examples as Arrow columns, a block of rows at a time, so that memory does not grow with the split."""
    return (block_of(chunk) for chunk in _chunks(head, table, tokenizer))


def stored(head: Head, table: Table, tokenizer: Tokenizer) -> Examples:
    """A split's examples as Arrow columns in memory."""
    blocks = list(encoded_blocks(head, table, tokenizer))
    return Examples([batch for batch, _ in blocks], agreed(form for _, form in blocks))


def read_columns(head: Head, table: Table) -> list[str]:
    """The columns that `encode` gets: those that the head declares, as far as the split has them, and the id."""
    return table.present("id", *head.columns, *head.optional)


def _chunks(head: Head, table: Table, tokenizer: Tokenizer) -> Iterator[list[Encoded]]:
    names = read_columns(head, table)
    rows = table.rows.select_columns(names)
    for at in range(0, len(rows), CHUNK):
        columns = rows[at : at + CHUNK]
        given = zip(*(columns[name] for name in names), strict=True)
        yield head.encode([dict(zip(names, values, strict=True)) for values in given], tokenizer)


# ---- Examples, whether a plain list or columns on disk ----


def batch_of(task: str, examples: Sequence[Encoded], rows: Sequence[int]) -> Batch:
    """Some rows of a task's examples as one batch; from columns without an object for each example."""
    if not isinstance(examples, Examples):
        return collate(task, [examples[row] for row in rows], rows)
    found = examples.gathered(rows)
    tokens = Tokens(
        torch.from_numpy(found.ids).long(), torch.from_numpy(found.token_types).long(), tuple(found.lengths.tolist())
    )
    targets = None if found.targets is None else torch.from_numpy(found.targets)
    return Batch(task, tokens, found.counts, targets, tuple(rows))


def collate(task: str, examples: Sequence[Encoded], rows: Sequence[int]) -> Batch:
    """Examples as one batch, sequences one after another without padding."""
    inputs = [one for example in examples for one in example.inputs]
    tokens = Tokens(
        torch.from_numpy(np.concatenate([one.ids for one in inputs])).long(),
        torch.from_numpy(np.concatenate([one.token_types for one in inputs])).long(),
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


def lengths(examples: Sequence[Encoded]) -> np.ndarray:
    """[n] int64, how many tokens each example has in all its sequences; examples on disk are not decoded for it."""
    if isinstance(examples, Examples):
        return examples.lengths
    return np.array([sum(len(one.ids) for one in example.inputs) for example in examples], np.int64)


def vocabulary(examples: Sequence[Encoded]) -> np.ndarray:
    """The distinct token ids in the examples, sorted, int64."""
    return examples.vocabulary if isinstance(examples, Examples) else vocabulary_of(blocks_of(examples))


def identity(examples: Sequence[Encoded]) -> str:
    """A hash of the sequences (ids, token_types, lengths, how many each example has) and of nothing else.

    Equal for two tasks if they ask about the same sequences in the same order, however the examples are kept.
    """
    return examples.identity if isinstance(examples, Examples) else identity_of(blocks_of(examples))


def truncated(examples: Sequence[Encoded]) -> int:
    """How many word pieces were cut off in all examples."""
    return sum(int(block.truncated.sum()) for block in blocks_of(examples))


def examples_cut(examples: Sequence[Encoded]) -> int:
    """Of how many examples word pieces were cut off."""
    return sum(int((block.truncated > 0).sum()) for block in blocks_of(examples))


def pieces(examples: Sequence[Encoded], tokenizer: Tokenizer) -> int:
    """How many word pieces there are in all sequences; special tokens are not counted."""
    nothing = np.zeros(0, np.int32)
    special = np.unique(tokenizer.join(nothing, nothing).ids)
    return sum(int((~np.isin(block.ids, special)).sum()) for block in blocks_of(examples))


def unknown_share(examples: Sequence[Encoded], tokenizer: Tokenizer) -> float:
    """The share of all word pieces that is the unknown one; special tokens are not counted."""
    unknown = sum(int((block.ids == tokenizer.unknown).sum()) for block in blocks_of(examples))
    return unknown / max(1, pieces(examples, tokenizer))


# ---- Batches ----


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
        return batch_of(self.task, self.examples, self.rows(index))

    def _shuffled(self, number: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(derived_seed(self.seed, "order", self.task, number)))
        return generator.permutation(len(self.examples))


def parts(batch: Batch, number: int, examples: Sequence[Encoded]) -> list[Batch]:
    """A batch in up to `number` parts of whole examples, for gradient accumulation."""
    if number == 1:
        return [batch]
    size = -(-len(batch.rows) // number)
    return [batch_of(batch.task, examples, batch.rows[at : at + size]) for at in range(0, len(batch.rows), size)]
