"""Answers of a saved model to JSON lines: several tasks over the same texts share one pass of the encoder."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from manyheads.core.problems import Problem, StudyError, among, shown
from manyheads.core.text_checks import encodes
from manyheads.core.values import LONGEST_TEXT, Answer, Example, Pieces, Tokenizer
from manyheads.training.model import MultiTaskModel, open_model
from manyheads.training.prediction import predict

CHUNK = 512
"""Lines answered at a time, so that an endless input gets its answers as it goes."""
LONGEST = 2 * LONGEST_TEXT
"""Characters in a line: a file without line ends must not fill the memory."""
MOST = 20
"""Problems shown before giving up."""


def answer(
    model: Path, tasks: Sequence[str], file: str, code: Path | None = None, *, verify: bool = True
) -> Iterator[Answer]:
    """One line for each line of the file: with one task its answer, with several a table of answers by task.

    :param file: A path, or "-" for standard input.
    :param verify: Compare the model's files with what was written.
    :raises StudyError: If the folder holds no model, a task is not in it, or lines are not what the heads ask for.
    """
    opened = open_model(model, code, verify=verify)
    _check_tasks(opened, tasks, "--task")
    with _opened(file) as stream:
        for lines in _chunks(_examples(stream, file, opened, tasks)):
            yield from answers(opened, tasks, lines)


def replies(model: MultiTaskModel, tasks: Sequence[str], questions: Iterable[Any]) -> list[Answer]:
    """The same for questions that are Python values: what a line would hold, or a text alone.

    :raises StudyError: If a task is not in the model, or questions are not what the heads ask for.
    """
    _check_tasks(model, tasks, "task")
    problems, lines = list[Problem](), list[Example]()
    for number, question in enumerate(questions, 1):
        example = {"text": question} if isinstance(question, str) else question
        found = _checked(example, f"question {number}", str(number), model, tasks)
        if isinstance(found, list):
            problems += found
        else:
            lines.append(found)
    if problems:
        raise StudyError(problems[:MOST])
    parts = (lines[start : start + CHUNK] for start in range(0, len(lines), CHUNK))
    return [reply for part in parts for reply in answers(model, tasks, part)]


def _check_tasks(model: MultiTaskModel, tasks: Sequence[str], where: str) -> None:
    for task in tasks:
        if task not in model.tasks:
            raise StudyError([Problem(where, f'the model has no task "{task}"', "", among(task, model.tasks))])
    if not tasks:
        raise StudyError([Problem(where, "name at least one task", "", f"There are: {', '.join(model.tasks)}.")])


def _opened(file: str) -> TextIO:
    if file == "-":
        return sys.stdin
    try:
        return Path(file).open(encoding="utf-8", newline="\n")
    except OSError as error:
        problem = Problem(
            file, f"cannot be read: {error.strerror}", "", "Give a file of JSON lines, or - to type them."
        )
        raise StudyError([problem]) from error


def _examples(stream: TextIO, file: str, model: MultiTaskModel, tasks: Sequence[str]) -> Iterator[Example]:
    problems: list[Problem] = []
    try:
        for number, line in enumerate(iter(lambda: stream.readline(LONGEST + 1), ""), 1):
            if not line.strip():
                continue
            if len(line) > LONGEST:
                what = f"the line has more than {LONGEST:,} characters"
                problems.append(Problem(f"{file}:{number}", what, shown(line), "Write one object in each line."))
                break
            found = _example(line, f"{file}:{number}", model, tasks)
            if isinstance(found, list):
                problems += found
            else:
                yield found
            if len(problems) >= MOST:
                break
    except UnicodeDecodeError as error:
        problems.append(Problem(file, f"not UTF-8: {error.reason}", "", "Save it as UTF-8."))
    if problems:
        raise StudyError(problems)


def _example(line: str, where: str, model: MultiTaskModel, tasks: Sequence[str]) -> Example | list[Problem]:
    try:
        example = json.loads(line)
    except (ValueError, RecursionError) as error:
        return [
            Problem(where, f"not a line of JSON: {error}", shown(line.strip()), 'For example {"text": "A fine film."}')
        ]
    return _checked(example, where, where.rsplit(":", 1)[1], model, tasks)


def _checked(
    example: Any, where: str, number: str, model: MultiTaskModel, tasks: Sequence[str]
) -> Example | list[Problem]:
    """A question with an id, its number if it has none; or what is wrong with it."""
    if not isinstance(example, dict):
        return [Problem(where, "should be a JSON object", shown(example), 'For example {"text": "A fine film."}')]
    problems = []
    name = example.get("id", 0)
    if isinstance(name, bool) or not isinstance(name, str | int) or not encodes(str(name)):
        problems.append(Problem(where, '"id" should be a text or a whole number', shown(name), "It names the answer."))
    for task in tasks:
        for column in _asked(model, task):
            if wanted := model.head(task).question_problem(column, example.get(column)):
                what = f'"{column}" should be {wanted}'
                problems.append(Problem(where, what, shown(example.get(column)), f"The task {task} asks for it."))
    return problems or {**example, "id": example.get("id", number)}


def _asked(model: MultiTaskModel, task: str) -> list[str]:
    """The columns that a task was trained on and that a question must therefore have."""
    head = model.head(task)
    trained = model.specification["tasks"][task].get("columns", head.columns)
    return [name for name in head.asked if name in trained or name in head.columns]


def _chunks(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Lines to answer together. A mistake further down never costs the answers to the lines above it."""
    chunk: list[Example] = []
    refused: StudyError | None = None
    try:
        for example in examples:
            chunk.append(example)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    except StudyError as error:
        refused = error
    if chunk:
        yield chunk
    if refused is not None:
        raise refused


class _CutOnce:
    """A tokenizer that cuts each text into pieces once, whichever heads ask for it, and is the given one otherwise."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Pieces] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._tokenizer.pieces(new), strict=True))
        return [self._known[text] for text in texts]


def answers(
    model: MultiTaskModel, tasks: Sequence[str], lines: Sequence[Example], precision: str = "fp32"
) -> Iterator[Answer]:
    """The answers to lines that were found to be what the heads ask for; see `answer`. Gold labels are not looked at.

    Each text is tokenised once, and tasks that ask about the same sequences share one pass of the encoder.
    """
    tokenizer = _CutOnce(model.tokenizer)
    encoded = {task: model.head(task).encode(_questions(lines, _asked(model, task)), tokenizer) for task in tasks}
    found: Mapping[str, list[Answer]] = predict(model, encoded, precision)
    for index, line in enumerate(lines):
        if len(tasks) == 1:
            yield {"id": line["id"], **found[tasks[0]][index]}
        else:
            yield {"id": line["id"], **{task: found[task][index] for task in tasks}}


def _questions(lines: Sequence[Example], columns: Sequence[str]) -> list[Example]:
    """What a task was trained to read: an answer does not depend on what stands beside it for another task."""
    return [{name: line[name] for name in ("id", *columns)} for line in lines]
