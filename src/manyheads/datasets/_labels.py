"""Read a column of labels: classes by name, numbers, or the right one of several choices."""

import math
import re
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
        if len(distinct) > MOST_CLASSES:
            what = f"there are {len(distinct):,} different labels in {len(values):,} rows"
            remedy = 'Is this column the label? A score needs target = "number".'
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
            folded.setdefault(name.strip().casefold(), []).append(name)
        for names in folded.values():
            if len(names) > 1:
                found = ", ".join(f"{shown(name)} ({counted(counts[name], 'row')})" for name in names)
                warnings.append(Problem(where, "labels differ in case or spacing only", found, "Use label_names?"))
        if UNLABELLED in counts and UNLABELLED not in self.declared:
            what, found = (
                f'"{UNLABELLED}" is a class here, but often marks rows without label',
                counted(counts[UNLABELLED], "row"),
            )
            warnings.append(Problem(where, what, found, "Set drop_unlabelled = true, or declare labels."))
        if unused := sorted(set(self.declared) - set(counts)):
            warnings.append(Problem(where, "declared labels are in no row", shown(unused)))
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
            if type(value) is not str or not NUMBER.fullmatch(value.strip()):
                continue
            same = first.setdefault(float(value), value)
            if same != value:
                found = f"{shown(same)} and {shown(value)}"
                problems.add(place(row), "one number is written in two ways", found, "Write it in one way.")


def _spelt(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _natural(name: str) -> tuple[int, float, str]:
    return (0, float(name), name) if NUMBER.fullmatch(name) else (1, 0.0, name)


def _unknown(name: str, count: int, labels: Sequence[str], where: str, declared: bool, problems: Problems) -> None:
    hint = close(name, labels)
    if name == UNLABELLED:
        hint = "Is -1 the mark of rows without label? Only a test split may have them."
    known = ", ".join(labels[:20])
    what = "the label is not one of the declared ones" if declared else "the label does not occur in train"
    problems.add(where, what, f"{shown(name)} in {counted(count, 'row')}", f"{hint} Known: {known}.".lstrip())


def numbers(values: Sequence[Any], place: Place, problems: Problems) -> list[float]:
    """Every value as a finite number with a decimal point."""
    gold = []
    for row, value in enumerate(values):
        try:
            number = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
        except (TypeError, ValueError, OverflowError, RecursionError):
            number = math.nan
        if not math.isfinite(number):
            comma = isinstance(value, str) and bool(NUMBER.fullmatch(value.strip().replace(",", ".", 1)))
            remedy = "Write a point, not a comma." if comma else "Write a number, or remove the row."
            problems.add(place(row), "the score is not a finite number", shown(value), remedy)
        gold.append(number)
    return gold


def choice_labels(
    values: Sequence[Any],
    choices: Sequence[Sequence[str]],
    renamed: Mapping[str, str],
    place: Place,
    problems: Problems,
) -> list[str]:
    """The number of the right choice, from 0, as a string."""
    gold = []
    for row, value in enumerate(values):
        name = renamed.get(_spelt(value), _spelt(value))
        if name not in map(str, range(len(choices[row]))):
            what = f"the label is not the number of one of {len(choices[row])} choices, counted from 0"
            problems.add(place(row), what, shown(value), 'Other names: label_names = { A = "0", B = "1" }.')
        gold.append(name)
    return gold
