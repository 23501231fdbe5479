"""What a classification asks of its labels and its data, and how its predictions are scored; no torch."""

import json
from collections.abc import Iterator, Sequence

from manyheads.core.problems import Problem, close, shown
from manyheads.core.text_checks import first, record, text_cuts, text_lengths, texts_problems
from manyheads.core.values import Options, Table
from manyheads.metrics.score_files import score_labels

lengths = text_lengths
cuts = text_cuts
score = score_labels


def unfit(labels: Sequence[str] | None, settings: Options) -> str | None:
    """Why there cannot be such a head."""
    names = list(labels or [])
    if len(names) < 2:
        return f"classification: at least two labels are needed. Found {names}. Name all with `labels` of the dataset."
    if settings["metric"] in ("f1", "auc") and len(names) != 2:
        remedy = 'Choose "macro_f1", "accuracy" or "matthews".'
        return f"classification: metric {settings['metric']} is for two labels. Found {len(names)}. {remedy}"
    if settings["positive"] and (len(names) != 2 or settings["positive"] not in names):
        what = "positive is not one of the labels" if len(names) == 2 else "positive is for two labels"
        return f"classification: {what}. Found {shown(settings['positive'])}. The labels are: {', '.join(names[:20])}."
    return None


def positive_class(labels: Sequence[str] | None, declared: str) -> str | None:
    """The class that f1 and auc are about: the declared one, or else the last; None unless there are two."""
    return (declared or labels[-1]) if labels is not None and len(labels) == 2 else None


def notes(labels: Sequence[str] | None, settings: Options) -> list[str]:
    """What the plan says of the head."""
    positive = positive_class(labels, settings["positive"])
    how = "declared" if settings["positive"] else "the last label; `positive` of the head names another"
    return [] if positive is None else [f"f1 and auc are about the class {shown(positive)} ({how})"]


def remarks(train: Table, settings: Options, where: str) -> list[Problem]:
    """A warning where the headline is about the commoner class, and nobody has said so."""
    positive = positive_class(train.labels, settings["positive"])
    if settings["metric"] not in ("f1", "auc") or settings["positive"] or positive is None or not train.labels:
        return []
    labels = list(train.rows["label"][:])
    count, other = labels.count(positive), next(name for name in train.labels if name != positive)
    if 2 * count <= len(labels):
        return []
    what = f"{settings['metric']} is about the class {shown(positive)}, the commoner one, because none is declared"
    remedy = f"If {shown(other)} is looked for, set positive = {json.dumps(other, ensure_ascii=False)} of the head."
    return [Problem(where, what, f"{count:,} of {len(labels):,} rows of train", remedy)]


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
