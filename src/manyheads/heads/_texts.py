"""Texts as several heads read them: checks of text columns, and pairs cut to a length."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from manyheads.types import Input, Pieces, Problem, Table, Tokenizer, shown

LIMIT = 20


def record(table: Table, where: str, row: int) -> str:
    """Where a mistake is: the split, and the record's id."""
    return f"{where} (record {table.rows['id'][row]})" if "id" in table.rows.column_names else f"{where} (row {row})"


def column_problems(table: Table, columns: Sequence[str], where: str) -> list[Problem]:
    """Missing columns, or no rows at all: what makes every other check pointless."""
    found = list(table.rows.column_names)
    wanted = [name for name in columns if table.labelled or name not in ("label", "answers")]
    problems = []
    for name in wanted:
        if name in found:
            continue
        close = difflib.get_close_matches(name, found, n=1, cutoff=0.4)
        source = close[0] if close else "YOUR_COLUMN"
        problems.append(
            Problem(where, f'the column "{name}" is missing', ", ".join(found) or "no columns",
                    f'Rename one in the dataset\'s settings: columns = {{ {name} = "{source}" }}.')
        )  # fmt: skip
    if not problems and len(table.rows) == 0:
        problems.append(Problem(where, "the split has no rows", "", "Check the file, or the split's name."))
    return problems


def text_problems(table: Table, column: str, where: str) -> Iterator[Problem]:
    """Texts that are null, not text, or empty."""
    for row, text in enumerate(table.rows[column][:]):
        if isinstance(text, str) and text and not text.isspace():
            continue
        what = f'"{column}" is empty' if text is None or isinstance(text, str) else f'"{column}" is not a text'
        remedy = "Give the record a text, or leave the record out."
        yield Problem(record(table, where, row), what, shown(text), remedy)


def label_problems(table: Table, where: str) -> Iterator[Problem]:
    """Labels that are null, or none of the declared names."""
    names = table.labels or ()
    if len(names) < 2:
        yield Problem(where, "a classification needs at least two labels", shown(list(names)),
                      "Name them in the dataset's settings: labels = [\"no\", \"yes\"].")  # fmt: skip
        return
    if not table.labelled:
        return
    labels = table.rows["label"][:]
    for wrong in sorted(set(labels) - set(names), key=str):
        row, count = labels.index(wrong), labels.count(wrong)
        if wrong is None:
            yield Problem(record(table, where, row), f'"label" is missing in {count} of {len(labels)} records', "None",
                          "Label these records, or leave them out.")  # fmt: skip
            continue
        close = difflib.get_close_matches(str(wrong), names, n=1)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        yield Problem(record(table, where, row), f"not one of the labels, in {count} of {len(labels)} records",
                      shown(wrong), f"Choose from: {', '.join(names)}.{hint}")  # fmt: skip


def pieces_of(texts: Sequence[str], tokenizer: Tokenizer) -> dict[str, Pieces]:
    """Each distinct text's pieces, each text cut into pieces once."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, tokenizer.pieces(distinct), strict=True))


def cut(first: int, second: int, room: int) -> tuple[int, int]:
    """How many pieces of two texts to keep: the longer one gives first, as in BERT's `_truncate_seq_pair`."""
    if first + second <= room:
        return first, second
    if second <= room // 2:
        return room - second, second
    if first <= room - room // 2:
        return first, room - first
    return room - room // 2, room // 2


def fit(first: np.ndarray, second: np.ndarray | None, tokenizer: Tokenizer, max_length: int) -> tuple[Input, int]:
    """One sequence of at most `max_length` from one or two texts' ids, and how many ids were cut off."""
    room = tokenizer.room(second is not None, max_length)
    if second is None:
        return tokenizer.join(first[:room]), max(0, len(first) - room)
    keep_first, keep_second = cut(len(first), len(second), room)
    clipped = len(first) + len(second) - keep_first - keep_second
    return tokenizer.join(first[:keep_first], second[:keep_second]), clipped


def encode_texts(
    examples: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, max_length: int
) -> list[tuple[Input, int]]:
    """Each example's `text`, with its `text_pair` if it has one, as one sequence, and how many ids were cut off."""
    pairs = [(example["text"], example.get("text_pair")) for example in examples]
    pieces = pieces_of([text for pair in pairs for text in pair if text is not None], tokenizer)
    return [
        fit(pieces[first].ids, None if second is None else pieces[second].ids, tokenizer, max_length)
        for first, second in pairs
    ]
