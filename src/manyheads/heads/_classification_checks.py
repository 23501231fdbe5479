"""What a classification asks of its labels and its data; no torch, see `classification.py`."""

import difflib
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
    names = list(labels or [])
    if len(names) < 2:
        return f"classification: at least two labels are needed. Found {names}. Name all with `labels` of the dataset."
    if settings["metric"] in ("f1", "auc") and len(names) != 2:
        remedy = 'Choose "macro_f1", "accuracy" or "matthews".'
        return f"classification: metric {settings['metric']} is for two labels. Found {len(names)}. {remedy}"
    return None


def problems(table: Table, settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    if found := column_problems(table, COLUMNS, where):
        return found
    texts = [name for name in ("text", "text_pair") if name in table.rows.column_names]
    return list(islice(chain(_labels(table, where), *(text_problems(table, name, where) for name in texts)), LIMIT))


def _labels(table: Table, where: str) -> Iterator[Problem]:
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
