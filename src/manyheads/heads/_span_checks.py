"""What reading comprehension asks of its settings and its data; no torch, see `span.py`."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from manyheads.core.encoder_info import PieceCounter
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.text_checks import LIMIT, column_problems, pieces_of, record, text_problems
from manyheads.core.values import Table

COLUMNS = ("question", "context", "answers")
_REPAIR = "Correct answer_start, counted in characters from 0, or leave the record out."


def unfit(labels: Sequence[str] | None, settings: Mapping[str, Any]) -> str | None:
    """Why there cannot be such a head."""
    for name in ("max_question", "max_answer", "nbest", "shown", "stride"):
        if settings[name] < 1:
            return f"span: {name} is too small. Found {settings[name]}. Choose 1 or more."
    return stride_problem(settings, settings["max_length"] - settings["max_question"])


def stride_problem(settings: Mapping[str, Any], room: int) -> str | None:
    """Windows with a gap between them would lose text: the stride may not exceed the room for the context."""
    stride, question, length = (settings[name] for name in ("stride", "max_question", "max_length"))
    if stride <= room:
        return None
    largest = f"Choose at most {room}" if room > 0 else "Choose a larger max_length"
    return (
        f"span: stride is longer than the room that a question of {question} pieces leaves. Found stride "
        f"{stride}, room {max(0, room)} of max_length {length}. {largest}, or a smaller max_question."
    )


def problems(table: Table, settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    if missing := column_problems(table, COLUMNS, where):
        return missing
    found = chain(*(text_problems(table, name, where) for name in ("question", "context")))
    if table.labelled:
        found = chain(_answers(table, where, settings["nullable"]), found)
    return list(islice(found, LIMIT))


def lengths(
    examples: Sequence[Mapping[str, Any]], counter: PieceCounter, settings: Mapping[str, Any]
) -> list[list[int]]:
    """How long each example's windows are.

    :raises StudyError: If windows would lie apart, now that it is known how many special tokens they hold.
    """
    special = counter.special(pair=True)
    if problem := stride_problem(settings, settings["max_length"] - special - settings["max_question"]):
        raise StudyError([Problem("head", problem)])
    counts = pieces_of([text for one in examples for text in (one["question"], one["context"])], counter)
    found = []
    for one in examples:
        taken, context = special + min(counts[one["question"]], settings["max_question"]), counts[one["context"]]
        room, stride = settings["max_length"] - taken, settings["stride"]
        found.append([taken + min(room, context - at) for at in range(0, max(1, context - room + stride), stride)])
    return found


def _answers(table: Table, where: str, nullable: bool) -> Iterator[Problem]:
    """Answers that are missing, malformed, or not where their offset says.

    :param nullable: Whether questions may have no answer.
    """
    answers, contexts = table.rows["answers"][:], table.rows["context"][:]
    for row, (answer, context) in enumerate(zip(answers, contexts, strict=True)):
        problem = _shape_problem(answer, nullable)
        if problem is None and isinstance(context, str):
            for text, start in zip(answer["text"], answer["answer_start"], strict=True):
                problem = problem or _place_problem(context, text, start)
        if problem is not None:
            what, found, remedy = problem
            yield Problem(record(table, where, row), what, found, remedy)


def _shape_problem(answer: object, nullable: bool) -> tuple[str, str, str] | None:
    shape = 'Write {"text": ["..."], "answer_start": [0]}, with one start for each text.'
    if not isinstance(answer, dict) or not {"text", "answer_start"} <= set(answer):
        return '"answers" is not an object with text and answer_start', shown(answer), shape
    texts, starts = answer["text"], answer["answer_start"]
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        return '"answers" has not one answer_start for each text', shown(answer), shape
    if not texts and not nullable:
        remedy = "Set nullable = true in the head's settings if questions may have no answer."
        return "the question has no answer", shown(answer), remedy
    return None


def _place_problem(context: str, text: object, start: object) -> tuple[str, str, str] | None:
    if not isinstance(text, str) or not text.strip():
        return "an answer is empty", shown(text), "Leave it out; a question without an answer has empty lists."
    if not isinstance(start, int) or isinstance(start, bool):
        return "answer_start is not a whole number", shown(start), _REPAIR
    if start >= 0 and context[start : start + len(text)] == text:
        return None
    there = shown(context[start : start + len(text)] if 0 <= start < len(context) else "", 40)
    what = f"the answer {shown(text, 40)} is not at its answer_start {start} of {len(context)} characters"
    return what, there, _reason(context, text, start)


def _reason(context: str, text: str, start: int) -> str:
    """What probably happened to the offset, and what would repair it."""
    if start >= 0:
        wide, wanted = context.encode("utf-16-le", "surrogatepass"), text.encode("utf-16-le", "surrogatepass")
        if wide[2 * start : 2 * start + len(wanted)] == wanted:
            return "The offset counts UTF-16 units, as JavaScript does; count code points, as Python does."
        narrow, wanted = context.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass")
        if narrow[start : start + len(wanted)] == wanted:
            return "The offset counts bytes; count code points, as Python does."
    places = [at for at in range(len(context)) if context.startswith(text, at)]
    if places:
        nearest = min(places, key=lambda at: abs(at - start))
        only = "It occurs once" if len(places) == 1 else f"It occurs {len(places)} times, the nearest"
        return f"{only} at {nearest}. {_REPAIR}"
    at = context.lower().find(text.lower())
    if at >= 0:
        return (
            f"At {at} it occurs in another case: {shown(context[at : at + len(text)], 40)}. Copy it from the context."
        )
    if unicodedata.normalize("NFC", text) in unicodedata.normalize("NFC", context):
        return "It occurs with its accents written otherwise (NFC, NFD). Copy it from the context."
    if " ".join(text.split()) in " ".join(context.split()):
        return "It occurs with other white space. Copy it from the context, and do not change the context."
    return f"It does not occur in the context. {_REPAIR}"
