"""Turn the columns of the user's own data into the columns that heads ask for."""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.table import InMemoryTable

from manyheads.core.problems import Problem, StudyError, close, counted, shown
from manyheads.core.values import TEST, TRAIN, Table
from manyheads.datasets._blocks import ROWS, Column, arrow_of
from manyheads.datasets._checks import MISPLACED, Problems, check_ids, check_spans, distinct, repairs
from manyheads.datasets._files import Records, check_unpacked
from manyheads.datasets._hub import STRING, span_rows
from manyheads.datasets._labels import ClassNames, choice_labels, numbers
from manyheads.datasets._texts import LONGEST_WORD, check_texts, has_long_word

COLUMNS = ("id", "text", "text_pair", "label", "choices", "question", "context", "answers", "cluster")
GOLD = ("label", "answers")
JOINED = ("text", "text_pair", "question", "context")
"""What several columns may be one of."""
SINGLE = {
    "id": "Name the one that makes a row unique.",
    "label": "There is no head for several labels in a row: make a task of each.",
    "cluster": "Name the one whose equal values belong together.",
}
"""What is always one column, and what to do instead."""
UNLABELLED = (None, "", "-1", -1)
NO_GOLD = "-"
"""What MNLI and SNLI write where the annotators did not agree."""
MANY = 0.05
"""The share of rows left out from which on it is a warning."""


@dataclass(frozen=True)
class Layout:
    """How the study says that the data is to be read; see the settings of the dataset `table`."""

    columns: Mapping[str, str | Sequence[str]]
    labels: Sequence[str] = ()
    label_names: Mapping[str, str] = field(default_factory=dict)
    numbers: bool = False
    repair: bool = False
    drop_unlabelled: bool = False
    join: str = " "
    headed: bool = False


class Rows:
    """One split of the user's data on its way to a `Table`.

    :param where: How messages call the file.
    :param known: The classes of train, if the study does not declare them and this is another split.
    :param asked: The columns that the head reads, if it is known.
    """

    def __init__(
        self,
        records: Records,
        where: str,
        split: str,
        layout: Layout,
        known: Sequence[str],
        problems: Problems,
        asked: Sequence[str] | None = None,
    ) -> None:
        self.where, self.split, self.layout, self.known, self.problems = where, split, layout, known, problems
        self.warnings: list[Problem] = []
        self.used = self._find_columns(records, asked)
        problems.stop()
        self.dropped: dict[str, int] = {}
        self.records = self._drop(self._without_header(records))
        self.show_ids = False  # until they are known
        self.ids = self._ids()

    def table(self) -> Table:
        """The split, or a StudyError with everything that is wrong with it."""
        if _is_span(self.used):
            return self._spans()
        columns: dict[str, Any] = {"id": self.ids, "text": self._texts("text"), **self._clusters()}
        kinds: dict[str, Any] = dict.fromkeys(("id", "text", "text_pair", "label", "cluster"), STRING)
        if "choices" in self.used:
            columns["choices"], kinds["choices"] = self._choices(), datasets.List(STRING)
        if "text_pair" in self.used:
            columns["text_pair"] = self._texts("text_pair")
        if self.layout.numbers and "choices" not in self.used:
            kinds["label"] = datasets.Value("float64")
        labels, columns["label"], labelled = self._labels(columns.get("choices"))
        self.problems.stop()
        features = datasets.Features({name: kinds[name] for name in columns})
        return Table(dataset_of(columns, features), labels, labelled, self.dropped, self.warnings)

    def _labels(self, choices: list[list[str]] | None) -> tuple[tuple[str, ...] | None, Sequence[Any], bool]:
        """The classes (None where there are none), each row's label, and whether there are labels at all."""
        layout, values = self.layout, self._values("label")
        plain = choices is None and not layout.numbers
        if self.split == TEST and all(value in UNLABELLED for value in values):
            return tuple(layout.labels or self.known) or None if plain else None, [None] * len(values), False
        if choices is not None:
            gold = choice_labels(values, choices, layout.label_names, self.place, self.problems)
        elif layout.numbers:
            gold = numbers(values, self.place, self.problems)
        else:
            names = ClassNames(layout.labels, layout.label_names, self.known)
            labels, gold = names.read(values, self.where, self.place, self.problems)
            if self.split == TRAIN:
                self.warnings += names.warnings(gold, self.where)
            return labels, gold, True
        return None, gold, True

    def _find_columns(self, records: Records, asked: Sequence[str] | None) -> dict[str, list[str]]:
        """Which columns of the file stand for each of ours; what is missing is a problem."""
        used, there = dict[str, list[str]](), set(records.names)
        names, columns, problems = records.names, self.layout.columns, self.problems
        for ours in COLUMNS:
            wanted = columns.get(ours, "" if ours == "cluster" else ours)
            if not wanted:
                continue
            theirs = [wanted] if isinstance(wanted, str) else list(wanted)
            missing = [name for name in theirs if name not in there]
            if not missing:
                if asked is None or ours in columns or ours in (*asked, "id"):
                    used[ours] = theirs
                elif ours == "text_pair" or (ours == "choices" and isinstance(records.column(theirs[0])[0], list)):
                    what = f'the column "{ours}" is not read by this head'
                    remedy = f'If that is meant: columns = {{ {ours} = "" }}.'
                    self.warnings.append(Problem(self.where, what, "", remedy))
            elif ours in columns and not (self.split == TEST and ours in GOLD):
                what = f'there is no column "{missing[0]}", which is to be "{ours}"'
                _no_column(self.where, what, missing[0], ours, names, problems)
        for ours, theirs in used.items():
            for name in sorted(set(records.twice).intersection(theirs)):
                what, remedy = f'two columns are called "{name}"', "Rename one in the file."
                problems.add(self.where, what, f"it is to be {shown(ours)}", remedy)
        for ours in self._needed(used, asked):
            if ours not in used and not columns.get(ours) and not (self.split == TEST and ours in GOLD):
                what = f'there is no column "{ours}"'
                if ours in columns:
                    what = f'columns says that no column is "{ours}", which the head reads'
                _no_column(self.where, what, ours, ours, names, problems)
        return used

    def _needed(self, used: Mapping[str, object], asked: Sequence[str] | None) -> tuple[str, ...]:
        if asked is not None:
            if not {"text", "context"} & {*asked}:
                what, remedy = "a table has not what this head reads", "Tagged sentences are read by conll and conllu."
                self.problems.add(self.where, what, ", ".join(asked), remedy)
            return tuple(name for name in ("text", "label", "question", "context", "answers") if name in asked)
        if _is_span(used) or ("text" not in used and ("question" in used or "context" in used)):
            return ("question", "context", "answers")
        return ("text", "label")

    def place(self, row: int) -> str:
        """How messages call a row: file, line and, if it has one or needs one, its id."""
        line = self.records.lines[row]
        return f"{self.where}{f':{line}' if line else ''}{f' ({self.ids[row]})' if self.show_ids else ''}"

    def _values(self, name: str) -> Sequence[Any]:
        if name not in self.used:
            return [None] * len(self.records.lines)
        theirs = self.used[name]
        return self._joined(theirs) if name in JOINED and len(theirs) > 1 else self.records.column(theirs[0])

    def _joined(self, names: Sequence[str]) -> list[str]:
        """The texts of several columns as one; a part may be empty, but not the whole."""
        parts = [self.records.column(name) for name in names]
        for name, values in zip(names, parts, strict=True):
            check_texts([value or "." for value in values], name, self.place, self.problems)
        self.problems.stop()
        return [self.layout.join.join(part for part in row if part) for row in zip(*parts, strict=True)]

    def _texts(self, name: str) -> Sequence[Any]:
        values = self._values(name)
        check_texts(values, " + ".join(self.used[name]), self.place, self.problems)
        quoted = [row for row, value in enumerate(values) if type(value) is str and _is_quoted(value)]
        # A text may be a quotation; one with doubled marks inside was quoted by a program.
        doubled = any('""' in values[row][1:-1] for row in quoted)
        if len(quoted) * 2 > len(values) or doubled:
            what = f'{counted(len(quoted), "text")} of "{name}" in quotes, which are kept as a part of the text'
            remedy = 'TSV has no quoting. If a program quoted them: format = "csv" and separator = "\\t".'
            found = f"{shown(values[quoted[0]])} at {self.place(quoted[0])}"
            self.warnings.append(Problem(self.where, what, found, remedy))
        self._warn_of_long_words(name, values)
        return values

    def _clusters(self) -> dict[str, list[str]]:
        """The column that says which rows belong together; a row without a value stands alone."""
        if "cluster" not in self.used:
            return {}
        values = self._values("cluster")
        for row, value in enumerate(values):
            if type(value) not in (str, int, type(None)):
                remedy = "Name a column of texts or whole numbers."
                self.problems.add(self.place(row), "a cluster is not a text or a whole number", shown(value), remedy)
        named = [f"row {row}" if value in (None, "") else f"={value}" for row, value in enumerate(values)]
        return {"cluster": named}

    def _without_header(self, records: Records) -> Records:
        """Leave out a first row that is the header of the file, where the study gives another."""
        if not self.layout.headed or len(records.lines) < 2:
            return records
        first = [records.column(name)[0] for names in self.used.values() for name in names]
        known = {name.casefold() for name in (*records.names, *COLUMNS)}
        if any(isinstance(value, str) and value.strip().casefold() in known for value in first):
            self.dropped["the file's own header, in place of which the study gives one"] = 1
            return records.only(np.arange(1, len(records.lines)))
        if "label" in self.used and not self.layout.numbers:
            label, *others = records.column(self.used["label"][0])
            if label not in others and len(set(others)) < len(others) // 2:
                what, remedy = "the first line may be the file's own header", "If it is, leave `header` out."
                self.warnings.append(Problem(self.where, what, shown(first), remedy))
        return records

    def _warn_of_long_words(self, name: str, values: Sequence[Any]) -> None:
        texts = values if isinstance(values, Column) and values.all_texts else [_text(value) for value in values]
        blocks = [has_long_word(chunk) for chunk in arrow_of(texts, pa.string()).chunks]
        long = np.concatenate([np.zeros(0, bool), *blocks])
        if long.any():
            number = counted(int(long.sum()), "text")
            what = f'a word of more than {LONGEST_WORD} characters in {number} of "{name}"'
            remedy = "BERT's tokenizers take such a word for unknown, and others cut it into many pieces."
            self.warnings.append(Problem(self.where, what, f"one at {self.place(int(long.argmax()))}", remedy))

    def _ids(self) -> Sequence[str]:
        if "id" not in self.used:
            # Lines find a row again, unless several rows (or all: 0) stand on one.
            lines = self.records.lines
            self.show_ids = not distinct(np.asarray(lines)) or 0 in lines
            numbers = np.arange(1, len(lines) + 1) if self.show_ids else np.asarray(lines)
            return Column(
                pa.array([f"{self.split}-{number}" for number in numbers[at : at + ROWS].tolist()], pa.string())
                for at in range(0, len(numbers), ROWS)
            )
        values = self._values("id")
        for row, value in enumerate(values):
            if type(value) not in (str, int) or value == "":
                remedy = 'Write ids in quotes, or use none: columns = { id = "" }.'
                self.problems.add(self.place(row), "an id is empty or no string", shown(value), remedy)
        texts = isinstance(values, Column) and values.all_texts
        ids: Sequence[str] = values if texts else [str(value) for value in values]
        name = self.used["id"][0]
        remedy = f'Make ids unique. If "{name}" names no single row: columns = {{ id = "" }}, or '
        remedy += f'{{ id = "", cluster = "{name}" }} where rows that share it belong together.'
        check_ids(ids, self.place, self.problems, remedy)
        self.show_ids = True
        return ids

    def _drop(self, records: Records) -> Records:
        """Leave out rows that carry no gold label, where that is what their label says or the study wants."""
        if "label" not in self.used:
            return records
        values = records.column(self.used["label"][0])
        if self.split == TEST and all(value in UNLABELLED for value in values):
            return records
        declared = {*self.layout.labels, *self.layout.label_names}
        empty = (None, "") if self.layout.numbers or "-1" in declared else UNLABELLED
        reasons: dict[Any, str] = dict.fromkeys(empty, "no label") if self.layout.drop_unlabelled else {}
        signs = "+" in values  # then "-" is its opposite
        if NO_GOLD not in declared and not signs and not self.layout.numbers:
            reasons[NO_GOLD] = f'label "{NO_GOLD}", which means no gold label'
        why = [reasons.get(value) if isinstance(value, str | int | None) else None for value in values]
        dropped = Counter(reason for reason in why if reason)
        kept = np.flatnonzero([reason is None for reason in why]) if dropped else np.arange(len(why))
        if not len(kept):
            raise StudyError([Problem(self.where, "no row has a label", shown(dict(dropped)), "Is this the column?")])
        if (marked := dropped.get(reasons.get(NO_GOLD, ""), 0)) > MANY * len(why):
            what = f'{marked:,} of {counted(len(why), "row")} have the label "{NO_GOLD}" and are not read'
            remedy = 'It is taken for "no gold label". If it is a class, declare all with labels = [...].'
            self.warnings.append(Problem(self.where, what, "", remedy))
        self.dropped |= dropped
        return records.only(kept) if dropped else records

    def _choices(self) -> list[list[str]]:
        """Choices from several columns, or from one that holds lists."""
        names = self.used["choices"]
        if len(names) > 1:
            columns = [self.records.column(name) for name in names]
            for name, values in zip(names, columns, strict=True):
                check_texts(values, name, self.place, self.problems)
            return [list(row) for row in zip(*columns, strict=True)]
        rows = self._values("choices")
        for row, choices in enumerate(rows):
            if not isinstance(choices, list) or len(choices) < 2:
                what, remedy = "choices are not a list of two or more texts", "Give each question two or more choices"
                remedy += ', or name their columns: columns = { choices = ["a", "b"] }.'
                self.problems.add(self.place(row), what, shown(choices), remedy)
            else:
                check_texts(choices, names[0], lambda _, row=row: self.place(row), self.problems)
        self.problems.stop()
        return list(rows)

    def _spans(self) -> Table:
        questions, contexts = self._values("question"), self._values("context")
        # Many questions may be on one passage of the file, and each row has it.
        check_unpacked(sum(len(one) for one in contexts if type(one) is str), self.records.most, self.where)
        for name, values in (("question", questions), ("context", contexts)):
            check_texts(values, self.used[name][0], self.place, self.problems)
            self._warn_of_long_words(name, values)
        columns = [self.records.column(name) for name in self.used.get("answers", ())]
        raw = list(columns[0] if len(columns) == 1 else zip(*columns, strict=True)) or [None] * len(contexts)
        labelled = self.split != TEST or any(value is not None for value in raw)
        answers = [self._answers(row, value) for row, value in enumerate(raw)]
        if "is_impossible" in self.records.names and labelled:
            self._check_impossible(answers)
        rows = zip(contexts, answers, strict=True)
        checked = check_spans(rows, self.place, self.problems, repair=self.layout.repair, unanswerable=True)
        self.problems.stop()
        if checked.repaired:
            self.warnings.append(Problem(self.where, repairs(checked.repaired)))
        rows = span_rows(self.ids, questions, contexts, checked.answers)
        for name, values in self._clusters().items():
            rows = rows.remove_columns([column for column in (name,) if column in rows.column_names])
            rows = rows.add_column(name, values)  # pyright: ignore[reportCallIssue]
        return Table(rows, None, labelled, self.dropped, self.warnings)

    def _answers(self, row: int, value: Any) -> dict[str, list[Any]]:
        """Answers in any of the usual forms as two lists: texts and where they start."""
        if value is None and self.split == TEST:
            return {"text": [], "answer_start": []}
        match value:
            case {"text": list(texts), "answer_start": list(starts)}:
                pass
            case [*found] if all(isinstance(one, dict) and {"text", "answer_start"} <= one.keys() for one in found):
                texts, starts = [one["text"] for one in found], [one["answer_start"] for one in found]
            case (("" | None), ("" | None)):
                texts, starts = [], []
            case (str(text), start):
                # No passage has more than 10^18 characters, and Python makes no number of 4300 digits.
                written = isinstance(start, str) and start.isdecimal() and len(start) < 19
                texts, starts = [text], [int(start) if written else start]
            case _:
                remedy = 'Write {"text": [...], "answer_start": [...]}, empty lists if the question has no answer.'
                self.problems.add(self.place(row), "the answers are missing or in no known form", shown(value), remedy)
                return {"text": [], "answer_start": []}
        for text, start in zip(texts, starts, strict=False):
            if type(text) is not str or type(start) is not int:
                what = "an answer is not a string with a whole number as its answer_start"
                self.problems.add(self.place(row), what, shown((text, start)), MISPLACED)
                return {"text": [], "answer_start": []}
        return {"text": texts, "answer_start": starts}

    def _check_impossible(self, answers: Sequence[dict[str, list[Any]]]) -> None:
        for row, flag in enumerate(self.records.column("is_impossible")):
            if (impossible := flag in (True, "true", "True", "1")) == bool(answers[row]["text"]):
                what = "is_impossible, but it has answers" if impossible else "no answers, but not is_impossible"
                self.problems.add(self.place(row), what, shown(answers[row]["text"]), "Correct one of the two.")


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


def dataset_of(columns: Mapping[str, Sequence[Any]], features: datasets.Features) -> datasets.Dataset:
    """Columns as a dataset; those that are Arrow's already are not copied."""
    schema = features.arrow_schema
    table = pa.table({name: arrow_of(values, schema.field(name).type) for name, values in columns.items()}, schema)
    # Without a fingerprint of our own the library would make one by copying the whole table.
    fingerprint = secrets.token_hex(8)
    return datasets.Dataset(InMemoryTable(table), datasets.DatasetInfo(features=features), fingerprint=fingerprint)


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == '"'


def _is_span(used: Mapping[str, object]) -> bool:
    return "question" in used and "context" in used and ("answers" in used or "label" not in used)


def wanted(columns: Mapping[str, str | Sequence[str]]) -> set[str]:
    """The columns of a file that may be used. What else it has need not be kept."""
    theirs = [columns.get(ours, ours) for ours in COLUMNS]
    return {"is_impossible", *(name for one in theirs for name in ([one] if isinstance(one, str) else one))}


def _no_column(where: str, what: str, name: str, ours: str, names: Sequence[str], problems: Problems) -> None:
    hint = close(name, names, 3, 0.5)
    remedy = f'Say which it is with columns = {{ {ours} = "…" }}; if the first line is data, set header = [...].'
    problems.add(where, what, ", ".join(shown(one, 30) for one in names[:10]), f"{hint} {remedy}".lstrip())
