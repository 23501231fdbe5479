"""What must hold of rows wherever they come from: ids, answer spans, and two splits side by side."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow.compute import call_function

from manyheads.core.problems import Problem, StudyError, counted, shown
from manyheads.core.values import Table

NEAR = 20
"""How many characters an answer may be off before a repair would be a guess."""
MISPLACED = "Give the answer as its context has it, and where it starts, counted from 0; or remove the row."
BLOCK = 10_000
"""Rows in memory at a time."""
UNITS = (("UTF-16 units", "utf-16-le", 2), ("bytes", "utf-8", 1))


class Problems:
    """Collects problems, and stops the reading when there are `limit` of them."""

    def __init__(self, limit: int = 20) -> None:
        self.limit = max(1, limit)
        self.found: list[Problem] = []

    def add(self, where: str, what: str, found: str = "", remedy: str = "") -> None:
        """Note a problem; raises if it is the last that anybody would read."""
        self.found.append(Problem(where, what, found, remedy))
        if len(self.found) >= self.limit:
            self.stop()

    def stop(self) -> None:
        """Raise all problems, if there are any."""
        if self.found:
            raise StudyError(self.found)


def long_texts(table: Table, longest: int, where: str) -> list[Problem]:
    """A problem for each column with a text of more than so many characters, which would take a tokenizer's memory."""
    found: dict[str, int] = {}
    for block in table.rows.with_format("arrow").iter(batch_size=BLOCK):
        for name in block.column_names:
            for chunk in block.column(name).chunks:
                while isinstance(chunk, pa.ListArray | pa.LargeListArray):
                    chunk = chunk.flatten()
                if pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
                    found[name] = max(found.get(name, 0), _longest(chunk, longest))
    return [
        Problem(
            where,
            f'a text of "{name}" has {size:,} characters',
            "",
            f"At most {longest:,} are read. Cut it, or set longest_text = {size} in the first lines of the study.",
        )
        for name, size in found.items()
        if size > longest
    ]


def _longest(texts: pa.Array, longest: int) -> int:
    """Characters of the longest text; bytes, which are no fewer, if they are few enough."""
    size = call_function("max", [call_function("binary_length", [texts])]).as_py() or 0
    return size if size <= longest else call_function("max", [call_function("utf8_length", [texts])]).as_py()


def check_ids(
    ids: Sequence[str], where: Callable[[int], str], problems: Problems, remedy: str = "Make ids unique."
) -> None:
    """No id may stand twice, because predictions are kept by id."""
    if distinct(_hashes(ids, len(ids))):  # else there are twins, or two ids share a hash
        return
    first: dict[str, int] = {}
    for row, name in enumerate(ids):
        if name in first:
            problems.add(where(row), f"this id already stands at {where(first[name])}", shown(name), remedy)
        first.setdefault(name, row)


@dataclass(frozen=True, slots=True)
class Answers:
    """What `check_spans` gives back.

    :param answers: For each row {"text": [...], "answer_start": [...]}; empty lists for an unanswerable question.
    :param repaired: How many answers were moved or respelt.
    """

    answers: list[dict[str, list[Any]]]
    repaired: int


def check_spans(
    rows: Iterable[tuple[str, dict[str, list[Any]]]],
    where: Callable[[int], str],
    problems: Problems,
    *,
    repair: bool,
    unanswerable: bool,
) -> Answers:
    """Check that each answer stands in its context at its offset. Contexts are never changed.

    :param rows: Context and answers of each row; all gold answers are kept.
    :param repair: Correct an offset whose right place is beyond doubt, instead of calling it a problem.
    :param unanswerable: Whether a question may have no answer.
    """
    checked, repaired = [], 0
    for row, (context, answers) in enumerate(rows):
        texts, starts = answers["text"], answers["answer_start"]
        if not texts and not unanswerable:
            problems.add(where(row), "the question has no answer", "", "Is this SQuAD 2 data? Then use its dataset.")
        if len(texts) != len(starts):
            found = f"{len(starts)} and {len(texts)}"
            problems.add(where(row), "as many offsets as answers are needed", found, "Give each answer its start.")
            continue
        given = list(zip(texts, starts, strict=True))
        if type(context) is not str or all(_stands(context, *span) for span in given):
            checked.append(answers)
            continue
        spans = [_place(row, context, *span, where, problems, repair) for span in given]
        repaired += sum(span != old for span, old in zip(spans, given, strict=True))
        checked.append({"text": [text for text, _ in spans], "answer_start": [start for _, start in spans]})
    return Answers(checked, repaired)


def _stands(context: str, text: str, start: int) -> bool:
    # A negative start would count from the end of the context.
    return bool(text) and start >= 0 and context.startswith(text, start) and not text.isspace()


def _place(
    row: int, context: str, text: str, start: int, where: Callable[[int], str], problems: Problems, repair: bool
) -> tuple[str, int]:
    """The answer where it really stands; a problem if that is in doubt, or if nothing may be repaired."""
    if _stands(context, text, start):
        return text, start
    what, right = _misplaced(context, text, start)
    if right is None or not repair:
        mended = MISPLACED if right is None else f"It stands at {right[1]}. Correct it, or set repair = true."
        problems.add(where(row), what, f"{shown(text)} at {start}", mended)
    return right or (text, start)


def _misplaced(context: str, text: str, start: int) -> tuple[str, tuple[str, int] | None]:
    """Why an answer does not stand at its offset, and the answer as it should be where that is beyond doubt."""
    if not text or text.isspace():
        return "an answer is empty; an unanswerable question has no answers at all", None
    if start < 0:
        return "an answer starts before the context", None
    for unit, encoding, width in UNITS:
        place = _in_characters(context, start, encoding, width)
        if place is not None and context.startswith(text, place):
            return f"answer_start is counted in {unit}, not in characters", (text, place)
    if start >= len(context):
        return f"an answer starts beyond the end of its context of {len(context)} characters", None
    near = [at for at in range(max(0, start - NEAR), start + NEAR + 1) if context.startswith(text, at)]
    if len(near) == 1:
        return f"an answer is {counted(abs(near[0] - start), 'character')} away from its answer_start", (text, near[0])
    written = context[start : start + len(text)]
    if written.casefold() == text.casefold():
        return f"an answer differs from its context in case, which has {shown(written)}", (written, start)
    return f"an answer does not stand at its answer_start, {_elsewhere(context, text)}", None


def _in_characters(context: str, start: int, encoding: str, width: int) -> int | None:
    head = context.encode(encoding, "surrogatepass")[: start * width]
    try:
        return len(head.decode(encoding, "surrogatepass"))
    except UnicodeDecodeError:
        return None


def _elsewhere(context: str, text: str) -> str:
    if times := context.count(text):
        return f"but at {context.index(text)}" if times == 1 else f"and {times} times elsewhere in the context"
    if unicodedata.normalize("NFC", text) in unicodedata.normalize("NFC", context):
        return "because accents are composed in one and separate in the other (Unicode NFC and NFD)"
    if text.replace("\r\n", "\n") in context.replace("\r\n", "\n"):
        return "because line ends differ (\\r\\n and \\n)"
    if text.casefold() in context.casefold():
        return "and stands in the context only in another case"
    return "nor anywhere in the context"


def repairs(number: int) -> str:
    """What is told of answers that were repaired."""
    return f"{counted(number, 'answer')} moved to where the context has them"


def clusters(contexts: Sequence[str]) -> list[str]:
    """The same short hash for the questions on one passage."""
    known: dict[str, str] = {}
    for context in contexts:
        if context not in known:
            known[context] = hashlib.sha256(context.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return [known[context] for context in contexts]


def compare_splits(train: Table, reported: Table, where: str) -> list[Problem]:
    """What a person should know about two splits of a task before believing its scores: leaks and missing classes.

    Case and spacing are ignored. Rows of a span task count as the same if their passages are.
    """
    train_keys, reported_keys = _keys(train), _keys(reported)
    warnings = []
    if shared := int(np.isin(reported_keys, train_keys).sum()):
        what = "train has the same input as some reported rows"
        warnings.append(
            Problem(
                where,
                what,
                f"{shared:,} of {counted(len(reported_keys), 'row')}",
                "Scores on these rows do not show generalisation.",
            )
        )
    if same := _same_ids(train, reported):
        found = shown(sorted(same)[:3])
        warnings.append(
            Problem(
                where, "ids stand in train and in the reported split", f"{counted(len(same), 'id')}, such as {found}"
            )
        )
    if train.labels and train.labelled and "label" in train.rows.column_names:
        warnings += _contradictions(train, train_keys, where)
        warnings += _missing_classes(train, reported, where)
    if "answers" in train.rows.column_names and reported.labelled:
        warnings += _unanswerable(train, reported, where)
    return warnings


def _values(table: Table, column: str) -> Iterator[Any]:
    """A column's values one after another, a block of them in memory at a time."""
    for block in table.rows.select_columns([column]).with_format("arrow").iter(batch_size=BLOCK):
        yield from block.column(column).to_pylist()


def _hashes(values: Iterable[Any], number: int) -> np.ndarray:
    """[number] one number for each value, the same for equal values within this process; a tenth of their memory."""
    return np.fromiter(map(hash, values), np.int64, number)


def distinct(numbers: np.ndarray) -> bool:
    """Whether no number stands twice. `np.unique` would take 200 times as long."""
    ordered = np.sort(numbers)
    return bool((ordered[1:] != ordered[:-1]).all())


def _same_ids(one: Table, other: Table) -> set[str]:
    ours, theirs = (_hashes(_values(table, "id"), len(table.rows)) for table in (one, other))
    likely = ours[np.isin(ours, theirs)]
    if not len(likely):
        return set()
    chosen = set(likely.tolist())
    first, second = ({name for name in _values(table, "id") if hash(name) in chosen} for table in (one, other))
    return first & second


def _keys(table: Table) -> np.ndarray:
    """One number for each input; equal inputs have equal numbers."""
    names = table.rows.column_names
    inputs = ("text", "text_pair", "choices", "words")
    columns = ["context"] if "context" in names else [name for name in inputs if name in names]
    values = zip(*(_values(table, column) for column in columns), strict=True)
    plain = (tuple(" ".join(str(part).lower().split()) for part in parts) for parts in values)
    return _hashes(plain, len(table.rows))


def _contradictions(train: Table, keys: np.ndarray, where: str) -> list[Problem]:
    numbers: dict[Any, int] = {}
    labels = np.fromiter((numbers.setdefault(label, len(numbers)) for label in _values(train, "label")), np.int64)
    order = np.lexsort((labels, keys))
    sorted_keys, sorted_labels = keys[order], labels[order]
    differ = (sorted_keys[1:] == sorted_keys[:-1]) & (sorted_labels[1:] != sorted_labels[:-1])
    rows = int(np.isin(keys, sorted_keys[1:][differ]).sum())
    if not rows:
        return []
    what = "rows of train have the same input as another row, but a different label"
    return [Problem(where, what, counted(rows, "row"))]


def _missing_classes(train: Table, reported: Table, where: str) -> list[Problem]:
    counts = Counter(_values(reported, "label")) if reported.labelled else Counter()
    trained = set(_values(train, "label"))
    warnings = [
        Problem(where, f'label "{label}" is not in train and so cannot be learned', counted(count, "reported row"))
        for label, count in counts.items()
        if label not in trained
    ]
    absent = sorted(trained - set(counts)) if counts else []
    return warnings + [Problem(where, f'label "{label}" is in train but in no reported row') for label in absent]


def _unanswerable(train: Table, reported: Table, where: str) -> list[Problem]:
    """Questions without an answer in one of two splits only, as when SQuAD 1.1 and 2.0 are mixed up."""
    trained, asked = (_without_answer(table) for table in (train, reported))
    if bool(trained) == bool(asked):
        return []
    if trained:
        what = "every reported question has an answer, and so scores do not show what was learned of others"
        return [Problem(where, what, f"{counted(trained, 'row')} of train without an answer")]
    what = "every question of train has an answer, and so none is learned not to have one"
    return [Problem(where, what, f"{counted(asked, 'reported row')} without an answer")]


def _without_answer(table: Table) -> int:
    blocks = table.rows.select_columns(["answers"]).with_format("arrow").iter(batch_size=BLOCK)
    chunks = (chunk for block in blocks for chunk in block.column("answers").chunks)
    return sum(int((chunk.field("text").value_lengths().to_numpy(zero_copy_only=False) == 0).sum()) for chunk in chunks)
