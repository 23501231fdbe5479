"""What a classification asks of its labels and its data, and how its predictions are scored; no torch."""

from collections.abc import Iterator, Sequence

from manyheads.core.problems import Problem, close, shown
from manyheads.core.text_checks import first, record, text_lengths, texts_problems
from manyheads.core.values import Options, Table
from manyheads.metrics.score_files import score_labels

lengths = text_lengths
score = score_labels


def unfit(labels: Sequence[str] | None, settings: Options) -> str | None:
    """Why there cannot be such a head."""
    names = list(labels or [])
    if len(names) < 2:
        return f"classification: at least two labels are needed. Found {names}. Name all with `labels` of the dataset."
    if settings["metric"] in ("f1", "auc") and len(names) != 2:
        remedy = 'Choose "macro_f1", "accuracy" or "matthews".'
        return f"classification: metric {settings['metric']} is for two labels. Found {len(names)}. {remedy}"
    return None


def problems(table: Table, settings: Options, where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    return first(_labels(table, where), texts_problems(table, ("text", "text_pair"), where))


def _labels(table: Table, where: str) -> Iterator[Problem]:
    """Labels that are null, or none of the declared names."""
    names = table.labels or ()
    if len(names) < 2:
        remedy = 'Name them in the dataset\'s settings: labels = ["no", "yes"].'
        yield Problem(where, "a classification needs at least two labels", shown(list(names)), remedy)
        return
    if not table.labelled:
        return
    labels = table.rows["label"][:]
    for wrong in sorted(set(labels) - set(names), key=str):
        at, count = record(table, where, labels.index(wrong)), f"in {labels.count(wrong)} of {len(labels)} records"
        if wrong is None:
            yield Problem(at, f'"label" is missing {count}', "None", "Label these records, or leave them out.")
            continue
        remedy = f"Choose from: {', '.join(names)}. {close(str(wrong), names)}".rstrip()
        yield Problem(at, f"not one of the labels, {count}", shown(wrong), remedy)
