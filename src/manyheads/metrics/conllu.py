"""Trees in the CoNLL-U format of Universal Dependencies, read strictly: what is broken is named with its line.

The format: https://universaldependencies.org/format.html. Lines of multiword tokens (`1-2`) and empty nodes (`8.1`) are
no words of the basic tree; they are checked, left out and counted, so that HEAD counts words.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from manyheads.core.problems import Problem, shown

NAMES = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
UPOS = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)
NOTHING = "_"
_WORD = re.compile(r"[1-9][0-9]{0,8}")
_RANGE = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY = re.compile(r"(0|[1-9][0-9]{0,8})\.[1-9][0-9]{0,8}")
_SENT_ID = re.compile(r"#\s*sent_id\s*=(.*)")

Report = Callable[[Problem], None]


@dataclass(slots=True)
class Sentence:
    """One sentence.

    :param line: Where its first word stands in the file.
    :param sent_id: As the file has it; "" without.
    :param words: The ten columns of each word, as texts.
    :param ranges: How many lines of multiword tokens were left out.
    :param empty: How many empty nodes were left out.
    """

    line: int
    sent_id: str = ""
    words: list[list[str]] = field(default_factory=list)
    ranges: int = 0
    empty: int = 0

    def column(self, name: str) -> list[str]:
        """A column of its words, such as "UPOS"."""
        place = NAMES.index(name)
        return [word[place] for word in self.words]

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"sentence {self.sent_id}" if self.sent_id else "this sentence"


def sentences(text: str, where: str, report: Report) -> Iterator[Sentence]:
    """The sentences of a file. What is broken is reported, and its sentence left out.

    :param text: With line ends \\n or \\r\\n; the last sentence needs no blank line behind it.
    :param where: How messages call the file.
    """
    current, sound = Sentence(0), True
    for number, raw in enumerate([*text.replace("\r\n", "\n").split("\n"), ""], 1):
        line = raw if raw.strip(" \t") else ""
        if line.startswith("#") and not current.words:
            match = _SENT_ID.fullmatch(line)
            current.sent_id = match[1].strip() if match else current.sent_id
        elif line:
            current.line = current.line or number
            problem = _take(line, f"{where}:{number}", current)
            if problem is not None and sound:
                report(problem)
            sound = sound and problem is None
        else:
            if sound and current.words:
                yield current
            current, sound = Sentence(0), True


def _take(line: str, where: str, sentence: Sentence) -> Problem | None:
    """Add a line to its sentence; what is wrong with it, if anything is."""
    if line.startswith("#"):
        return Problem(where, "a comment stands among the words of a sentence", shown(line), "Move it before them.")
    cells = line.split("\t")
    if len(cells) != len(NAMES):
        remedy = "CoNLL-U has ten columns, separated by tabs."
        if len(cells) == 1 and len(line.split()) == len(NAMES):
            remedy = "The columns are separated by spaces. CoNLL-U separates them by tabs."
        return Problem(where, f"{len(cells)} columns where 10 are expected", shown(line), remedy)
    wanted = len(sentence.words) + 1
    if match := _RANGE.fullmatch(cells[0]):
        sentence.ranges += 1
        if int(match[1]) != wanted or int(match[2]) < int(match[1]):
            return Problem(where, f"a range of words does not begin at word {wanted}", shown(cells[0]), _RENUMBER)
        return None
    if match := _EMPTY.fullmatch(cells[0]):
        sentence.empty += 1
        if int(match[1]) != wanted - 1:
            return Problem(where, f"an empty node does not follow word {wanted - 1}", shown(cells[0]), _RENUMBER)
        return None
    if not _WORD.fullmatch(cells[0]) or int(cells[0]) != wanted:
        return Problem(where, f"the id of word {wanted} of the sentence is not {wanted}", shown(cells[0]), _RENUMBER)
    if not cells[1].strip():
        return Problem(where, "the word is empty", shown(cells[1]), "Give it a text, or remove the line.")
    sentence.words.append(cells)
    return None


_RENUMBER = "Number the words of each sentence 1, 2, 3, and so on, with a blank line between sentences."


# ---- Trees ----


def has_trees(given: Sequence[Sentence]) -> bool:
    """Whether any word has a HEAD; without one, a file holds no trees at all."""
    return any(head != NOTHING for one in given for head in one.column("HEAD"))


def tree_problem(heads: Sequence[str], relations: Sequence[str]) -> tuple[str, str, str] | None:
    """Why the words of a sentence are no tree with one root: what, found, remedy; None if they are one.

    :param heads: For each word the number of its head from 1 on, 0 for the root, as texts.
    """
    for place, (head, relation) in enumerate(zip(heads, relations, strict=True), 1):
        if head == NOTHING:
            return f"word {place} has no HEAD", shown(head), "Give every word a head, or none in the whole file."
        if not re.fullmatch(r"[0-9]{1,9}", head) or int(head) > len(heads):
            return f"HEAD of word {place} is not a number from 0 to {len(heads)}", shown(head), "Correct it."
        if int(head) == place:
            return f"word {place} is its own head", shown(head), "A head is another word, or 0 for the root."
        if relation == NOTHING or not relation:
            return f"word {place} has no DEPREL", shown(relation), "Give every word that has a head a relation."
    return _shape_problem([int(head) for head in heads])


def _shape_problem(heads: Sequence[int]) -> tuple[str, str, str] | None:
    roots = [place for place, head in enumerate(heads, 1) if head == 0]
    if len(roots) != 1:
        found = f"words {', '.join(map(str, roots[:5]))}" if roots else "no word with HEAD 0"
        return f"a tree has one root, and here are {len(roots)}", found, "Give HEAD 0 to exactly one word."
    safe = {0}
    for start in range(1, len(heads) + 1):
        path: dict[int, None] = {}
        place = start
        while place not in safe and place not in path:
            path[place] = None
            place = heads[place - 1]
        if place not in safe:
            way = list(path)
            found = " > ".join(map(str, [*way[way.index(place) :][:8], place]))
            return "words are each other's heads, in a circle", found, "Every word must lead up to the root."
        safe.update(path)
    return None


def ids_problems(given: Sequence[Sentence], where: str) -> Iterator[Problem]:
    """Sentences without `sent_id` among others that have one, and ids that stand twice."""
    without = [one for one in given if not one.sent_id]
    if 0 < len(without) < len(given):
        what = f"{len(without):,} of {len(given):,} sentences have no sent_id"
        yield Problem(f"{where}:{without[0].line}", what, "", "Write `# sent_id = NAME` before each, or before none.")
    first: dict[str, int] = {}
    for one in given:
        if one.sent_id and one.sent_id in first:
            what = f"this sent_id already stands at line {first[one.sent_id]}"
            yield Problem(f"{where}:{one.line}", what, shown(one.sent_id), "Make them unique.")
        first.setdefault(one.sent_id, one.line)
