"""What every reader of tagged sentences shares: the files of a study, and the table that the head gets."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.values import SPLITS, TEST, VALIDATION, Places
from manyheads.datasets._conll_columns import LONG_SENTENCE, LONG_WORD
from manyheads.datasets._files import path_problem

STRING = datasets.Value("string")
WORDS = datasets.List(STRING)
KINDS = {
    "id": STRING,
    "words": WORDS,
    "tags": WORDS,
    "heads": datasets.List(datasets.Value("int32")),
    "relations": WORDS,
}


def given_files(name: str, places: Places, train: str, validation: str, test: str) -> dict[str, str]:
    """Each split's file.

    :param name: How messages call the dataset.
    :raises StudyError: If there is none, or one cannot be read.
    """
    files = {split: file for split, file in zip(SPLITS, (train, validation, test), strict=True) if file}
    found = [] if files else [Problem(name, "it needs files", "", 'Set train = "FILE" and validation = "FILE".')]
    for split, file in files.items():
        if problem := path_problem(places.study / file, f"{name}: {split}"):
            found.append(problem)
    if found:
        raise StudyError(found)
    return files


def reported_split(files: Mapping[str, str], reported: str) -> str:
    """The split to report: the one that was chosen, else validation, else test."""
    return reported or (TEST if VALIDATION not in files and TEST in files else VALIDATION)


def sentence_rows(columns: Mapping[str, Sequence[Any]]) -> datasets.Dataset:
    """The columns of the head for tags: `id`, `words`, `tags`, and of trees `heads` and `relations`."""
    return datasets.Dataset.from_dict(dict(columns), datasets.Features({name: KINDS[name] for name in columns}))


def check_widths(columns: Mapping[str, Sequence[Sequence[Any] | None]], where: str) -> None:
    """Raise unless each row has as many values in every column, one for each word."""
    for row, cells in enumerate(zip(*columns.values(), strict=True), 1):
        sizes = [len(cell or ()) for cell in cells]
        if len(set(sizes)) > 1:
            found = ", ".join(f"{size} {name}" for name, size in zip(columns, sizes, strict=True))
            what = f"row {row:,} has not one value for each word in every column"
            raise StudyError([Problem(where, what, found, "Copy the dataset again.")])


def class_names(rows: Sequence[Sequence[int]], names: Sequence[str], where: str) -> list[list[str]]:
    """The names of classes that are given by number, one for each word.

    :raises StudyError: If a number has no name; -1, the Hub's mark of what is unlabelled, has none.
    """
    for row, numbers in enumerate(rows, 1):
        for number in numbers:
            if not 0 <= number < len(names):
                what, found = f"row {row:,} has a tag without a name", f"{number} of {len(names)}"
                raise StudyError([Problem(where, what, found, "Is this the right dataset?")])
    return [[names[number] for number in numbers] for numbers in rows]


def length_warnings(words: Sequence[Sequence[str]], where: str) -> list[Problem]:
    """Words and sentences so long that something is probably wrong with the file."""
    found = []
    long = [(number, word) for number, sentence in enumerate(words, 1) for word in sentence if len(word) > LONG_WORD]
    if long:
        number, word = long[0]
        what = f"{len(long):,} words have more than {LONG_WORD} characters"
        remedy = "Many tokenizers make one unknown piece of such a word."
        found.append(Problem(where, what, f"{shown(word, 40)} in sentence {number:,}", remedy))
    size, number = max(((len(sentence), number) for number, sentence in enumerate(words, 1)), default=(0, 0))
    if size > LONG_SENTENCE:
        what = f"the longest sentence has {size:,} words"
        found.append(Problem(where, what, f"sentence {number:,}", "Are blank lines missing between sentences?"))
    return found
