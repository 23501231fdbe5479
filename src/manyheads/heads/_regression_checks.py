"""What a regression asks of its range and its data, and how its predictions are scored; no torch."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from manyheads.core.problems import Problem, shown
from manyheads.core.text_checks import first, record, text_cuts, text_lengths, texts_problems
from manyheads.core.values import Measure, Options, Table
from manyheads.metrics.resampled import ranks
from manyheads.metrics.score_files import Scores, is_number, missing_problems, read_labels, scored, stop

LARGEST = 1e100
"""Squares of larger numbers, and sums of them, would be infinite."""

SQUARED = 1e18
"""Of larger numbers the square is infinite in single precision, in which losses are computed."""

lengths = text_lengths
cuts = text_cuts


def unfit(labels: Sequence[str] | None, settings: Options) -> str | None:
    """Why there cannot be such a head."""
    low, high = settings["low"], settings["high"]
    if (low is None) != (high is None) or (low is not None and low >= high):
        remedy = "Give both, low below high, or neither."
        return f"regression: low and high are not a range. Found low = {low}, high = {high}. {remedy}"
    center, spread = settings["center"], settings["spread"]
    if low is not None and (center or spread not in (None, 1)):
        remedy = "Leave center and spread out, or low and high."
        return f"regression: the range scales the loss already. Found center = {center}, spread = {spread}. {remedy}"
    return None


def settled(settings: Options, train: Table) -> dict[str, float]:
    """`center` and `spread` as far as the study leaves them to the training labels; 0 and 1 where a range scales."""
    if settings["low"] is not None:
        return {"center": 0.0, "spread": 1.0}
    values = np.array(train.rows["label"][:], np.float64)
    own = {"center": float(values.mean()), "spread": float(values.std()) or 1.0}
    return {key: value for key, value in own.items() if settings[key] is None}


def notes(labels: Sequence[str] | None, settings: Options) -> list[str]:
    """What the plan says of the head."""
    center, spread = settings["center"] or 0.0, settings["spread"] or 1.0
    if (center, spread) == (0, 1):
        return []
    scale = f"(label - {center:,.6g}) / {spread:,.6g}"
    return [f"the loss is on {scale}, the mean and the spread of train's labels unless set; answers are as labels are"]


def problems(table: Table, settings: Options, where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    numbers = _numbers(table, where, settings) if table.labelled else ()
    return first(numbers, texts_problems(table, ("text", "text_pair"), where))


def outside(label: float | None, low: float | None, high: float | None) -> bool:
    """Whether a label lies outside the declared range; never, if none is declared."""
    return label is not None and low is not None and high is not None and not low <= label <= high


def range_problem(where: str, label: float, low: float | None, high: float | None) -> Problem:
    """A label outside the declared range."""
    remedy = "Correct the label, or low and high in the head's settings."
    return Problem(where, f"the label is outside the declared range {low} to {high}", shown(label), remedy)


def _numbers(table: Table, where: str, settings: Options) -> Iterator[Problem]:
    low, high, center, spread = (settings.get(name) for name in ("low", "high", "center", "spread"))
    if table.labels is not None:
        remedy = 'Set target = "number" in the dataset, or use the head classification.'
        yield Problem(where, "the labels are names of classes", shown(list(table.labels[:5])), remedy)
        return
    for row, label in enumerate(table.rows["label"][:]):
        if isinstance(label, bool) or not isinstance(label, int | float) or not math.isfinite(label):
            remedy = "Write it with a decimal point (3.5), or leave the record out."
            yield Problem(record(table, where, row), "the label is not a finite number", shown(label), remedy)
        elif outside(label, low, high):
            yield range_problem(record(table, where, row), label, low, high)
        elif max(abs(label), abs(label - (center or 0.0)) / (spread or 1.0)) > SQUARED:
            what = f"the label, or (label - center) / spread, is beyond {SQUARED:.0e}, and its square no number"
            remedy = "Divide the labels by a larger unit, or mend center and spread."
            yield Problem(record(table, where, row), what, shown(label), remedy)


def score(gold: Path, predictions: Path) -> Scores:
    """Correlations and the squared error of JSON lines with `id` and `label`; of predictions `value` will do as well.

    :raises StudyError: If labels are no numbers, or a record has no prediction.
    """
    problems: list[Problem] = []
    golds, given = read_labels(gold, problems, "label"), read_labels(predictions, problems, "label", "value")
    for path, labels in ((gold, golds), (predictions, given)):
        problems += [
            Problem(f"{path} (record {name})", "the label is not a finite number", shown(label), "Write a number: 3.5.")
            for name, label in labels.items()
            if not is_number(label) or abs(label) > LARGEST
        ]
    stop(problems or missing_problems(golds, given, predictions))
    items = np.array([(label, given[name]) for name, label in golds.items()], dtype=np.float64)
    measures = {
        "pearson": Measure("pearson", items),
        "spearman": Measure("pearson", np.stack([ranks(column) for column in items.T], axis=1)),
        "mse": Measure("mean", np.square(items[:, :1] - items[:, 1:])),
    }
    return scored(measures, golds, given)
