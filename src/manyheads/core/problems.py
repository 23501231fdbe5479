"""What is wrong with an input, said so that it can be mended: where, what, what was found, what would work."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from manyheads.core.printable import printable

LONGEST_NAME, MOST_NAMES = 200, 10_000
"""Of what is compared with what was written, to say what was meant."""
LONGEST = 2_000
"""Characters of each part of a message: an id may have a million."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a study, a file or a setting: where it is, what is wrong, what was found, what would work."""

    where: str
    what: str
    found: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        where, what, found, remedy = (_cut(part) for part in (self.where, self.what, self.found, self.remedy))
        found, remedy = f" Found {found}." if found else "", f" {remedy}" if remedy else ""
        return printable(f"{where}: {what.rstrip('.')}.{found}{remedy}")


def _cut(text: str, limit: int = LONGEST) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def shown(value: object, limit: int = 80) -> str:
    """A value as a message shows it: with quotes and escapes, at most `limit` characters long."""
    if isinstance(value, str | list | tuple) and len(value) > 100 * limit:
        value = value[: 100 * limit]  # enough to be cut below
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more than 4300 digits, or one thing in another 1000 times
        text = f"a value of type {type(value).__name__} that is too large to show"
    return _cut(text, limit)


def counted(number: int, thing: str) -> str:
    """A number of things: 1 row, 2,000 rows."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


class StudyError(ValueError):
    """Bad input, with every problem that was found, not only the first. The command exits with 2."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def close(found: str, choices: Iterable[str], most: int = 1, cutoff: float = 0.6) -> str:
    """'Did you mean "x" or "y"?' with the choices that are close, else nothing.

    :param most: So many choices are named.
    :param cutoff: How alike they have to be, from 0 to 1.
    """
    names = [f'"{shown(one)[1:-1]}"' for one in nearest(found, choices, most, cutoff)]
    return f"Did you mean {' or '.join(names)}?" if names else ""


def nearest(found: str, choices: Iterable[str], most: int, cutoff: float) -> list[str]:
    """The choices that are close. Of very many, or very long ones, nobody has mistyped one, and it would take hours."""
    short = (one for one in choices if len(one) <= LONGEST_NAME)
    return (
        difflib.get_close_matches(found, islice(short, MOST_NAMES), most, cutoff) if len(found) <= LONGEST_NAME else []
    )


def repeated(names: Iterable[str]) -> list[str]:
    """The names that stand there more than once, sorted."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def among(found: str, choices: Iterable[str]) -> str:
    """The choice that was probably meant, if some choice is close, then the whole list."""
    choices = list(choices)
    return f"{close(found, choices)} Choose from: {', '.join(choices)}.".lstrip()


def unknown_names(found: Iterable[str], choices: Iterable[str], where: str) -> list[Problem]:
    """A problem for each name that is not among the choices, with the one that was probably meant."""
    choices, what = list(choices), "names what this arm does not have"
    return [Problem(where, what, shown(name), among(name, choices)) for name in found if name not in choices]
