"""Read a column of labels: classes by name, numbers, or the right one of several choices."""

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyheads.core.problems import Problem, close, counted, shown
from manyheads.datasets._checks import Problems

MOST_CLASSES = 1000
UNLABELLED = "-1"
ONE_LABEL = "Write the name of a class."
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}([,. '\u2019\u00a0\u202f])\d{3}(\1\d{3})*([.,]\d*)?")
"""A number with separators of thousands."""
ABSENT = ("nan", "na", "n/a", "#n/a", "<na>", "null")
"""How programs write a value that is not there."""
SEVERAL = re.compile(r"\s*[,;|/+]\s*")
Place = Callable[[int], str]


@dataclass(frozen=True)
class ClassNames:
    """How values become names of classes.

    :param declared: The classes in the order that the study declares, if it does.
    :param renamed: New names for values.
    :param known: The classes of train, where this is another split.
    """

    declared: Sequence[str]
    renamed: Mapping[str, str]
    known: Sequence[str]

    def read(
        self, values: Sequence[Any], where: str, place: Place, problems: Problems
    ) -> tuple[tuple[str, ...], list[str]]:
        """The classes, and the class of each row."""
        if not self._check_types(values, place, problems):
            problems.stop()
        distinct: dict[Any, int] = {}  # each value and its first row
        for row, value in enumerate(values):
            distinct.setdefault(value, row)
        if len(distinct) > MOST_CLASSES and not self.declared:
            what = f"there are {len(distinct):,} different labels in {len(values):,} rows"
            remedy = 'Is this column the label? Then declare all with labels = [...]. A score needs target = "number".'
            problems.add(where, what, shown(list(distinct)[:3]), remedy)
            problems.stop()
        names = {value: self.renamed.get(spelt, spelt) for value, spelt in ((v, _spelt(v)) for v in distinct)}
        if not self.declared:
            self._check_spellings(distinct, place, problems)
        labels = tuple(self.declared or self.known) or tuple(sorted(set(names.values()), key=_natural))
        counts, known = Counter(values), set(labels)
        for value, row in distinct.items():
            if names[value] not in known:
                _unknown(names[value], counts[value], labels, place(row), bool(self.declared), problems)
        return labels, [names[value] for value in values]

    def warnings(self, gold: Sequence[str], where: str) -> list[Problem]:
        """What is odd about the labels of train."""
        counts = Counter(gold)
        warnings = []
        if len(counts) == 1:
            warnings.append(Problem(where, "all rows have the same label, so nothing can be learned", shown(gold[0])))
        folded: dict[str, list[str]] = {}
        for name in counts:
            folded.setdefault(_folded(name), []).append(name)
        for names in folded.values():
            if len(names) > 1:
                found = ", ".join(f"{shown(name)} ({counted(counts[name], 'row')})" for name in names)
                what = "labels differ in case or spacing only"
                if len({unicodedata.normalize("NFC", name) for name in names}) == 1:
                    what = "labels look the same, but accents are composed in one and separate in the other"
                    found = ", ".join(f"{name!a} ({counted(counts[name], 'row')})" for name in names)
                warnings.append(Problem(where, what, found, "Use label_names?"))
        if not self.declared:
            warnings += self._doubtful(counts, where)
        if UNLABELLED in counts and UNLABELLED not in self.declared:
            what, found = (
                f'"{UNLABELLED}" is a class here, but often marks rows without label',
                counted(counts[UNLABELLED], "row"),
            )
            warnings.append(Problem(where, what, found, "Set drop_unlabelled = true, or declare labels."))
        if unused := sorted(set(self.declared) - set(counts)):
            warnings.append(Problem(where, "declared labels are in no row", shown(unused)))
        return warnings

    def _doubtful(self, counts: Counter[str], where: str) -> list[Problem]:
        """Names that are probably not meant to be classes."""
        warnings = []
        if len(counts) > 2 and all(map(NUMBER.fullmatch, counts)) and any("." in name for name in counts):
            what = f"all {len(counts)} labels are numbers with a decimal point, and are taken for classes"
            remedy = 'A score needs target = "number" and the head regression; if they are classes, declare labels.'
            warnings.append(Problem(where, what, shown(sorted(counts, key=_natural)[:4]), remedy))
        joined = [
            name for name in counts if len(parts := SEVERAL.split(name)) > 1 and all(part in counts for part in parts)
        ]
        if joined:
            rows = counted(sum(counts[name] for name in joined), "row")
            what = "classes are made of other classes, as if a cell held several labels"
            remedy = "A row has one label: make a task of each. If these are classes, declare labels."
            warnings.append(Problem(where, what, f"{shown(joined[0])} and the like in {rows}", remedy))
        for name in counts:
            if name.strip().casefold() in ABSENT:
                what = f"{shown(name)} is a class here, but programs write it where there is no label"
                remedy = "Empty these cells and set drop_unlabelled = true; if it is a class, declare labels."
                warnings.append(Problem(where, what, counted(counts[name], "row"), remedy))
        return warnings

    def _check_types(self, values: Sequence[Any], place: Place, problems: Problems) -> bool:
        """Whether all values can be names; what is not is a problem."""
        before = len(problems.found)
        first: dict[type, int] = {}
        for row, value in enumerate(values):
            if value is None or (type(value) is str and (not value or value.isspace())):
                remedy = (
                    "Only a test split may be without labels, in all rows. Fill it in, or set drop_unlabelled = true."
                )
                problems.add(place(row), "the label is missing", shown(value), remedy)
            elif type(value) not in first:
                first[type(value)] = row
        if float in first:
            remedy = 'A score needs target = "number"; write the names of classes in quotes.'
            row = first.pop(float)
            problems.add(place(row), "a class is a number with a decimal point", shown(values[row]), remedy)
        for kind in set(first) - {str, int, bool}:
            remedy = "A row has one label: there is no head for several. Make a task of each." if kind is list else ""
            found = shown(values[first[kind]])
            problems.add(place(first[kind]), f"a label is of type {kind.__name__}", found, remedy or ONE_LABEL)
        if len(first) > 1:
            found = ", ".join(f"{shown(values[row])} at {place(row)}" for row in first.values())
            problems.add(place(max(first.values())), "labels are of several types", found, "Write all in one way.")
        return len(problems.found) == before

    def _check_spellings(self, distinct: Mapping[Any, int], place: Place, problems: Problems) -> None:
        """`1`, `1.0` and ` 1` are three names to a program and one to a person."""
        first: dict[float, Any] = {}
        for value, row in distinct.items():
            if type(value) is not str or value in self.renamed or not NUMBER.fullmatch(value.strip()):
                continue
            same = first.setdefault(float(value), value)
            if same != value:
                found = f"{shown(same)} and {shown(value)}"
                remedy = f"Write it in one way: label_names = {{ {_quoted(value)} = {_quoted(same)} }}."
                problems.add(place(row), "one number is written in two ways", found, remedy)


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _natural(name: str) -> tuple[int, float, str]:
    return (0, float(name), name) if NUMBER.fullmatch(name) else (1, 0.0, name)


def _unknown(name: str, count: int, labels: Sequence[str], where: str, declared: bool, problems: Problems) -> None:
    same = [label for label in labels if NUMBER.fullmatch(label) and NUMBER.fullmatch(name)]
    same = [label for label in same if float(label) == float(name)]
    same += [label for label in labels if _folded(label) == _folded(name)]
    if name == UNLABELLED:
        hint = (
            "Is -1 the mark of rows without label? Then set drop_unlabelled = true; if it is a class, declare labels."
        )
    elif same:
        hint = f"It is {_quoted(same[0])} written otherwise: label_names = {{ {_quoted(same[0])} = {_quoted(name)} }}."
    elif declared:
        hint = f"{close(name, labels)} Add it to labels, or rename it with label_names.".lstrip()
    else:
        hint = f'{close(name, labels)} Declare all with labels = [...], or let it count as wrong: unseen = "wrong".'
    known = ", ".join(labels[:20])
    what = "the label is not one of the declared ones" if declared else "the label does not occur in train"
    problems.add(where, what, f"{shown(name)} in {counted(count, 'row')}", f"{hint.strip()} Known: {known}.")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _quoted(name: str) -> str:
    """As TOML writes it."""
    return json.dumps(name, ensure_ascii=False)


def numbers(values: Sequence[Any], place: Place, problems: Problems) -> list[float]:
    """Every value as a finite number with a decimal point."""
    gold = []
    for row, value in enumerate(values):
        try:
            number = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
        except (TypeError, ValueError, OverflowError, RecursionError):
            number = math.nan
        if not math.isfinite(number):
            problems.add(place(row), "the score is not a finite number", shown(value), _number_remedy(value))
        gold.append(number)
    return gold


def _number_remedy(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if value is None or (isinstance(value, str) and not text):
        return "Write a number; or leave out, and count, the rows without one: drop_unlabelled = true."
    if match := THOUSANDS.fullmatch(text):
        whole = text[: match.start(3)] if match[3] else text
        plain = whole.replace(match[1], "") + (f".{match[3][1:]}" if match[3] else "")
        return f"Write it without a separator of thousands: {plain}."
    if NUMBER.fullmatch(text.replace(",", ".", 1)):
        return "Write a point, not a comma."
    return 'Write a number, or remove the row. Classes need target = "classes" and the head classification.'


def choice_labels(
    values: Sequence[Any],
    choices: Sequence[Sequence[str]],
    renamed: Mapping[str, str],
    place: Place,
    problems: Problems,
) -> list[str]:
    """The number of the right choice, from 0, as a string. A label may also be the text of one choice."""
    gold = []
    for row, value in enumerate(values):
        name = renamed.get(_spelt(value), _spelt(value))
        if name not in map(str, range(len(choices[row]))) and list(choices[row]).count(value) == 1:
            name = str(list(choices[row]).index(value))
        if name not in map(str, range(len(choices[row]))):
            what = f"the label is neither one of the {len(choices[row])} choices nor the number of one, counted from 0"
            problems.add(place(row), what, shown(value), 'Other names: label_names = { A = "0", B = "1" }.')
        gold.append(name)
    return gold
