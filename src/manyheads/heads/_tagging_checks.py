"""What tagging asks of its labels, its settings and its data; no torch, see `tagging.py`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from manyheads.core.encoder_info import PieceCounter
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.text_checks import BLOCK, LIMIT, column_problems, pieces_of, record
from manyheads.core.values import Table
from manyheads.metrics.conlleval import are_chunk_tags, misspelt

COLUMNS = ("words", "tags")


def unfit(labels: Sequence[str] | None, settings: Mapping[str, Any]) -> str | None:
    """Why there cannot be such a head."""
    names = list(labels or [])
    if len(names) < 2:
        return f"tagging: at least two tags are needed. Found {names}."
    for name in ("stride", "max_word"):
        if settings[name] < 1:
            return f"tagging: {name} is too small. Found {settings[name]}. Choose 1 or more."
    if settings["metric"] == "f1" and not are_chunk_tags(names):
        guesses = misspelt(names)
        remedy = 'Use metric = "accuracy".'
        if guesses:
            remedy = f"Did you mean {', '.join(list(guesses.values())[:5])}? Or {remedy[0].lower()}{remedy[1:]}"
        others = [name for name in names if not are_chunk_tags([name, "B"])]
        found = shown((list(guesses) or others)[:5])
        return f"tagging: metric f1 scores chunks, whose tags are O or begin with B- or I-. Found {found}. {remedy}"
    return stride_problem(settings, settings["max_length"])


def stride_problem(settings: Mapping[str, Any], room: int) -> str | None:
    """Windows with a gap between them would lose words: the stride may not exceed the room."""
    if settings["stride"] <= room:
        return None
    largest = f"Choose at most {room}." if room > 0 else "Choose a larger max_length."
    return (
        f"tagging: stride is longer than the room for words. Found stride {settings['stride']}, room {max(0, room)} "
        f"of max_length {settings['max_length']}. {largest}"
    )


def problems(table: Table, settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    if missing := column_problems(table, COLUMNS, where):
        return missing
    found = _words(table, where)
    if table.labelled:
        found = chain(found, _tags(table, where), _strangers(table, where))
    return list(islice(found, LIMIT))


def lengths(
    examples: Sequence[Mapping[str, Any]], counter: PieceCounter, settings: Mapping[str, Any]
) -> list[list[int]]:
    """How long each example's windows are.

    :raises StudyError: If windows would lie apart, now that it is known how many special tokens they hold.
    """
    special = counter.special(pair=False)
    room, stride = settings["max_length"] - special, settings["stride"]
    if problem := stride_problem(settings, room):
        raise StudyError([Problem("head", problem)])
    counts = pieces_of([f" {word}" for one in examples for word in one["words"]], counter)
    found = []
    for one in examples:
        size = sum(min(max(1, counts[f" {word}"]), settings["max_word"]) for word in one["words"])
        found.append([special + min(room, size - at) for at in range(0, max(1, size - room + stride), stride)])
    return found


def _rows(table: Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Each row's number and its values."""
    for start in range(0, len(table.rows), BLOCK):
        block = table.rows[start : start + BLOCK]
        yield from zip(range(start, start + BLOCK), *(block[name] for name in columns), strict=False)


def _words(table: Table, where: str) -> Iterator[Problem]:
    """Sentences without words, and words that are none."""
    for row, words in _rows(table, "words"):
        if not isinstance(words, list) or not words:
            remedy = 'Write a list of texts: ["A", "word"].'
            yield Problem(record(table, where, row), '"words" is not a list of words', shown(words), remedy)
            continue
        for place, word in enumerate(words, 1):
            if not isinstance(word, str) or not word.strip():
                what = f"word {place} of {len(words)} is empty"
                yield Problem(record(table, where, row), what, shown(word), "Give it a text, or leave it out.")


def _tags(table: Table, where: str) -> Iterator[Problem]:
    """Sentences that have not one tag for each word."""
    for row, words, tags in _rows(table, "words", "tags"):
        remedy = "Give each word one tag, a text."
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            yield Problem(record(table, where, row), '"tags" is not a list of texts', shown(tags), remedy)
        elif isinstance(words, list) and len(tags) != len(words):
            yield Problem(record(table, where, row), f"{len(words)} words have {len(tags)} tags", shown(tags), remedy)


def _strangers(table: Table, where: str) -> Iterator[Problem]:
    """A split most of whose tags are no labels is another data set; single ones are counted as wrong."""
    known, words, first, strange = set(table.labels or ()), 0, (), 0
    for row, tags in _rows(table, "tags"):
        unknown = [tag for tag in tags or () if tag not in known]
        words, strange = words + len(tags or ()), strange + len(unknown)
        first = first or ((row, unknown[0]) if unknown else ())
    if 2 * strange > words and first:
        what = f"{strange:,} of {words:,} tags are none of the labels"
        choices = ", ".join((table.labels or ())[:20])
        yield Problem(record(table, where, first[0]), what, shown(first[1]), f"Choose from: {choices}.")
