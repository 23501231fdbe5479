"""Read a JSON file, or JSON lines, strictly: what is broken, ambiguous or no text is named with its line and column."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manyheads.core.foreign_files import open_plain
from manyheads.core.problems import Problem, shown

LARGEST = 1 << 30
"""The largest file in bytes: a mistaken path must not fill the memory."""

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


DEEPEST = 100
"""So many lists or tables in one another are a mistake or an attack, and would exhaust what walks through them."""


def too_deep(value: object) -> bool:
    """Whether plain values are nested more than `DEEPEST` times."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        inside = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level, depth = [part for parts in inside for part in parts if isinstance(part, dict | list)], depth + 1
    return bool(level)


def read_json(path: Path, problems: list[Problem]) -> Any:
    """The value of a file; None if it cannot be read, and `problems` then says why."""
    text = read_text(path, problems)
    return None if text is None else _parse(text, path, 1, problems)


def read_json_lines(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """Each line's number and value; broken lines are left out, and `problems` says why."""
    for number, line in enumerate((read_text(path, problems) or "").split("\n"), 1):
        if line.strip():
            value = _parse(line, path, number, problems)
            if value is not None:
                yield number, value


def read_text(path: Path, problems: list[Problem]) -> str | None:
    """A file's text; None if it cannot be read, and `problems` then says why."""
    where = str(path)
    try:
        if not path.is_file():
            what = "this is not a file" if path.exists() else "there is no such file"
            problems.append(Problem(where, what, "", "Check the path."))
            return None
        with open_plain(path) as file:
            if (size := os.fstat(file.fileno()).st_size) > LARGEST:
                what, found = f"the file is larger than {LARGEST} bytes", f"{size} bytes"
                problems.append(Problem(where, what, found, "Is it the right file?"))
                return None
            data = file.read()
    except OSError as error:
        problems.append(Problem(where, f"the file cannot be read ({error.strerror})", "", "Check its permissions."))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        found = f"byte 0x{data[error.start]:02x} at {error.start}"
        problems.append(Problem(f"{where}:{line}", "the file is not UTF-8", found, "Save it as UTF-8."))
        return None


class _TwiceError(ValueError):
    """A key stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(key for key, _ in pairs if key in seen or seen.add(key)))
    return value


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _parse(text: str, path: Path, line: int, problems: list[Problem]) -> Any:
    """The value of a text that begins at `line` of the file."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        where = f"{path}:{line + error.lineno - 1}"
        around = shown(text[max(0, error.pos - 30) : error.pos + 20])
        remedy = "Was it cut off?" if not text[error.pos :].strip() else "Mend it, or write it again."
        problems.append(Problem(where, f"broken JSON at column {error.colno} ({error.msg})", around, remedy))
    except _TwiceError as error:
        second = _second(text, str(error))
        where = str(path) if second is None else f"{path}:{line + second}"
        problems.append(Problem(where, "a key stands twice in one object", shown(str(error)), "Leave one of them out."))
    except RecursionError:
        problems.append(Problem(f"{path}:{line}", "the JSON is nested too deeply", shown(text[:60]), "Flatten it."))
    except ValueError as error:  # NaN, Infinity, or a whole number of more than 4300 digits
        at = re.search(r"\b(NaN|Infinity)\b|(?<!\d)\d{4300}", text)
        where = f"{path}:{line + text.count(chr(10), 0, at.start() if at else 0)}"
        problems.append(Problem(where, str(error).split(";")[0], "", "Write a finite number."))
    else:
        if too_deep(value):
            problems.append(Problem(f"{path}:{line}", "the JSON is nested too deeply", shown(text[:60]), "Flatten it."))
            return None
        lone = _lone_surrogate(value) if _ESCAPED_SURROGATE.search(text) else None
        if lone is None:
            if value is None:
                problems.append(Problem(f"{path}:{line}", "there is nothing but null", "", "Is it the right file?"))
            return value
        at = text.find(f"\\u{ord(lone):04x}") if f"\\u{ord(lone):04x}" in text else text.find(f"\\u{ord(lone):04X}")
        where = f"{path}:{line + text.count(chr(10), 0, max(0, at))}"
        found = shown(text[max(0, at - 20) : at + 12])
        problems.append(Problem(where, "half of a surrogate pair is no character", found, "Write the character again."))
    return None


def _second(text: str, key: str) -> int | None:
    """How many lines before the second place of a key; None if its spelling does not tell which place that is."""
    places = [match.start() for match in re.finditer(re.escape(json.dumps(key, ensure_ascii=False)), text)]
    return text.count("\n", 0, places[1]) if len(places) == 2 else None


def _lone_surrogate(value: Any) -> str | None:
    """Half of a surrogate pair in any text of a value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and (match := _SURROGATE.search(one)):
            return match[0]
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
    return None
