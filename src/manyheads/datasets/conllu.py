"""Your own treebank in CoNLL-U, the format of Universal Dependencies: tag words with one of its columns.

The format: https://universaldependencies.org/format.html.
"""

from typing import Literal

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.settings import PositiveInt
from manyheads.core.values import TRAIN, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._checks import Problems
from manyheads.datasets._conll_tables import given_files, reported_split
from manyheads.datasets._conll_trees import tree_table
from manyheads.datasets._decode import read_text
from manyheads.metrics.conllu import ids_problems, sentences


class Conllu(Dataset):
    """Files of the user's own, one for each split, as the head `tagging` asks for them; beside the tags, the trees.

    Words are syntactic words: multiword tokens (`1-2`) and empty nodes (`8.1`) are left out and counted. Every tree
    has one root and no circle. Files without any HEAD have no trees. Labels of upos are the 17 of Universal
    Dependencies, of other targets those that occur in train; what only another split has counts as wrong. Ids are
    `sent_id`, or `<split>-<line>` in files without. Licence: yours.

    :param train: A file, relative to the folder of the study.
    :param validation: Another such file.
    :param test: Another such file.
    :param target: What is tagged: upos, xpos, feats (all features of a word as one tag) or deprel.
    :param trees: Check the trees, and keep them as `heads` and `relations`.
    :param reported: The split to report; without, validation if there is one, else test.
    :param limit: How many problems are shown at once.
    :raises StudyError: At once for missing files; in `read` for what is wrong inside.
    """

    def __init__(
        self,
        places: Places,
        *,
        train: str = "",
        validation: str = "",
        test: str = "",
        target: Literal["upos", "xpos", "feats", "deprel"] = "upos",
        trees: bool = True,
        reported: Literal["", "train", "validation", "test"] = "",
        limit: PositiveInt = 20,
    ) -> None:
        super().__init__(places)
        self.files = given_files("conllu", places, train, validation, test)
        self.target, self.trees, self.limit = target, trees, limit
        self._of_train: Table | None = None
        # The contract's default is the class's; here it depends on the files.
        self.reported = reported_split(self.files, reported)  # pyright: ignore[reportAttributeAccessIssue]

    def read(self, split: str) -> Table | None:
        if split not in self.files:
            return None
        if split == TRAIN and self._of_train is not None:
            return self._of_train
        known = ()
        if split != TRAIN and (train := self.read(TRAIN)) is not None:
            known = train.labels or ()
        file, problems = self.files[split], Problems(self.limit)
        text = read_text(self.places.study / file, file, "conllu", "utf-8", problems)

        def report(problem: Problem) -> None:
            problems.add(problem.where, problem.what, problem.found, problem.remedy)

        given = list(sentences(text, file, report))
        for problem in ids_problems(given, file):
            report(problem)
        problems.stop()
        if not given:
            raise StudyError([Problem(file, "there are no sentences", shown(text), "Is this the right file?")])
        table = tree_table(given, file, split, self.target, problems, known=known, trees=self.trees)
        if split == TRAIN:
            self._of_train = table
        return table
