"""Files of predictions that any program wrote, and files of what is right: read, checked, scored. Heads share it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.strict_json import read_json_lines
from manyheads.core.values import Answer, Example, Measure
from manyheads.metrics import resampled

LIMIT = 20
Scores = dict[str, Any]
"""Figures; None for one that is undefined, and `undefined` then says why: metric to reason."""


def score_rows(
    gold: Path,
    predictions: Path,
    columns: Sequence[str],
    measures: Callable[[list[str] | None, Sequence[Answer], Sequence[Example]], Mapping[str, Measure]],
) -> Scores:
    """The metrics of rows of JSON lines that are what a head answers; each gold row needs a prediction.

    :param columns: What a gold row must have beside its id.
    :param measures: The metrics, from the labels, the answers, and the gold rows in the same order. The labels are the
        texts that the first of the columns and the answers' first values hold; None if they hold none.
    """
    problems: list[Problem] = []
    golds, given = read_rows(gold, problems, columns), read_rows(predictions, problems)
    stop(problems or missing_problems(golds, given, predictions))
    rows, answers = list(golds.values()), [dict(given[name]) for name in golds]
    said = [next((value for key, value in answer.items() if key != "id"), None) for answer in answers]
    try:
        found = measures(_texts([*(row[columns[0]] for row in rows), *said]), answers, rows)
        return scored(found, golds, given)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        what = "the rows are not what the head answers, or the gold rows are not what it learns from"
        remedy = "Compare a line with what `manyheads predict` prints."
        raise StudyError([Problem(str(predictions), what, f"{type(error).__name__}: {error}", remedy)]) from error


def _texts(values: Sequence[Any]) -> list[str] | None:
    """The different texts among values and in lists of them, sorted; None if there is none."""
    parts = [part for value in values for part in (value if isinstance(value, list) else [value])]
    return sorted({part for part in parts if isinstance(part, str)}) or None


def score_labels(gold: Path, predictions: Path) -> Scores:
    """Accuracy, macro F1 and Matthews correlation of JSON lines with `id` and `label`, a name or a whole number.

    A missing prediction is a class of its own, so that it is wrong in every metric.

    :raises StudyError: If lines have no `id` and `label`.
    """
    problems: list[Problem] = []
    golds, given = read_labels(gold, problems, "label"), read_labels(predictions, problems, "label")
    for path, labels in ((gold, golds), (predictions, given)):
        problems += [
            Problem(f"{path} (record {name})", "the label is not a name", shown(label), "Write it as a text.")
            for name, label in labels.items()
            if isinstance(label, bool | float) or not isinstance(label, str | int)
        ]
    stop(problems)
    names = sorted({str(label) for label in [*golds.values(), *given.values()]})
    index = {name: place for place, name in enumerate(names)}
    guesses = [index[str(given[name])] if name in given else len(names) for name in golds]
    items = np.array([[index[str(label)] for label in golds.values()], guesses], dtype=np.float64).T
    correct = Measure("mean", (items[:, :1] == items[:, 1:]).astype(np.float64))
    measures = {"accuracy": correct, "macro_f1": Measure("macro_f1", items), "matthews": Measure("matthews", items)}
    return scored(measures, golds, given)


def scored(
    measures: Mapping[str, Measure], golds: Mapping[str, object], given: Mapping[str, object], **totals: int
) -> Scores:
    """Each metric's value; then the totals, what is missing and unknown, and which metrics are undefined."""
    reasons = {name: reason for name, one in measures.items() if (reason := resampled.undefined(one))}
    values = {name: resampled.score(one) for name, one in measures.items()}
    undefined = {"undefined": reasons} if reasons else {}
    return values | {"total": len(golds)} | totals | missing_and_unknown(golds, given) | undefined


def missing_and_unknown(golds: Mapping[str, object], given: Mapping[str, object]) -> Scores:
    """How many ids have no prediction, and how many predictions are of no id."""
    missing, unknown = sum(name not in given for name in golds), sum(name not in golds for name in given)
    return {"missing": missing, "unknown": unknown}


def missing_problems(golds: Mapping[str, object], given: Mapping[str, object], path: Path) -> list[Problem]:
    """For metrics in which a missing prediction cannot be scored as wrong."""
    without = [name for name in golds if name not in given]
    if not without:
        return []
    found = f"{len(without)} of {len(golds)} missing, such as {shown(without[0])}"
    return [Problem(str(path), "a missing prediction has no score", found, "Predict every record.")]


def stop(problems: Sequence[Problem]) -> None:
    """Refuse files in which there are mistakes.

    :raises StudyError: With the first of them.
    """
    if problems:
        raise StudyError(list(problems[:LIMIT]))


# ---- Reading ----


def read_rows(path: Path, problems: list[Problem], columns: Sequence[str] = ()) -> dict[str, Example]:
    """Id to row, from JSON lines that have all these columns beside their `id`."""
    what = " and ".join(["an id (a text)", *(f'"{name}"' for name in columns)])
    example = ", ".join(['"id": "..."', *(f'"{name}": ...' for name in columns)])
    return _read(path, problems, lambda row: all(name in row for name in columns), what, example)


def read_labels(
    path: Path,
    problems: list[Problem],
    *keys: str,
    good: Callable[[Any], bool] = lambda _: True,
    what: str = "a label",
    example: str = "...",
) -> dict[str, Any]:
    """Id to label, from JSON lines.

    :param keys: The names that the label may have.
    :param good: Whether a value can be a label at all; `what` says what it is, `example` what it looks like.
    """

    def named(row: Example) -> str:
        return next((key for key in keys if key in row), keys[0])

    wanted = f'"id": "...", "{keys[0]}": {example}'
    rows = _read(
        path, problems, lambda row: named(row) in row and good(row[named(row)]), f"an id (a text) and {what}", wanted
    )
    return {name: row[named(row)] for name, row in rows.items()}


def _read(
    path: Path, problems: list[Problem], good: Callable[[Example], bool], what: str, example: str
) -> dict[str, Example]:
    found: dict[str, Example] = {}
    before = len(problems)
    for number, row in read_json_lines(path, problems):
        where, name = f"{path}:{number}", row.get("id") if isinstance(row, dict) else None
        if not isinstance(name, str | int) or isinstance(name, bool) or not good(row):
            remedy = f"Write {{{example}}}, one object in each line."
            problems.append(Problem(where, f"the line needs {what}", shown(row), remedy))
            continue
        if str(name) in found:
            problems.append(Problem(where, "the id stands twice in the file", shown(name), "Make the ids unique."))
        found[str(name)] = row
    if not found and len(problems) == before:
        problems.append(Problem(str(path), "the file is empty", "", "Write one object in each line."))
    return found


def is_number(value: Any) -> bool:
    """A number that a float can hold: JSON's 1e999 is infinite, and whole numbers have no limit."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
