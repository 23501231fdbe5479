"""Your own tagged sentences: a word in each line with its tag, blank lines between sentences (CoNLL's column format).

Described by the shared task of 2003, https://aclanthology.org/W03-0419, among many.
"""

from collections.abc import Sequence
from typing import Literal

from manyheads.core.problems import Problem, StudyError, repeated, shown
from manyheads.core.settings import PositiveInt
from manyheads.core.values import TEST, TRAIN, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._checks import Problems
from manyheads.datasets._conll_columns import Columns, Sentences, read_sentences
from manyheads.datasets._conll_tables import given_files, length_warnings, reported_split, sentence_rows
from manyheads.datasets._conll_tags import NAMES, Tags, converted, other_tags, train_tags
from manyheads.datasets._decode import encoding_problem, read_text
from manyheads.metrics.conlleval import OTHER_SCHEMES


class Conll(Dataset):
    """Files of the user's own, one for each split, as the head `tagging` asks for them.

    Columns are separated by runs of spaces or by single tabs, in one way within a file. Lines that begin with
    -DOCSTART- are dropped and counted. `#` is a word like any other, so there are no comments. Lines may end with
    \\n or \\r\\n, and the last sentence needs no blank line. Ids are `<split>-<line>`, the line of the first word.

    Chunks may be tagged in IOB1, IOB2 or BIOES; the tags are learned as they stand, and scored by the rules of
    conlleval, which read all three. BILOU and BMES are BIOES with other letters, and read as BIOES where `scheme` says
    so. With chunks, the tags are O and for each type that train has all its tags, so
    that an I-X that train happens to lack is no mistake. A test file may have words alone. Licence: yours.

    :param train: A file, relative to the folder of the study.
    :param validation: Another such file.
    :param test: Another such file.
    :param word_column: Where the word stands: 1 is the first column, -1 the last.
    :param tag_column: Where the tag stands.
    :param separator: space or tab; without, what the first line of each file has.
    :param scheme: How chunks are tagged, or plain for tags that are no chunks; without, it is found out from train.
        bilou and bmes (BMEWO too) become BIOES: L and E, U, W and S, M and I are the same.
    :param labels: The tags in order; without, those of train, sorted.
    :param unseen: Tags of other splits that train cannot have: refuse them, or count them as wrong.
    :param encoding: The encoding of the files.
    :param reported: The split to report; without, validation if there is one, else test.
    :param limit: The most problems that are shown at once.
    :raises StudyError: At once for settings and files that are missing; in `read` for what is wrong inside.
    """

    def __init__(
        self,
        places: Places,
        *,
        train: str = "",
        validation: str = "",
        test: str = "",
        word_column: int = 1,
        tag_column: int = -1,
        separator: Literal["", "space", "tab"] = "",
        scheme: Literal["", "iob1", "iob2", "bioes", "bilou", "bmes", "plain"] = "",
        labels: Sequence[str] = (),
        unseen: Literal["refuse", "wrong"] = "refuse",
        encoding: str = "utf-8",
        reported: Literal["", "train", "validation", "test"] = "",
        limit: PositiveInt = 20,
    ) -> None:
        super().__init__(places)
        self.files = given_files("conll", places, train, validation, test)
        self.columns, self.unseen = Columns(word_column, tag_column, separator), unseen == "wrong"
        self.scheme, self.labels, self.encoding, self.limit = scheme, list(labels), encoding, limit
        self.other = scheme if scheme in OTHER_SCHEMES else ""
        if self.other:
            self.scheme, self.labels = "bioes", converted([self.labels], self.other)[0]
        self._of_train: tuple[Table, Tags] | None = None
        if found := self._setting_problems():
            raise StudyError(found)
        # The contract's default is the class's; here it depends on the files.
        self.reported = reported_split(self.files, reported)  # pyright: ignore[reportAttributeAccessIssue]

    def _setting_problems(self) -> list[Problem]:
        found = []
        for name, column in (("word_column", self.columns.word), ("tag_column", self.columns.tag)):
            if column == 0:
                found.append(Problem(f"conll: {name}", "there is no column 0", "", "1 is the first, -1 the last."))
        if self.columns.word == self.columns.tag:
            what = "word_column and tag_column are the same column"
            found.append(Problem("conll: tag_column", what, str(self.columns.tag), "Choose another."))
        if twice := repeated(self.labels):
            found.append(Problem("conll: labels", "names stand twice", shown(twice), "Remove one of each."))
        if problem := encoding_problem(self.encoding, "conll: encoding"):
            found.append(problem)
        return found

    def read(self, split: str) -> Table | None:
        if split not in self.files:
            return None
        if split == TRAIN:
            return self._train()[0]
        problems = Problems(self.limit)
        given = self._sentences(split, problems)
        train = self._train()[1] if TRAIN in self.files else None
        return self._table(given, split, problems, train)[0]

    def _train(self) -> tuple[Table, Tags]:
        if self._of_train is None:
            problems = Problems(self.limit)
            table, tags = self._table(self._sentences(TRAIN, problems), TRAIN, problems, None)
            assert tags is not None
            self._of_train = table, tags
        return self._of_train

    def _sentences(self, split: str, problems: Problems) -> Sentences:
        file = self.files[split]
        text = read_text(self.places.study / file, file, "conll", self.encoding, problems)
        given = read_sentences(text, file, self.columns, problems, tagged=split != TEST)
        problems.stop()
        if not given.words:
            raise StudyError([Problem(file, "there are no sentences", shown(text), "Is this the right file?")])
        return given

    def _table(self, given: Sentences, split: str, problems: Problems, train: Tags | None) -> tuple[Table, Tags | None]:
        where = self.files[split]

        def place(row: int, index: int) -> str:
            return f"{where}:{given.lines[row] + index}"

        if self.other:
            given.tags = converted(given.tags, self.other)
        columns = {"id": [f"{split}-{line}" for line in given.lines], "words": given.words}
        tags = train
        if given.tags:
            columns["tags"] = given.tags
            if train is None:
                tags = train_tags(given.tags, where, place, problems, scheme=self.scheme, declared=self.labels)
            else:
                tags = other_tags(given.tags, where, place, problems, train=train, wrong=self.unseen)
        warnings = [
            *(tags.warnings if tags and given.tags else ()),
            *given.warnings,
            *length_warnings(given.words, where),
        ]
        if given.tags and self.other:
            warnings.insert(
                0, Problem(where, f"the tags are in {NAMES[self.other]}, and are read and answered in BIOES")
            )
        dropped = {"-DOCSTART- lines": given.documents} if given.documents else {}
        labels = tags.labels if tags else None
        return Table(sentence_rows(columns), labels, bool(given.tags), dropped, warnings), tags
