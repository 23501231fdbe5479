"""Scores of a prediction file against a gold file, for predictions that any program wrote.

`span` takes SQuAD's own files and gives what the official scripts print, in percent. The other heads take JSON lines
with `id` and `label` (`tagging`: `id` and `tags`), `dependency` takes CoNLL-U files; they give fractions.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.strict_json import read_json, read_json_lines
from manyheads.core.values import Measure
from manyheads.metrics import resampled, squad
from manyheads.metrics.score_sequences import score_dependency, score_tagging

LIMIT = 20
LARGEST = 1e100
"""Squares of larger numbers, and sums of them, would be infinite."""
Scores = dict[str, Any]
"""Figures; None for one that is undefined, and `undefined` then says why: metric to reason."""


def score_files(
    head: str, gold: Path, predictions: Path, null_odds: Path | None = None, threshold: float = 1.0
) -> Scores:
    """The metrics of `head`, then how many predictions are `missing` (scored as wrong) and how many ids are `unknown`.

    :param head: `span`, `classification`, `multiple_choice`, `regression`, `tagging` or `dependency`.
    :param null_odds: For SQuAD v2.0: a JSON object, question id to how sure the model is that there is no answer.
    :param threshold: Null odds above it mean no answer; the official script's default is 1.
    """
    scorers: dict[str, Callable[[Path, Path], Scores]] = {
        "span": lambda gold, predictions: _span(gold, predictions, null_odds, threshold),
        "classification": _classification,
        "multiple_choice": _classification,
        "regression": _regression,
        "tagging": score_tagging,
        "dependency": score_dependency,
    }
    if head not in scorers:
        raise StudyError([Problem("HEAD", "there is no such head", shown(head), f"Choose from: {', '.join(scorers)}.")])
    if null_odds is not None and head != "span":
        raise StudyError([Problem("--null-odds", f"the head {head} knows no null odds", "", "Leave it out.")])
    return scorers[head](gold, predictions)


# ---- SQuAD ----


def _span(gold: Path, predictions: Path, null_odds: Path | None, threshold: float) -> Scores:
    problems: list[Problem] = []
    document, answers = read_json(gold, problems), read_json(predictions, problems)
    odds = None if null_odds is None else read_json(null_odds, problems)
    questions = _questions(document, gold, problems)
    given = _mapping(answers, predictions, problems, str, "a text")
    chances = None if odds is None or null_odds is None else _mapping(odds, null_odds, problems, float, "a number")
    is_v2 = _is_v2(document, [question for question, _ in questions])
    golds = _golds(questions, is_v2, problems)
    if chances is not None:
        problems += _odds_problems(golds, given, chances, is_v2, str(null_odds))
    _stop(problems)
    result = squad.evaluate_v2(golds, given, chances, threshold) if is_v2 else squad.evaluate_v1(golds, given)
    return dict(result) | _counts(golds, given)


def _questions(document: Any, path: Path, problems: list[Problem]) -> list[tuple[Any, str]]:
    """Every question of a SQuAD file with its place in it."""
    if document is None:
        return []
    found = []
    for article, at in _children(document, "data", str(path) + ":", problems):
        for paragraph, within in _children(article, "paragraphs", at, problems):
            found += _children(paragraph, "qas", within, problems)
    if not found and not problems:
        problems.append(Problem(str(path), "there are no questions", "", "Is it SQuAD's JSON (data, paragraphs, qas)?"))
    return found


def _children(value: Any, key: str, at: str, problems: list[Problem]) -> Iterator[tuple[Any, str]]:
    children = value.get(key) if isinstance(value, dict) else None
    if not isinstance(children, list):
        remedy = "The gold file is SQuAD's JSON: data, in it paragraphs, in them qas."
        problems.append(Problem(at.rstrip(":"), f'there is no list "{key}"', shown(value, 60), remedy))
        return
    for index, child in enumerate(children):
        yield child, f"{at}{'' if at.endswith(':') else '.'}{key}[{index}]"


def _is_v2(document: Any, questions: list[Any]) -> bool:
    version = str(document.get("version", "")).removeprefix("v") if isinstance(document, dict) else ""
    return version.startswith("2") or any(isinstance(one, dict) and "is_impossible" in one for one in questions)


def _golds(questions: list[tuple[Any, str]], is_v2: bool, problems: list[Problem]) -> dict[str, list[str]]:
    golds: dict[str, list[str]] = {}
    for question, at in questions:
        name = question.get("id") if isinstance(question, dict) else None
        answers = question.get("answers") if isinstance(question, dict) else None
        if not isinstance(name, str) or not isinstance(answers, list):
            problems.append(Problem(at, "a question needs an id (a text) and answers (a list)", shown(question), ""))
            continue
        texts = [answer.get("text") if isinstance(answer, dict) else None for answer in answers]
        where = f"{at} (record {name})"
        if not all(isinstance(text, str) for text in texts):
            problems.append(Problem(where, "an answer has no text", shown(answers), 'Write {"text": "..."}.'))
        if name in golds:
            problems.append(Problem(where, "the id stands twice in the gold file", "", "Make the ids unique."))
        if not texts and not is_v2:
            remedy = 'In SQuAD v2.0 that is allowed: write "version": "v2.0".'
            problems.append(Problem(where, "the question has no answer, but the file is SQuAD v1.1", "", remedy))
        if is_v2 and question.get("is_impossible", not texts) is not (not texts):
            found = f"is_impossible: {shown(question['is_impossible'])}, {len(texts)} answers"
            problems.append(Problem(where, "is_impossible contradicts the answers", found, "Correct one of them."))
        golds[name] = [text for text in texts if isinstance(text, str)]
    return golds


def _mapping(value: Any, path: Path, problems: list[Problem], kind: type, words: str) -> dict[str, Any]:
    """One JSON object of id to text, or id to number."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(Problem(str(path), f"the file is not one object of id to {words}", shown(value), ""))
        return {}
    for name, one in value.items():
        if not (_is_number(one) if kind is float else isinstance(one, kind)):
            problems.append(Problem(f"{path} (record {name})", f"the value is not {words}", shown(one), ""))
    return value


def _odds_problems(
    golds: Mapping[str, Any], given: Mapping[str, Any], odds: Mapping[str, Any], is_v2: bool, where: str
) -> Iterator[Problem]:
    if not is_v2:
        yield Problem(where, "SQuAD v1.1 knows no null odds", "", "Leave --null-odds out.")
        return
    without = [name for name in given if name in golds and name not in odds]
    if without:
        found = f"{len(without)} of {len(given)}, such as {shown(without[0])}"
        yield Problem(where, "predictions have no null odds", found, "Give every prediction a number.")


# ---- JSON lines ----


def _classification(gold: Path, predictions: Path) -> Scores:
    problems: list[Problem] = []
    golds, given = _labels(gold, problems, ("label",)), _labels(predictions, problems, ("label",))
    for path, labels in ((gold, golds), (predictions, given)):
        problems += [
            Problem(f"{path} (record {name})", "the label is not a name", shown(label), "Write it as a text.")
            for name, label in labels.items()
            if isinstance(label, bool | float) or not isinstance(label, str | int)
        ]
    _stop(problems)
    names = sorted({str(label) for label in [*golds.values(), *given.values()]})
    index = {name: place for place, name in enumerate(names)}
    # A missing prediction is a class of its own, so that it is wrong in every metric.
    gold_column = [index[str(label)] for label in golds.values()]
    column = [index[str(given[name])] if name in given else len(names) for name in golds]
    items = np.array([gold_column, column], dtype=np.float64).T
    correct = Measure("mean", (items[:, :1] == items[:, 1:]).astype(np.float64))
    measures = {"accuracy": correct, "macro_f1": Measure("macro_f1", items), "matthews": Measure("matthews", items)}
    return _valued(measures) | {"total": len(items)} | _counts(golds, given) | _undefined(measures)


def _regression(gold: Path, predictions: Path) -> Scores:
    problems: list[Problem] = []
    golds, given = _labels(gold, problems, ("label",)), _labels(predictions, problems, ("label", "value"))
    for path, labels in ((gold, golds), (predictions, given)):
        problems += [
            Problem(f"{path} (record {name})", "the label is not a finite number", shown(label), "Write a number: 3.5.")
            for name, label in labels.items()
            if not _is_number(label) or abs(label) > LARGEST
        ]
    without = [name for name in golds if name not in given]
    if without and not problems:
        found = f"{len(without)} of {len(golds)} missing, such as {shown(without[0])}"
        problems.append(Problem(str(predictions), "a missing number has no score", found, "Predict every record."))
    _stop(problems)
    items = np.array([(label, given[name]) for name, label in golds.items()], dtype=np.float64)
    ranked = np.stack([resampled.ranks(column) for column in items.T], axis=1)
    measures = {
        "pearson": Measure("pearson", items),
        "spearman": Measure("pearson", ranked),
        "mse": Measure("mean", np.square(items[:, :1] - items[:, 1:])),
    }
    return _valued(measures) | {"total": len(items)} | _counts(golds, given) | _undefined(measures)


def _labels(path: Path, problems: list[Problem], keys: tuple[str, ...]) -> dict[str, Any]:
    """Id to label from JSON lines; `keys` are the names that the label may have."""
    labels: dict[str, Any] = {}
    before = len(problems)
    for number, row in read_json_lines(path, problems):
        where = f"{path}:{number}"
        key = next((key for key in keys if isinstance(row, dict) and key in row), None)
        if key is None or not isinstance(row.get("id"), str | int) or isinstance(row["id"], bool):
            wanted = f'Write {{"id": "...", "{keys[0]}": ...}}, one object in each line.'
            problems.append(Problem(where, f"the line needs an id (a text) and a {keys[0]}", shown(row), wanted))
            continue
        if str(row["id"]) in labels:
            problems.append(Problem(where, "the id stands twice in the file", shown(row["id"]), "Make the ids unique."))
        labels[str(row["id"])] = row[key]
    if not labels and len(problems) == before:
        problems.append(Problem(str(path), "the file is empty", "", "Write one object in each line."))
    return labels


def _is_number(value: Any) -> bool:
    """A number that a float can hold: JSON's 1e999 is infinite, and whole numbers have no limit."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _valued(measures: Mapping[str, Measure]) -> Scores:
    return {name: resampled.score(one) for name, one in measures.items()}


def _undefined(measures: Mapping[str, Measure]) -> Scores:
    reasons = {name: reason for name, one in measures.items() if (reason := resampled.undefined(one))}
    return {"undefined": reasons} if reasons else {}


def _counts(golds: Mapping[str, Any], given: Mapping[str, Any]) -> Scores:
    missing, unknown = sum(name not in given for name in golds), sum(name not in golds for name in given)
    return {"missing": missing, "unknown": unknown}


def _stop(problems: list[Problem]) -> None:
    if problems:
        raise StudyError(problems[:LIMIT])
