"""What a multiple choice asks of its data, and how its predictions are scored; no torch."""

from collections.abc import Iterator, Sequence
from typing import Any

from manyheads.core.encoder_info import PieceCounter
from manyheads.core.problems import Problem, shown
from manyheads.core.text_checks import first, fitted, pieces_of, record, texts_problems
from manyheads.core.values import Example, Options, Table
from manyheads.metrics.score_files import score_labels

score = score_labels


def unfit(labels: Sequence[str] | None, settings: Options) -> str | None:
    """Any labels and settings will do: questions have their own choices."""
    return None


def problems(table: Table, settings: Options, where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    return first(_choices(table, where), texts_problems(table, ("text",), where))


def lengths(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[list[int]]:
    """How long each example's sequences are, one for each choice."""
    counts = pieces_of([text for one in examples for text in (one["text"], *one["choices"])], counter)
    return [
        [fitted(counts[one["text"]] + counts[choice], counter, True, settings) for choice in one["choices"]]
        for one in examples
    ]


def cuts(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[tuple[int, int]]:
    """How many pieces each example's sequences have, and how many of them are cut off."""
    counts = pieces_of([text for one in examples for text in (one["text"], *one["choices"])], counter)
    room, found = settings["max_length"] - counter.special(True), []
    for one in examples:
        sizes = [counts[one["text"]] + counts[choice] for choice in one["choices"]]
        found.append((sum(sizes), sum(max(0, size - room) for size in sizes)))
    return found


def _index(label: Any) -> int | None:
    """The index that a label means; None if it means none."""
    if isinstance(label, str) and label.isascii() and label.isdigit():
        return int(label)
    return label if isinstance(label, int) and not isinstance(label, bool) else None


def _choices(table: Table, where: str) -> Iterator[Problem]:
    all_choices = table.rows["choices"][:]
    labels = table.rows["label"][:] if table.labelled else [0] * len(all_choices)
    for row, (choices, label) in enumerate(zip(all_choices, labels, strict=True)):
        at = record(table, where, row)
        if not isinstance(choices, list) or len(choices) < 2:
            what = '"choices" is not a list of at least two texts'
            yield Problem(at, what, shown(choices), "Give every question two or more choices.")
            continue
        if not all(isinstance(choice, str) and choice.strip() for choice in choices):
            yield Problem(at, "a choice is empty or not a text", shown(choices), "Give every choice a text.")
        index = _index(label)
        if index is None or not 0 <= index < len(choices):
            remedy = f"Count from 0: choose from 0 to {len(choices) - 1}."
            yield Problem(at, "the label is not the index of a choice", shown(label), remedy)
