"""Read JSON strictly (lines, one array, or SQuAD's own document), and say line and column of every mistake."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from manyheads.core.problems import shown
from manyheads.core.values import Example
from manyheads.datasets._checks import Problems

SPACE = re.compile(r"[ \t\n\r]*")
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
COLUMNS = {"text", "label", "question", "context"}
"""What a row has, one of them at least."""
ONE_PER_LINE = "Write one object per line, or one array of objects."


def read_rows(text: str, where: str, problems: Problems) -> tuple[list[Example], list[int]]:
    """The rows of a file and the line of each; 0 where rows have no line of their own."""
    _check_surrogates(text, where, problems)
    start = _skip(text, 0)
    if text[start] == "[":
        found = _array(text, start + 1, where, problems)
    elif (document := _document(text, start, where, problems)) is not None:
        found = ((row, 0) for row in document)
    else:
        found = _lines(text, where, problems)
    rows, lines = [], []
    for row, line in found:
        parts = list(_questions({"paragraphs": [row]})) if _is_paragraph(row) else [row]
        if _is_article(row):
            parts = list(_questions(row))
        for part in parts:
            if isinstance(part, dict):
                rows.append(part)
                lines.append(line if len(parts) == 1 and part is row else 0)
            else:
                problems.add(f"{where}:{line}", "a row is not an object", shown(part), ONE_PER_LINE)
    if len(rows) == 1:
        _refuse_columns(rows[0], where, problems)
    return rows, lines


def is_squad(row: Any) -> bool:
    """Whether a row holds questions of its own, as a paragraph or an article of SQuAD does."""
    return _is_paragraph(row) or _is_article(row)


def _is_paragraph(row: Any) -> bool:
    return isinstance(row, dict) and "context" in row and _of_objects(row.get("qas"))


def _is_article(row: Any) -> bool:
    return isinstance(row, dict) and _of_objects(row.get("paragraphs"))


def _of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, dict) for part in value)


def _refuse_columns(row: Example, where: str, problems: Problems) -> None:
    """One object that is not a row: its columns as lists or as objects, its splits, or its rows under another key."""
    keys, found = list(row), shown(list(row)[:6])
    lists = bool(keys) and all(isinstance(value, list) for value in row.values())
    if len(keys) > 1 and all(isinstance(value, dict) for value in row.values()):
        what = "the file is one object, and each of its values another"
    elif lists and all(isinstance(part, list | dict) for value in row.values() for part in value):
        what = "the file is one object of lists, such as one for each split"
    elif lists and len(keys) > 1:
        what = "the file is one object with a list for each column"
    elif inner := [] if COLUMNS.intersection(keys) else [key for key in keys if _of_objects(row[key])]:
        what = f"the file is one object, and its rows seem to stand in it under {shown(inner[0])}"
    else:
        return
    remedy = 'Write a file for each split, with one object for each row: [{"text": "…", "label": "…"}, …]'
    problems.add(where, what, found, f'{remedy}, or the same under "data". pandas: to_json(FILE, orient="records").')


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {shown(twice)} stands twice in one object")
    return row


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def _skip(text: str, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at


def _next(text: str, at: int, where: str, line: int, problems: Problems) -> tuple[Any, int] | None:
    """The value that begins at `at` and where it ends; None if it is broken, which is then noted."""
    try:
        return DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        line, column = line + text.count("\n", at, error.pos), error.pos - text.rfind("\n", 0, error.pos)
        cut = not text[error.pos :].strip() or error.msg.startswith("Unterminated")
        remedy = "Was it cut off?" if cut else ONE_PER_LINE if error.pos == at else "Mend or write it again."
        around = text[max(0, error.pos - 30) : error.pos + 20]
        problems.add(f"{where}:{line}", f"broken JSON at column {column} ({error.msg})", shown(around), remedy)
    except RecursionError:
        problems.add(f"{where}:{line}", "the JSON is nested too deeply", shown(text[at : at + 60]), "Flatten it.")
    except ValueError as error:
        problems.add(f"{where}:{line}", str(error), shown(text[at : at + 200]), "Mend or write it again.")
    return None


def _lines(text: str, where: str, problems: Problems) -> Iterator[tuple[Any, int]]:
    for number, line in enumerate(text.split("\n"), 1):
        start = _skip(line, 0)
        if start == len(line) or (value := _next(line, start, where, number, problems)) is None:
            continue
        end = _skip(line, value[1])
        if end < len(line):
            problems.add(
                f"{where}:{number}", f"more than one value, from column {end + 1} on", shown(line), ONE_PER_LINE
            )
        yield value[0], number


def _array(text: str, at: int, where: str, problems: Problems) -> Iterator[tuple[Any, int]]:
    """Element by element, so that each has its line. After a mistake the rest cannot be read."""
    line, counted = 1, 0
    while True:
        at = _skip(text, at)
        line, counted = line + text.count("\n", counted, at), at
        if text.startswith("]", at):
            break
        if (value := _next(text, at, where, line, problems)) is None:
            return
        yield value[0], line
        at = _skip(text, value[1])
        if text.startswith(",", at):
            at += 1
        elif not text.startswith("]", at):
            line += text.count("\n", counted, at)
            problems.add(
                f"{where}:{line}", 'a "," or "]" is missing after a row', shown(text[at : at + 60]), "Was it cut off?"
            )
            return
    if text[at + 1 :].strip():
        problems.add(f"{where}:{line}", "more text stands after the array", shown(text[at + 1 :].strip()), ONE_PER_LINE)


def _document(text: str, start: int, where: str, problems: Problems) -> list[Any] | None:
    """The rows of a file that is one object, such as SQuAD's; None if it is something else."""
    if text[start:].split("\n", 1)[0].strip() == "{":
        value = _next(text, start, where, 1 + text.count("\n", 0, start), problems)
        problems.stop()
    else:
        try:
            value = DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return None
    if value is None or text[value[1] :].strip():
        return None
    data = value[0].get("data") if isinstance(value[0], dict) else None
    if not isinstance(data, list):
        return None if "\n" not in text[start : value[1]] else [value[0]]
    articles = [entry for entry in data if isinstance(entry, dict) and isinstance(entry.get("paragraphs"), list)]
    return [row for article in articles for row in _questions(article)] if articles else data


def _questions(article: Example) -> Iterator[Any]:
    """SQuAD's article -> paragraph -> question, as one row per question."""
    for paragraph in article["paragraphs"]:
        questions = paragraph.get("qas", []) if isinstance(paragraph, dict) else None
        if not isinstance(questions, list):
            yield questions if isinstance(paragraph, dict) else paragraph  # `read_rows` says that it is no row
            continue
        about = {"title": article.get("title"), "context": paragraph.get("context")}
        for question in questions:
            yield {**about, **question} if isinstance(question, dict) else question


def _check_surrogates(text: str, where: str, problems: Problems) -> None:
    """Half of a pair such as \\ud83d\\ude00 is no character, and no tokenizer takes it."""
    if not SURROGATE.search(text):
        return
    for number, line in enumerate(text.split("\n"), 1):
        for start in _lone_surrogates(line) if SURROGATE.search(line) else ():
            found = shown(line[max(0, start - 20) : start + 12])
            problems.add(
                f"{where}:{number}", f"half of a surrogate pair at column {start + 1}", found, "Write it again."
            )


def _lone_surrogates(line: str) -> list[int]:
    lone: list[int] = []
    first_half_ends = -1
    for escape in ESCAPE.finditer(line):
        code = int(escape[1], 16) if escape[1] else 0
        if 0xDC00 <= code <= 0xDFFF and escape.start() == first_half_ends:
            lone.pop()
        elif 0xD800 <= code <= 0xDFFF:
            lone.append(escape.start())
        first_half_ends = escape.end() if 0xD800 <= code <= 0xDBFF else -1
    return lone
