"""Encoded examples as Arrow columns: made block by block, mapped from disk, read one by one or a batch at a time.

A split of 10^6 short texts takes about 120 MB so; as Python objects it would take 2 GB.

Shapes: E examples of a block, S sequences of all of them, N tokens in all of those.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
import pyarrow as pa

from manyheads.core.values import Encoded, Input
from manyheads.data.metadata_bytes import packed, unpacked

CHUNK = 2_000
"""So many examples are encoded, and stored, at once: enough for the tokenizer's threads, few enough for memory."""
SCHEMA = pa.schema(
    [
        pa.field("ids", pa.list_(pa.int32()), nullable=False),
        pa.field("token_types", pa.list_(pa.int8()), nullable=False),
        pa.field("lengths", pa.list_(pa.int32()), nullable=False),
        pa.field("targets", pa.list_(pa.float64()), nullable=False),
        pa.field("metadata", pa.large_binary()),
        pa.field("truncated", pa.int64(), nullable=False),
    ]
)
"""One row for each example: the ids and types of all its tokens, sequence after sequence, and how long each is."""
LARGEST = 2**53
"""Whole numbers up to here are the same as 64-bit floats, in which all targets are stored."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the targets of a split look like.

    :param whole: They are whole numbers; otherwise numbers with a decimal point.
    :param width: How many numbers each target is; 0 if it is a number and not a tuple.
    """

    whole: bool
    width: int

    def shaped(self, values: np.ndarray) -> np.ndarray:
        """Stored numbers as targets: [T] or [T, width], int64 or float32."""
        values = values.astype(np.int64 if self.whole else np.float32)
        return values.reshape(-1, self.width) if self.width else values


@dataclass(frozen=True, slots=True)
class Block:
    """Some examples, one after another, as views of their columns.

    :param ids: [N] int32; those of example e are `ids[tokens[e]:tokens[e + 1]]`.
    :param token_types: [N] int8.
    :param tokens: [E + 1] where each example's tokens begin.
    :param lengths: [S] of each sequence; those of example e are `lengths[sequences[e]:sequences[e + 1]]`.
    :param sequences: [E + 1] where each example's sequences begin.
    :param targets: All targets' numbers; those of example e are `targets[places[e]:places[e + 1]]`.
    :param places: [E + 1] where each example's numbers begin.
    """

    ids: np.ndarray
    token_types: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    sequences: np.ndarray
    targets: np.ndarray
    places: np.ndarray
    truncated: np.ndarray
    metadata: pa.Array

    @staticmethod
    def of(batch: pa.RecordBatch) -> "Block":
        """The views of an Arrow batch; nothing is copied."""
        ids, types, lengths, targets = (batch.column(name) for name in ("ids", "token_types", "lengths", "targets"))
        return Block(
            ids.values.to_numpy(),
            types.values.to_numpy(),
            ids.offsets.to_numpy(),
            lengths.values.to_numpy(),
            lengths.offsets.to_numpy(),
            targets.values.to_numpy(),
            targets.offsets.to_numpy(),
            batch.column("truncated").to_numpy(),
            batch.column("metadata"),
        )

    def example(self, row: int, form: Form | None) -> Encoded:
        """One example; its arrays are read-only views."""
        at, inputs = int(self.tokens[row]), []
        for length in self.lengths[self.sequences[row] : self.sequences[row + 1]].tolist():
            inputs.append(Input(self.ids[at : at + length], self.token_types[at : at + length]))
            at += length
        numbers, targets = self.targets[self.places[row] : self.places[row + 1]], ()
        if form is not None and len(numbers):
            exact = numbers.astype(np.int64) if form.whole else numbers
            listed = exact.reshape(-1, form.width).tolist() if form.width else exact.tolist()
            targets = tuple(map(tuple, listed)) if form.width else tuple(listed)
        return Encoded(tuple(inputs), targets, unpacked(self.metadata[row].as_buffer()), int(self.truncated[row]))


class Examples(Sequence[Encoded]):
    """A split's encoded examples, from Arrow columns in memory or mapped from a file.

    An example becomes Python objects when it is asked for, and is not kept. What is mapped from a file is in memory
    only as far as it was read, once for all processes, and the system may take it back.

    :param batches: Their rows, in the layout of `SCHEMA`.
    :param form: What the targets look like; None if there are none.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], form: Form | None) -> None:
        self.blocks = [Block.of(batch) for batch in batches]
        self.form = form
        self._starts = np.cumsum([0, *(len(block.truncated) for block in self.blocks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoded]: ...
    def __getitem__(self, index: int | slice) -> Encoded | list[Encoded]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        block, row = self._place(row)
        return block.example(row, self.form)

    def __iter__(self) -> Iterator[Encoded]:
        for block in self.blocks:
            for row in range(len(block.truncated)):
                yield block.example(row, self.form)

    def _place(self, row: int) -> tuple[Block, int]:
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.blocks[number], row - int(self._starts[number])

    def gathered(self, rows: Sequence[int]) -> "Gathered":
        """The columns of some rows one after another, without an object for each."""
        found = [self._place(row) for row in rows]
        tokens = [slice(block.tokens[row], block.tokens[row + 1]) for block, row in found]
        sequences = [slice(block.sequences[row], block.sequences[row + 1]) for block, row in found]
        numbers = [block.targets[block.places[row] : block.places[row + 1]] for block, row in found]
        targets = np.concatenate(numbers) if found else np.zeros(0)
        return Gathered(
            np.concatenate([block.ids[part] for (block, _), part in zip(found, tokens, strict=True)]),
            np.concatenate([block.token_types[part] for (block, _), part in zip(found, tokens, strict=True)]),
            np.concatenate([block.lengths[part] for (block, _), part in zip(found, sequences, strict=True)]),
            tuple(int(part.stop - part.start) for part in sequences),
            self.form.shaped(targets) if self.form is not None and len(targets) else None,
        )

    @cached_property
    def lengths(self) -> np.ndarray:
        """[n] int64, how many tokens each example has in all its sequences."""
        return np.concatenate([np.zeros(0, np.int64), *(np.diff(block.tokens) for block in self.blocks)])

    @cached_property
    def vocabulary(self) -> np.ndarray:
        """See `vocabulary_of`."""
        return vocabulary_of(self.blocks)

    @cached_property
    def identity(self) -> str:
        """See `identity_of`."""
        return identity_of(self.blocks)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Some examples' columns.

    :param counts: How many sequences each example has.
    :param targets: None if none of them has any.
    """

    ids: np.ndarray
    token_types: np.ndarray
    lengths: np.ndarray
    counts: tuple[int, ...]
    targets: np.ndarray | None


def blocks_of(examples: Sequence[Encoded]) -> Iterator[Block]:
    """The columns of any examples, a block at a time. Metadata and targets of a plain list are left out."""
    if isinstance(examples, Examples):
        yield from examples.blocks
        return
    for at in range(0, len(examples), CHUNK):
        bare = [Encoded(one.inputs, truncated=one.truncated) for one in examples[at : at + CHUNK]]
        yield Block.of(block_of(bare)[0])


def block_of(examples: Sequence[Encoded]) -> tuple[pa.RecordBatch, Form | None]:
    """Examples as one Arrow batch, and what their targets look like (None if they have none).

    :raises TypeError: If targets or metadata are not what the contract of `values.Encoded` allows.
    """
    inputs = [one for example in examples for one in example.inputs]
    lengths = np.array([len(one.ids) for one in inputs], np.int32)
    sequences = _offsets([len(example.inputs) for example in examples])
    tokens = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])[sequences].astype(np.int32)
    numbers, places, form = _numbers([example.targets for example in examples])
    ids = np.concatenate([np.zeros(0, np.int32), *(one.ids for one in inputs)])
    token_types = np.concatenate([np.zeros(0, np.int8), *(one.token_types for one in inputs)])
    columns = [
        pa.ListArray.from_arrays(tokens, pa.array(ids, pa.int32())),
        pa.ListArray.from_arrays(tokens, pa.array(token_types, pa.int8())),
        pa.ListArray.from_arrays(sequences, pa.array(lengths, pa.int32())),
        pa.ListArray.from_arrays(places, pa.array(numbers, pa.float64())),
        pa.array([packed(example.metadata) for example in examples], pa.large_binary()),
        pa.array([example.truncated for example in examples], pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA), form


def identity_of(blocks: Iterable[Block]) -> str:
    """A hash of all sequences, and of how many each example has. How they are cut into blocks makes no difference."""
    digests = [hashlib.blake2b(digest_size=16) for _ in range(4)]
    for block in blocks:
        columns = (block.ids, block.token_types, block.lengths, np.diff(block.sequences))
        for digest, column in zip(digests, columns, strict=True):
            digest.update(np.ascontiguousarray(column).data)
    return hashlib.blake2b(b"".join(digest.digest() for digest in digests), digest_size=16).hexdigest()


def vocabulary_of(blocks: Iterable[Block]) -> np.ndarray:
    """The distinct token ids, sorted, int64."""
    seen = np.zeros(0, bool)
    for block in blocks:
        highest = int(block.ids.max(initial=-1))
        if highest >= len(seen):
            seen = np.pad(seen, (0, highest + 1 - len(seen)))
        seen[block.ids] = True
    return np.flatnonzero(seen)


def agreed(forms: Iterable[Form | None]) -> Form | None:
    """The one form of all blocks' targets.

    :raises TypeError: If there are two.
    """
    found = {form for form in forms if form is not None}
    if len(found) > 1:
        raise TypeError(f"the targets of a split must be of one kind and one shape. Found {found}")
    return next(iter(found), None)


def _offsets(counts: Sequence[int]) -> np.ndarray:
    return np.cumsum([0, *counts]).astype(np.int32)


def _numbers(targets: Sequence[Sequence[Any]]) -> tuple[np.ndarray, np.ndarray, Form | None]:
    """All targets as numbers one after another, where each example's begin, and what they look like."""
    values = np.array([target for each in targets for target in each])
    if not values.size:
        return np.zeros(0), np.zeros(len(targets) + 1, np.int32), None
    if values.dtype.kind not in "biuf" or values.ndim > 2 or (values.dtype.kind != "f" and abs(values).max() > LARGEST):
        raise TypeError(f"targets must be plain numbers, or tuples of numbers of one length. Found {targets[0]!r}")
    width = values.shape[1] if values.ndim == 2 else 0
    places = _offsets([len(each) * max(1, width) for each in targets])
    return values.reshape(-1).astype(np.float64), places, Form(values.dtype.kind != "f", width)
