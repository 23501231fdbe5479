"""Sentences from a file with a word in each line, its columns separated by spaces or by tabs (CoNLL's way)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from manyheads.core.problems import Problem, counted, shown
from manyheads.datasets._checks import Problems

DOCUMENT = "-DOCSTART-"
LONG_WORD, LONGEST_WORD = 100, 10_000
"""Characters. The shorter is where BERT's tokenizer gives up on a word, the longer where a separator is missing."""
LONG_SENTENCE, ONE_SENTENCE = 1_000, 40
"""Words. The shorter is too long for the only sentence of a file."""
SEPARATORS = {"space": "spaces", "tab": "tabs"}
_SPACES = re.compile(" +")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the word and its tag stand: from 1 on, or from the end on with -1 as the last.

    :param separator: space, tab, or "" for what the first line of the file has.
    """

    word: int
    tag: int
    separator: str


@dataclass(slots=True)
class Sentences:
    """What a file holds.

    :param lines: Where each sentence begins; its words stand in the lines from there on.
    :param tags: As many as words; none at all in a file of words alone.
    :param documents: How many lines say that a document begins; they are no words.
    """

    words: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    documents: int = 0
    warnings: list[Problem] = field(default_factory=list)


def read_sentences(text: str, where: str, columns: Columns, problems: Problems, *, tagged: bool) -> Sentences:
    """The sentences of a file, which blank lines separate; a line with nothing but spaces or tabs is blank.

    :param tagged: Whether every word must have a tag; if not, a file of words alone will do.
    """
    found, inside = Sentences(), False
    reader, lines = _Reader(where, columns, problems, tagged), text.replace("\r\n", "\n").split("\n")
    _refuse_comments(lines, where, columns, problems)
    for number, line in enumerate(lines, 1):
        if not line.strip(" \t"):
            inside = False
            continue
        if "\r" in line:
            problems.add(f"{where}:{number}", "a lone carriage return stands in the line", shown(line), "Remove it.")
            continue
        cells = reader.cells(line, number)
        if cells is not None and cells[0] == DOCUMENT:
            found.documents, inside = found.documents + 1, False
            continue
        if not inside:
            found.words.append([])
            found.tags.append([])
            found.lines.append(number)
            inside = True
        if cells is not None:
            found.words[-1].append(cells[0])
            found.tags[-1].append(cells[1])
    if reader.bare:
        found.tags = []
    if len(found.words) == 1 and len(found.words[0]) > ONE_SENTENCE:
        found.warnings.append(_one_sentence(lines, where, reader, len(found.words[0])))
    return found


def _refuse_comments(lines: Sequence[str], where: str, columns: Columns, problems: Problems) -> None:
    """Lines with # that have not the columns of the others are comments, which there are none of here: # is a word."""
    plain = next((line for line in lines if line.strip(" \t") and not line.startswith(("#", DOCUMENT))), "")
    separator = columns.separator or ("tab" if "\t" in plain else "space")
    width = len(_parts(plain, separator))
    found = [
        (number, line)
        for number, line in enumerate(lines, 1)
        if line.startswith("#") and (len(_parts(line, separator)) != width or ("\t" in line and separator == "space"))
    ]
    if not plain or not found:
        return
    what = f"{counted(len(found), 'line')} with # before, not in the columns of the other lines"
    remedy = "They look like comments, which are not read here, because # is a word too. Remove them from the file"
    remedy += ', or read a file of ten columns with dataset = { name = "conllu", … }.' if width == 10 else "."
    problems.add(f"{where}:{found[0][0]}", what, shown(found[0][1]), remedy)
    problems.stop()


def _parts(line: str, separator: str) -> list[str]:
    return line.split("\t") if separator == "tab" else _SPACES.split(line.rstrip(" "))


def _one_sentence(lines: Sequence[str], where: str, reader: "_Reader", size: int) -> Problem:
    """A warning of a file without blank lines, with the column that probably says where its sentences end."""
    remedy = "Are blank lines missing between sentences?"
    rows = [_parts(line, reader.separator) for line in lines if line.strip(" \t")]
    taken = {place % reader.width for place in (reader.columns.word - 1, reader.columns.tag - (reader.columns.tag > 0))}
    for place in range(reader.width):
        cells = [row[place] for row in rows if len(row) == reader.width]
        if place in taken or not cells:
            continue
        numbers = [int(cell) for cell in cells if cell.isascii() and cell.isdigit() and len(cell) < 10]
        whole = len(numbers) == len(cells)
        steps = [after - before for before, after in pairwise(numbers)]
        # `Sentence: 1` and then nothing, as in spreadsheets; 1 1 1 2 2; 1 2 3 1 2.
        named = sum(bool(cell.strip()) for cell in cells)
        if whole and 0 in steps and all(step in (0, 1) for step in steps) and 1 in steps:
            remedy = f"Column {place + 1} looks like the number of the sentence: put a blank line where it changes."
        elif whole and 1 in steps and any(step < 0 for step in steps) and all(step == 1 or step < 0 for step in steps):
            remedy = f"Column {place + 1} looks like the place of the word in its sentence: put a blank line where it "
            remedy += "begins again."
        elif cells[0].strip() and 1 < named < len(cells) / 2:
            remedy = f"Column {place + 1} looks like the beginning of a sentence: put a blank line before each."
        elif not whole and _alike(cells):
            remedy = f"Column {place + 1} looks like the name of the sentence: put a blank line where it changes."
    return Problem(where, f"the file is one sentence of {size:,} words", "", remedy)


def _alike(cells: Sequence[str]) -> bool:
    """Whether texts stand in runs, each text in one run, such as `s1 s1 s1 s2 s2`, each with a number in it."""
    runs = [cell for cell, _ in groupby(cells)]
    return 1 < len(runs) == len(set(runs)) < len(cells) and all(any(map(str.isdigit, run)) for run in runs)


class _Reader:
    """Cuts lines into columns; the first line settles the separator and how many columns there are."""

    def __init__(self, where: str, columns: Columns, problems: Problems, tagged: bool) -> None:
        self.where, self.columns, self.problems, self.tagged = where, columns, problems, tagged
        self.separator, self.width, self.first, self.bare = columns.separator, 0, 0, False

    def cells(self, line: str, number: int) -> tuple[str, str] | None:
        """The word and the tag ("" if there are none) of a line; None if it is broken, and then it is a problem."""
        where = f"{self.where}:{number}"
        self.separator = self.separator or ("tab" if "\t" in line else "space")
        if ("\t" in line) != (self.separator == "tab") and not (self.separator == "tab" and self.width == 1):
            other = "tabs" if "\t" in line else "no tab"
            what = f"the line has {other}, but the columns of this file are separated by {SEPARATORS[self.separator]}"
            self.problems.add(where, what, shown(line), "Separate all columns of a file in one way.")
            return None
        parts = _parts(line, self.separator)
        if parts[0] == DOCUMENT:
            return DOCUMENT, ""
        if not self.width and not self._settle(parts, number):
            self.problems.stop()
        if len(parts) != self.width:
            what = f"{len(parts)} columns where line {self.first} has {self.width}"
            self.problems.add(where, what, shown(line), self._remedy(line, parts))
            return None
        return self._taken(parts, where)

    def _settle(self, parts: Sequence[str], number: int) -> bool:
        self.width, self.first = len(parts), number
        if self.width == 1 and not self.tagged:
            self.bare = True
            return True
        for name, column in (("word_column", self.columns.word), ("tag_column", self.columns.tag)):
            if not 1 <= abs(column) <= self.width or self.width == 1:
                what = f"there is no column {column} for {name}: the line has {self.width}"
                remedy = "Columns are counted from 1; -1 is the last. Are they separated by spaces or tabs?"
                self.problems.add(f"{self.where}:{number}", what, shown("  ".join(parts)), remedy)
        return not self.problems.found

    def _remedy(self, line: str, parts: Sequence[str]) -> str:
        if line.startswith("#"):
            return "Lines with # are no comments here, because # is a word too. Remove the line if it is one."
        if len(parts) < self.width:
            return "Is a column missing?"
        return "Does a word hold a space?" if self.separator == "space" else "Does a word hold a tab?"

    def _taken(self, parts: Sequence[str], where: str) -> tuple[str, str] | None:
        place = self.columns.word - (self.columns.word > 0)
        word = parts[0 if self.bare else place]
        tag = "" if self.bare else parts[self.columns.tag - (self.columns.tag > 0)]
        for name, value in (("word", word), ("tag", tag)):
            if not value.strip() and not (self.bare and name == "tag"):
                self.problems.add(where, f"the {name} is empty", shown(parts), "Fill it in, or remove the line.")
                return None
        if len(word) > LONGEST_WORD:
            what = f"the word has {len(word):,} characters"
            self.problems.add(where, what, shown(word), f"At most {LONGEST_WORD:,} are read. Is a separator missing?")
            return None
        return word, tag
