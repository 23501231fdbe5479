"""What a multiple choice asks of its data; no torch, see `multiple_choice.py`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from manyheads.core.encoder_info import PieceCounter
from manyheads.core.problems import Problem, shown
from manyheads.core.text_checks import LIMIT, column_problems, fitted, pieces_of, record, text_problems
from manyheads.core.values import Table

COLUMNS = ("text", "choices", "label")


def unfit(labels: Sequence[str] | None, settings: Mapping[str, Any]) -> str | None:
    """Any labels and settings will do: questions have their own choices."""
    return None


def problems(table: Table, settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    if found := column_problems(table, COLUMNS, where):
        return found
    return list(islice(chain(_choices(table, where), text_problems(table, "text", where)), LIMIT))


def lengths(
    examples: Sequence[Mapping[str, Any]], counter: PieceCounter, settings: Mapping[str, Any]
) -> list[list[int]]:
    """How long each example's sequences are, one for each choice."""
    counts = pieces_of([text for one in examples for text in (one["text"], *one["choices"])], counter)
    return [
        [fitted(counts[one["text"]] + counts[choice], counter, True, settings) for choice in one["choices"]]
        for one in examples
    ]


def _index(label: Any) -> int | None:
    """The index that a label means; None if it means none."""
    if isinstance(label, str) and label.isascii() and label.isdigit():
        return int(label)
    return label if isinstance(label, int) and not isinstance(label, bool) else None


def _choices(table: Table, where: str) -> Iterator[Problem]:
    all_choices = table.rows["choices"][:]
    labels = table.rows["label"][:] if table.labelled else [0] * len(all_choices)
    for row, (choices, label) in enumerate(zip(all_choices, labels, strict=True)):
        if not isinstance(choices, list) or len(choices) < 2:
            yield Problem(record(table, where, row), '"choices" is not a list of at least two texts', shown(choices),
                          "Give every question two or more choices.")  # fmt: skip
            continue
        if not all(isinstance(choice, str) and choice.strip() for choice in choices):
            yield Problem(record(table, where, row), "a choice is empty or not a text", shown(choices),
                          "Give every choice a text.")  # fmt: skip
        index = _index(label)
        if index is None or not 0 <= index < len(choices):
            yield Problem(record(table, where, row), "the label is not the index of a choice", shown(label),
                          f"Count from 0: choose from 0 to {len(choices) - 1}.")  # fmt: skip
