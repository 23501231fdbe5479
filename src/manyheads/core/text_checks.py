"""Texts as several heads check and measure them, before any encoder is there. Imports no torch: the checks of heads
(`heads/_*_checks.py`) share it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from manyheads.core.encoder_info import PieceCounter
from manyheads.core.problems import Problem, StudyError, nearest, shown
from manyheads.core.values import Example, Options, Table

LIMIT = 20
"""Problems of one split that are shown."""
BLOCK = 10_000
"""Rows looked at together, so that memory does not grow with the split."""


def record(table: Table, where: str, row: int) -> str:
    """Where a mistake is: the split, and the record's id."""
    return f"{where} (record {table.rows['id'][row]})" if "id" in table.rows.column_names else f"{where} (row {row})"


def first(*found: Iterable[Problem]) -> list[Problem]:
    """The problems of one split that are shown; the others are not looked for."""
    return list(islice(chain(*found), LIMIT))


def column_problems(table: Table, columns: Sequence[str], gold: Sequence[str], where: str) -> list[Problem]:
    """Missing columns, or no rows at all: what makes every other check pointless.

    :param gold: Those of the columns that only a labelled split needs.
    """
    found = list(table.rows.column_names)
    problems = []
    for name in columns:
        if name in found or (name in gold and not table.labelled):
            continue
        close = nearest(name, found, 1, 0.4)
        remedy = f'columns = {{ {name} = "{close[0] if close else "YOUR_COLUMN"}" }}'
        what, there = f'the column "{name}" is missing', ", ".join(found[:LIMIT]) or "no columns"
        problems.append(Problem(where, what, there, f"Rename one in the dataset's settings: {remedy}."))
    if not problems and len(table.rows) == 0:
        problems.append(Problem(where, "the split has no rows", "", "Check the file, or the split's name."))
    return problems[:LIMIT]


def is_text(value: object) -> bool:
    """Whether a value is a text that is not empty, and that tokenizers take: none with half of a surrogate pair."""
    return isinstance(value, str) and bool(value.strip()) and encodes(value)


def encodes(text: str) -> bool:
    """False if half of a surrogate pair stands in the text, which no tokenizer takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def texts_problems(table: Table, columns: Sequence[str], where: str) -> Iterator[Problem]:
    """Texts that are null, not text, or empty, in those of the columns that there are."""
    return chain(*(_text_problems(table, name, where) for name in columns if name in table.rows.column_names))


def _text_problems(table: Table, column: str, where: str) -> Iterator[Problem]:
    for start in range(0, len(table.rows), BLOCK):
        for row, text in enumerate(table.rows[start : start + BLOCK][column], start):
            if isinstance(text, str) and text and not text.isspace():
                continue
            what = f'"{column}" is empty' if text is None or isinstance(text, str) else f'"{column}" is not a text'
            remedy = "Give the record a text, or leave the record out."
            yield Problem(record(table, where, row), what, shown(text), remedy)


def text_lengths(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[list[int]]:
    """How long the sequences of each example are: its `text`, with its `text_pair` if it has one, cut to `max_length`
    or in windows of it.

    :raises StudyError: As `text_windows`.
    """
    found = []
    for sizes in _text_sizes(examples, counter):
        special = counter.special(len(sizes) == 2)
        if settings["overflow"] == "windows":
            short, room, stride = text_windows(sizes, settings["max_length"] - special, settings)
            windowed = {"max_length": settings["max_length"], "stride": stride}
            found.append(window_lengths(max(sizes) if room else 0, special + short, windowed))
        else:
            found.append([fitted(sum(sizes), counter, len(sizes) == 2, settings)])
    return found


def text_cuts(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[tuple[int, int]]:
    """How many pieces each example of `text_lengths` has, and how many of them are cut off."""
    found = []
    for sizes in _text_sizes(examples, counter):
        room = settings["max_length"] - counter.special(len(sizes) == 2)
        if settings["overflow"] == "windows":
            short, _, _ = text_windows(sizes, room, settings)
            found.append((sum(sizes), min(sizes) - short if len(sizes) == 2 else 0))
        else:
            found.append((sum(sizes), max(0, sum(sizes) - room)))
    return found


def text_windows(sizes: Sequence[int], room: int, settings: Options) -> tuple[int, int, int]:
    """How windows lie over one text, or over the longer of two of which the shorter stands in every window.

    :param sizes: The pieces of one text or of two.
    :param room: How many pieces of text fit into a window.
    :returns: How many pieces of the shorter text are kept (at most half of the room, unless both fit whole; 0 if there
        is none), how many of the longer one a window takes, and how many pieces each window lies after the one before.
    :raises StudyError: If windows would lie apart, or there is no room for any.
    """
    short = min(sizes) if len(sizes) == 2 else 0
    if sum(sizes) > room:
        short = min(short, room // 2)
    stride = settings["stride"] or max(1, settings["max_length"] // 2)
    if room < 1 or (settings["stride"] and stride > room):
        remedy = f"Choose at most {room}." if room > 0 else "Choose a larger max_length."
        found = f"stride {stride}, room {max(0, room)} of max_length {settings['max_length']}"
        raise StudyError([Problem("head", "windows would lie apart, and the text between them be lost", found, remedy)])
    return short, room - short, min(stride, room - short)


def _text_sizes(examples: Sequence[Example], counter: PieceCounter) -> list[list[int]]:
    """How many pieces the `text` of each example has, and its `text_pair` if it has one."""
    given = [(example["text"], example.get("text_pair")) for example in examples]
    texts = [[first] if second is None else [first, second] for first, second in given]
    counts = pieces_of([text for pair in texts for text in pair], counter)
    return [[counts[text] for text in pair] for pair in texts]


def pieces_of(texts: Sequence[str], counter: PieceCounter) -> dict[str, int]:
    """How many pieces each distinct text has."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, counter.pieces(distinct), strict=True))


def fitted(pieces: int, counter: PieceCounter, pair: bool, settings: Options) -> int:
    """How long a sequence of so many pieces of text is with its special tokens, cut to `max_length`."""
    return min(pieces + counter.special(pair), settings["max_length"])


def window_lengths(pieces: int, taken: int, settings: Options) -> list[int]:
    """How long the windows over so many pieces of text are, of `max_length` each, the next `stride` pieces on.

    :param taken: How much of every window other pieces and special tokens take.
    """
    room, stride = settings["max_length"] - taken, settings["stride"]
    return [taken + min(room, pieces - at) for at in range(0, max(1, pieces - room + stride), stride)]
