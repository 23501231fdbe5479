"""Shapes of rows that are data of another kind: refused by name, once, with what would be read instead."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.datasets._checks import Problems
from manyheads.datasets._files import Records

CONLL = 'set dataset = { name = "conll", train = "FILE" }.'
ROWS = 50
"""So many rows say what a column holds."""
TOKENS = ("tokens", "words")
NAMES = frozenset({*TOKENS, "tags", "ner_tags", "pos_tags", "chunk_tags", "labels", "entities", "spans"})
"""What columns of such shapes are called; a reader keeps them, so that they can be seen."""


def refuse_shapes(records: Records, where: str, columns: Mapping[str, str | Sequence[str]], problems: Problems) -> None:
    """Raise if the columns that would be read hold tagged words, entities with offsets, or answers without offsets.

    :param columns: As the study names them.
    """
    problems.stop()
    first = _First(records, columns)
    for found in (_tagged_words(first), _entities(first), _answers(first)):
        if found is not None:
            what, shape, remedy = found
            raise StudyError([Problem(where, what, shown(shape), remedy)])


class _First:
    """The first rows of columns, by our names for them."""

    def __init__(self, records: Records, columns: Mapping[str, str | Sequence[str]]) -> None:
        self.records, self.columns = records, columns

    def theirs(self, ours: str) -> str:
        """What the file calls a column of ours that is one; "" if it has none."""
        wanted = self.columns.get(ours, ours)
        return wanted if isinstance(wanted, str) and wanted in self.records.names else ""

    def values(self, name: str) -> list[Any]:
        """The first values of a column of the file that are there."""
        if name not in self.records.names:
            return []
        try:
            return [value for value in self.records.column(name)[:ROWS] if value not in (None, "")]
        except (StudyError, KeyError):  # not kept, or neither texts nor numbers, which whoever reads the column says
            return []


Shape = tuple[str, Any, str]


def _tagged_words(first: _First) -> Shape | None:
    """Words and tags as two lists in each row, the form of the Hub and of transformers' scripts."""
    text = first.theirs("text")
    words = next((name for name in ([text] if text else TOKENS) if _lists(first.values(name), str)), "")
    if not words:
        return None
    sizes = [len(value) for value in first.values(words)]
    others = [name for name in first.records.names if name != words]
    same = [name for name in others if _lists(first.values(name), str, int)]
    tags = next((name for name in same if [len(value) for value in first.values(name)] == sizes), "")
    if not tags:
        return None
    remedy = f"Write a word and its tag in each line, a blank line after each sentence, and {CONLL}"
    return f'rows are tagged sentences: "{words}" and "{tags}" hold a list each', first.values(words)[0], remedy


def _lists(values: Sequence[Any], *kinds: type) -> bool:
    """Whether all values are lists of these types, and there is one."""
    return bool(values) and all(isinstance(one, list) and one and all(type(p) in kinds for p in one) for one in values)


def _entities(first: _First) -> Shape | None:
    """Entities by the characters where they begin and end, as doccano and spaCy write them."""
    for name in dict.fromkeys([first.theirs("label"), "label", "labels", "entities", "spans"]):
        values = [value for value in first.values(name) if value != []] if name else []
        if values and all(isinstance(value, list) and all(map(_is_entity, value)) for value in values):
            if first.theirs("label") not in ("", name):
                continue  # another column is read
            what = f'"{name}" holds entities with the characters where they begin and end, which no dataset reads'
            remedy = "Write a word and its tag (B-PER, I-PER, O) in each line, a blank line after each sentence, and"
            return what, values[0], f"{remedy} {CONLL} spaCy's offsets_to_biluo_tags makes the tags."
    return None


def _is_entity(value: Any) -> bool:
    if isinstance(value, dict):
        names = ("start", "end"), ("start_offset", "end_offset")
        return any(all(type(value.get(key)) is int for key in pair) for pair in names)
    return isinstance(value, list) and len(value) == 3 and [type(part) for part in value] == [int, int, str]


def _answers(first: _First) -> Shape | None:
    """Answers as texts: a dict that was printed into a cell, or an answer without the place where it starts."""
    name = first.theirs("answers")
    values = first.values(name) if name and first.theirs("question") and first.theirs("context") else []
    texts = [value for value in values if isinstance(value, str)]
    if not texts or len(texts) < len(values):
        return None
    if texts[0].lstrip().startswith(("{", "[")):
        remedy = 'Write JSON lines, where it is an object: pandas: to_json(FILE, orient="records", lines=True).'
        return f'"{name}" holds objects that were printed as text', texts[0], remedy
    remedy = (
        "Add a column with the character where the answer starts in its context, counted from 0, and set columns = "
    )
    pair = f'{{ answers = ["{name}", "answer_start"] }}'
    return f'"{name}" holds the texts of answers, and not where they start', texts[0], f"{remedy}{pair}."
