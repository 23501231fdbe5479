"""What reading comprehension asks of its settings and its data, and how its predictions are scored; no torch."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.core.encoder_info import PieceCounter
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.strict_json import read_json
from manyheads.core.text_checks import first, pieces_of, record, texts_problems, window_lengths
from manyheads.core.values import Example, Options, Table
from manyheads.metrics import squad
from manyheads.metrics.score_files import Scores, is_number, missing_and_unknown, stop

_REPAIR = "Correct answer_start, counted in characters from 0, or leave the record out."


def unfit(labels: Sequence[str] | None, settings: Options) -> str | None:
    """Why there cannot be such a head."""
    return stride_problem(settings, settings["max_length"] - settings["max_question"])


def stride_problem(settings: Options, room: int) -> str | None:
    """Windows with a gap between them would lose text: the stride may not exceed the room for the context."""
    stride, question, length = (settings[name] for name in ("stride", "max_question", "max_length"))
    if stride <= room:
        return None
    largest = f"Choose at most {room}" if room > 0 else "Choose a larger max_length"
    return (
        f"span: stride is longer than the room that a question of {question} pieces leaves. Found stride "
        f"{stride}, room {max(0, room)} of max_length {length}. {largest}, or a smaller max_question."
    )


def problems(table: Table, settings: Options, where: str) -> list[Problem]:
    """What in a split this head cannot work with."""
    answers = _answers(table, where, settings["nullable"]) if table.labelled else ()
    return first(answers, texts_problems(table, ("question", "context"), where))


def lengths(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[list[int]]:
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
        found.append(window_lengths(context, taken, settings))
    return found


def cuts(examples: Sequence[Example], counter: PieceCounter, settings: Options) -> list[tuple[int, int]]:
    """How many pieces each question has, and how many of them are cut off; of contexts nothing is."""
    counts = pieces_of([one["question"] for one in examples], counter)
    sizes = [counts[one["question"]] for one in examples]
    return [(size, max(0, size - settings["max_question"])) for size in sizes]


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


# ---- Scores ----


def score(gold: Path, predictions: Path, *, null_odds: Path | None = None, threshold: float = 1.0) -> Scores:
    """What SQuAD's official scripts print, in percent, from SQuAD's own files: predictions are one object, id to text.

    :param null_odds: For SQuAD v2.0: a JSON object, question id to how sure the model is that there is no answer.
    :param threshold: Null odds above it mean no answer; the official script's default is 1.
    """
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
    stop(problems)
    result = squad.evaluate_v2(golds, given, chances, threshold) if is_v2 else squad.evaluate_v1(golds, given)
    return dict(result) | missing_and_unknown(golds, given)


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
        if not (is_number(one) if kind is float else isinstance(one, kind)):
            problems.append(Problem(f"{path} (record {name})", f"the value is not {words}", shown(one), ""))
    return value


def _odds_problems(
    golds: Mapping[str, object], given: Mapping[str, object], odds: Mapping[str, object], is_v2: bool, where: str
) -> Iterator[Problem]:
    if not is_v2:
        yield Problem(where, "SQuAD v1.1 knows no null odds", "", "Leave --null-odds out.")
        return
    without = [name for name in given if name in golds and name not in odds]
    if without:
        found = f"{len(without)} of {len(given)}, such as {shown(without[0])}"
        yield Problem(where, "predictions have no null odds", found, "Give every prediction a number.")
