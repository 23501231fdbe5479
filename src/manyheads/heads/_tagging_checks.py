"""What tagging asks of its labels, settings and data, and how its predictions are scored; no torch."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.encoder_info import PieceCounter
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.text_checks import BLOCK, first, pieces_of, record, window_lengths
from manyheads.core.values import Example, Measure, Options, Table
from manyheads.metrics.conlleval import are_chunk_tags, counts, misspelt, other_scheme
from manyheads.metrics.score_files import Scores, read_labels, scored, stop


def unfit(labels: Sequence[str] | None, settings: Options) -> str | None:
    """Why there cannot be such a head."""
    names = list(labels or [])
    if len(names) < 2:
        return f"tagging: at least two tags are needed. Found {names}."
    if settings["metric"] == "f1" and not are_chunk_tags(names):
        guesses = misspelt(names)
        remedy = 'Use metric = "accuracy".'
        if guesses:
            remedy = f"Did you mean {', '.join(list(guesses.values())[:5])}? Or {remedy[0].lower()}{remedy[1:]}"
        others = [name for name in names if not are_chunk_tags([name, "B"])]
        found = shown((list(guesses) or others)[:5])
        return f"tagging: metric f1 scores chunks, whose tags are O or begin with B- or I-. Found {found}. {remedy}"
    if not settings["metric"] and not are_chunk_tags(names) and (other_scheme(names) or misspelt(names)):
        what = "the tags look like chunks, but are none as O, B-X, I-X, E-X, S-X have them"
        remedy = (
            'Write them so (dataset conll reads BILOU and BMES with `scheme`), or set metric = "accuracy" of the head.'
        )
        return f"tagging: {what}. Found {shown(names[:8])}. {remedy}"
    return stride_problem(settings, settings["max_length"])


def stride_problem(settings: Options, room: int) -> str | None:
    """Windows with a gap between them would lose words: the stride may not exceed the room."""
    if settings["stride"] <= room:
        return None
    largest = f"Choose at most {room}." if room > 0 else "Choose a larger max_length."
    return (
        f"tagging: stride is longer than the room for words. Found stride {settings['stride']}, room {max(0, room)} "
        f"of max_length {settings['max_length']}. {largest}"
    )


def problems(table: Table, settings: Options, where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    tags = [_tags(table, where), _strangers(table, where)] if table.labelled else []
    return first(_words(table, where), *tags)


def lengths(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[list[int]]:
    """How long each example's windows are.

    :raises StudyError: If windows would lie apart, now that it is known how many special tokens they hold.
    """
    special = counter.special(pair=False)
    if problem := stride_problem(settings, settings["max_length"] - special):
        raise StudyError([Problem("head", problem)])
    pieces = pieces_of([f" {word}" for one in examples for word in one["words"]], counter)
    sizes = [sum(min(max(1, pieces[f" {word}"]), settings["max_word"]) for word in one["words"]) for one in examples]
    return [window_lengths(size, special, settings) for size in sizes]


def cuts(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[tuple[int, int]]:
    """How many pieces each example has, and how many of them are cut off: of words longer than `max_word`."""
    pieces = pieces_of([f" {word}" for one in examples for word in one["words"]], counter)
    found = []
    for one in examples:
        sizes = [pieces[f" {word}"] for word in one["words"]]
        found.append((sum(sizes), sum(max(0, size - settings["max_word"]) for size in sizes)))
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


# ---- Scores ----


def score(gold: Path, predictions: Path) -> Scores:
    """Accuracy over words; for chunk tags also f1, precision and recall of chunks. JSON lines with `id` and `tags`.

    A sentence without prediction is wrong in every word, and no chunk is found in it.

    :raises StudyError: If lines have no `id` and `tags`, or as many tags as another number of words has.
    """
    problems: list[Problem] = []
    golds, given = _read_tags(gold, problems), _read_tags(predictions, problems)
    for name, tags in given.items():
        if name in golds and len(tags) != len(golds[name]):
            what = f"{len(tags)} tags where the gold file has {len(golds[name])}"
            problems.append(Problem(f"{predictions} (record {name})", what, "", "Predict one tag for each word."))
    chunked = _are_chunks(golds, gold, problems)
    stop(problems)
    found = [given.get(name, [""] * len(tags)) for name, tags in golds.items()]
    chunks = [given.get(name, ["O"] * len(tags)) for name, tags in golds.items()]
    measures = tag_measures(list(golds.values()), found, chunks if chunked else None)
    return scored(measures, golds, given, words=sum(map(len, golds.values())))


def tag_measures(
    golds: Sequence[Sequence[str]], found: Sequence[Sequence[str]], chunks: Sequence[Sequence[str]] | None
) -> dict[str, Measure]:
    """Accuracy over words; with the tags that chunks are found by also their f1, precision and recall."""
    pairs = zip(golds, found, strict=True)
    right = [(sum(a == b for a, b in zip(*pair, strict=True)), len(pair[0])) for pair in pairs]
    measures = {"accuracy": _ratio(right)}
    if chunks is not None:
        rows = np.array([counts(*pair) for pair in zip(golds, chunks, strict=True)], dtype=np.float64).reshape(-1, 3)
        correct, guessed, true = rows.T
        measures["f1"] = _ratio(np.stack([2 * correct, guessed + true], axis=1))
        measures["precision"] = _ratio(np.stack([correct, guessed], axis=1))
        measures["recall"] = _ratio(np.stack([correct, true], axis=1))
    return measures


def _ratio(rows: Any) -> Measure:
    return Measure("ratio", np.array(rows, dtype=np.float64).reshape(-1, 2))


def _read_tags(path: Path, problems: list[Problem]) -> dict[str, list[str]]:
    return read_labels(path, problems, "tags", good=_are_texts, what="tags (a list of texts)", example='["...", "..."]')


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _are_chunks(golds: Mapping[str, Sequence[str]], path: Path, problems: list[Problem]) -> bool:
    distinct = {tag for tags in golds.values() for tag in tags}
    for tag, guess in misspelt(distinct).items():
        name = next(name for name, tags in golds.items() if tag in tags)
        remedy = f"Did you mean {shown(guess)}?"
        problems.append(Problem(f"{path} (record {name})", "the tag is nearly a chunk tag", shown(tag), remedy))
    return are_chunk_tags(distinct)
