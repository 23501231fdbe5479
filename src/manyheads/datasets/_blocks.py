"""Read a sound file block by block into Arrow, so that a million rows are never a million Python objects.

Whatever is out of the ordinary (a row too short, a byte that is no text, a blank line in the middle) ends this reading
without a word: then `_files.py` reads the file whole, and says what is wrong and where. A mistake has one message.
"""

import csv
import gc
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, overload

import numpy as np
import pyarrow as pa

from manyheads.core.values import Example
from manyheads.datasets._json import DECODER, SURROGATE, is_squad

ROWS = 10_000
"""Rows of a block."""
LONGEST_LINE = 16_000_000
"""Characters. Longer lines are broken files, and would take the memory of the machine with them."""


Read = tuple[list[str], list[dict[str, pa.Array | list[Any]]], np.ndarray]
"""The names of the columns, the columns of each block, and the line of each row."""


Kept = Callable[[str], bool]
"""Whether a column is kept, by its name."""


class Odd(Exception):  # noqa: N818  (not an error: the thorough reading decides)
    """Something is out of the ordinary."""


class Column(Sequence[Any]):
    """The values of a column, kept in blocks: Arrow's where all values are texts or lists of texts, else a list.

    To iterate is quick and keeps nothing; single values are for messages.
    """

    def __init__(self, blocks: Iterable[Any]) -> None:
        self.blocks: list[Any] = list(blocks)
        self._ends = np.cumsum([len(block) for block in self.blocks])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.blocks else 0

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(index)
        number = int(np.searchsorted(self._ends, row, side="right"))
        block = self.blocks[number]
        value = block[row - int(self._ends[number]) + len(block)]
        return value.as_py() if isinstance(value, pa.Scalar) else value

    def __iter__(self) -> Iterator[Any]:
        for block in self.blocks:
            yield from block.to_pylist() if isinstance(block, pa.Array) else block

    @property
    def all_texts(self) -> bool:
        """Whether every value is a text, and all are kept by Arrow."""
        return all(
            isinstance(block, pa.Array) and block.type == pa.string() and not block.null_count for block in self.blocks
        )

    def only(self, rows: np.ndarray) -> "Column":
        """These rows, ascending."""
        found, begin = [], 0
        for block, end in zip(self.blocks, self._ends.tolist(), strict=True):
            inside = rows[(rows >= begin) & (rows < end)] - begin
            found.append(
                block.take(pa.array(inside)) if isinstance(block, pa.Array) else [block[row] for row in inside]
            )
            begin = end
        return Column(found)


def arrow_of(values: Sequence[Any], kind: pa.DataType) -> pa.ChunkedArray:
    """A column as Arrow; the blocks of a `Column` of that type are not copied."""
    blocks: list[Any] = values.blocks if isinstance(values, Column) else [values]
    ready = [isinstance(block, pa.Array) and block.type == kind for block in blocks]
    return pa.chunked_array(
        [block if good else pa.array(block, kind) for block, good in zip(blocks, ready, strict=True)], kind
    )


def read_blocks(
    path: Path,
    format: str,
    encoding: str,
    header: Sequence[str],
    separator: str,
    wanted: Container[str] | None = None,
) -> tuple[list[str], dict[str, Column], np.ndarray] | None:
    """The names of the columns, the columns, and the line of each row of a CSV, TSV or JSONL file.

    :param wanted: Which columns are kept: a file may have a million that nobody asks for. None keeps all.
    :returns: None if anything about it is out of the ordinary, or if it has no rows.
    """
    readers: dict[str, Callable[[Iterator[str], list[str], Kept], Read]] = {
        "csv": partial(_csv, separator),
        "tsv": _tsv,
        "jsonl": _json_lines,
    }
    if format not in readers or encoding.startswith(("utf-16", "utf-32")):
        return None
    try:
        with _uncollected(), path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="\n") as file:
            names, blocks, lines = readers[format](
                _lines(file), list(header), lambda name: wanted is None or name in wanted
            )
    except (Odd, UnicodeError, csv.Error, ValueError, RecursionError):
        return None
    return (
        (names, {name: Column(block[name] for block in blocks) for name in (blocks[0] if blocks else ())}, lines)
        if len(lines)
        else None
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for cycles: rows of texts have none, and it would take half of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _lines(file: TextIO) -> Iterator[str]:
    # `for line in file` would read a line without end to its end.
    for line in iter(partial(file.readline, LONGEST_LINE + 1), ""):
        if "\0" in line or len(line) > LONGEST_LINE:
            raise Odd
        yield line


def _csv(separator: str, file: Iterator[str], names: list[str], kept: Kept) -> Read:
    # The limit of the standard module (131,072 characters) is the process's, and shorter than texts may be.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    reader, begin = csv.reader(file, strict=True, delimiter=separator), 1

    def numbered() -> Iterator[tuple[int, list[str]]]:
        nonlocal begin
        for cells in reader:
            yield begin, cells
            begin = reader.line_num + 1

    return _table(numbered(), names, kept)


def _tsv(file: Iterator[str], names: list[str], kept: Kept) -> Read:
    def numbered() -> Iterator[tuple[int, list[str]]]:
        for number, line in enumerate(file, 1):
            line = line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")
            if "\r" in line:
                raise Odd
            yield number, line.split("\t")

    return _table(numbered(), names, kept)


def _table(rows: Iterator[tuple[int, list[str]]], names: list[str], kept: Kept) -> Read:
    names = names or next((cells for _, cells in rows), [])
    if len(names) < 2 or len(set(names)) < len(names):
        raise Odd
    places = [place for place, name in enumerate(names) if kept(name)]
    blocks, lines, sound = [], [], _without_blank_end(rows, names, places)
    while block := list(islice(sound, ROWS)):
        lines.append(np.array([line for line, _ in block], np.int64))
        columns = zip(*(cells for _, cells in block), strict=True)
        blocks.append({names[at]: pa.array(column, pa.string()) for at, column in zip(places, columns, strict=True)})
    return names, blocks, np.concatenate([np.zeros(0, np.int64), *lines])


def _without_blank_end(
    rows: Iterator[tuple[int, list[str]]], names: list[str], places: list[int]
) -> Iterator[tuple[int, list[str]]]:
    blank = False
    for line, cells in rows:
        if cells in ([], [""]):
            blank = True
        elif blank or len(cells) != len(names) or cells == names:
            raise Odd
        else:
            yield line, cells if len(places) == len(names) else [cells[place] for place in places]


def _json_lines(file: Iterator[str], header: list[str], kept: Kept) -> Read:
    names, columns = dict.fromkeys(header[:0]), dict.fromkeys(header[:0])  # every row names its own
    blocks: list[dict[str, pa.Array | list[Any]]] = []
    lines, rows = [], _objects(file)
    while block := list(islice(rows, ROWS)):
        lines.append(np.array([line for line, _ in block], np.int64))
        for _, row in block:
            names.update(dict.fromkeys(row))
            columns.update(dict.fromkeys(filter(kept, row)))
        blocks.append({name: _compact([row.get(name) for _, row in block]) for name in columns})
    if sum(map(len, lines)) < 2:
        raise Odd  # one object may be a whole document
    for block, numbers in zip(blocks, lines, strict=True):
        for name in columns:
            block.setdefault(name, pa.nulls(len(numbers), pa.string()))
    return list(names), blocks, np.concatenate(lines)


def _objects(file: Iterator[str]) -> Iterator[tuple[int, Example]]:
    for number, line in enumerate(file, 1):
        text = line.strip(" \t\n\r")
        if not text:
            continue
        if SURROGATE.search(text):
            raise Odd
        value, end = DECODER.raw_decode(text)
        if end < len(text) or not isinstance(value, dict) or is_squad(value):
            raise Odd
        yield number, value


def _compact(values: list[Any]) -> pa.Array | list[Any]:
    """Values as Arrow where they then come back as they are."""
    for kind, held in ((pa.string(), str), (pa.list_(pa.string()), list)):
        if all(value is None or type(value) is held for value in values):
            try:
                return pa.array(values, kind)
            except (pa.ArrowException, TypeError, ValueError):
                break  # lists of something else
    return values
