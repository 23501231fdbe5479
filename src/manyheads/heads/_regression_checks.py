"""What a regression asks of its range and its data; no torch, see `regression.py`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from manyheads.core.problems import Problem, shown
from manyheads.core.text_checks import LIMIT, column_problems, record, text_lengths, text_problems
from manyheads.core.values import Table

COLUMNS = ("text", "label")

lengths = text_lengths


def unfit(labels: Sequence[str] | None, settings: Mapping[str, Any]) -> str | None:
    """Why there cannot be such a head."""
    low, high = settings["low"], settings["high"]
    if (low is None) == (high is None) and (low is None or low < high):
        return None
    remedy = "Give both, low below high, or neither."
    return f"regression: low and high are not a range. Found low = {low}, high = {high}. {remedy}"


def problems(table: Table, settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    if missing := column_problems(table, COLUMNS, where):
        return missing
    texts = [name for name in ("text", "text_pair") if name in table.rows.column_names]
    found = chain(*(text_problems(table, name, where) for name in texts))
    if table.labelled:
        found = chain(_numbers(table, where, settings["low"], settings["high"]), found)
    return list(islice(found, LIMIT))


def outside(label: float | None, low: float | None, high: float | None) -> bool:
    """Whether a label lies outside the declared range; never, if none is declared."""
    return label is not None and low is not None and high is not None and not low <= label <= high


def range_problem(where: str, label: float, low: float | None, high: float | None) -> Problem:
    """A label outside the declared range."""
    return Problem(where, f"the label is outside the declared range {low} to {high}", shown(label),
                   "Correct the label, or low and high in the head's settings.")  # fmt: skip


def _numbers(table: Table, where: str, low: float | None, high: float | None) -> Iterator[Problem]:
    for row, label in enumerate(table.rows["label"][:]):
        if isinstance(label, bool) or not isinstance(label, int | float) or not math.isfinite(label):
            yield Problem(record(table, where, row), "the label is not a finite number", shown(label),
                          "Write it with a decimal point (3.5), or leave the record out.")  # fmt: skip
        elif outside(label, low, high):
            yield range_problem(record(table, where, row), label, low, high)
