"""Universal Dependencies: words tagged with parts of speech, features and relations, in treebanks of many languages.

Nivre et al., "Universal Dependencies v2", LREC 2020, https://aclanthology.org/2020.lrec-1.497.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

import datasets

from manyheads.core.values import TRAIN, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._checks import Problems
from manyheads.datasets._conll_tables import check_widths, class_names
from manyheads.datasets._conll_trees import tree_table
from manyheads.datasets._hub import load, needs
from manyheads.metrics.conllu import NOTHING, Sentence, ids_problems

HUB = "universal-dependencies/universal_dependencies"
NEEDED = ("idx", "tokens", "lemmas", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
NONE = "None"
_PAIR = re.compile(r"'([^']+)': '([^']+)'")


class UniversalDependencies(Dataset):
    """One treebank of Universal Dependencies, with its trees as `heads` and `relations`.

    Read from https://huggingface.co/datasets/universal-dependencies/universal_dependencies or a mirror of it. Licence:
    each treebank has its own (English EWT: CC BY-SA 4.0). The Hub's rows also hold multiword tokens and empty nodes,
    which are no words of the trees; they are left out and counted. Ids are the treebank's `sent_id`.

    :param subset: The treebank.
    :param target: What is tagged: upos, xpos, feats (all features of a word as one tag) or deprel.
    :param trees: Check the trees, and keep them as `heads` and `relations`.
    :raises StudyError: If it is not found, or a sentence is no tree.
    """

    def __init__(
        self,
        places: Places,
        *,
        subset: str = "en_ewt",
        target: Literal["upos", "xpos", "feats", "deprel"] = "upos",
        trees: bool = True,
    ) -> None:
        super().__init__(places)
        self.subset, self.target, self.trees = subset, target, trees
        self._of_train: Table | None = None

    def read(self, split: str) -> Table | None:
        if split == TRAIN and self._of_train is not None:
            return self._of_train
        data = load(self.places, HUB, self.subset, split)
        if data is None:
            return None
        known: Sequence[str] = ()
        if split != TRAIN and (train := self.read(TRAIN)) is not None:
            known = train.labels or ()
        where, problems = f"{HUB} {self.subset} {split}", Problems()
        needs(data, NEEDED, where)
        given = _sentences(data, where)
        for problem in ids_problems(given, where):
            problems.add(problem.where, problem.what, problem.found, problem.remedy)
        table = tree_table(given, where, split, self.target, problems, known=known, trees=self.trees)
        if split == TRAIN:
            self._of_train = table
        return table


def _sentences(data: datasets.Dataset, where: str) -> list[Sentence]:
    """The rows as a CoNLL-U file would have them; "line" is the number of the row."""
    columns = {name: data[name][:] for name in NEEDED}
    check_widths({name: columns[name] for name in NEEDED[1:]}, where)
    if names := getattr(getattr(data.features["upos"], "feature", None), "names", None):
        columns["upos"] = class_names(columns["upos"], names, where)
    found = []
    for row, (name, *cells) in enumerate(zip(*columns.values(), strict=True), 1):
        one = Sentence(row, name or "")
        for word, lemma, tag, xpos, feats, head, relation, deps, misc in zip(*cells, strict=True):
            if head in (NONE, None, NOTHING) and tag == NOTHING:  # a multiword token, or an empty node
                one.ranges += 1
                continue
            number = str(len(one.words) + 1)
            one.words.append(
                [
                    number,
                    word,
                    lemma,
                    tag,
                    _plain(xpos),
                    _features(feats),
                    _plain(head),
                    _plain(relation),
                    deps,
                    misc,
                ]
            )
        if one.words:
            found.append(one)
    return found


def _plain(value: Any) -> str:
    return NOTHING if value in (None, NONE, "") else str(value)


def _features(text: str | None) -> str:
    """The features as CoNLL-U writes them; the Hub has them as the text of a Python dict."""
    if text in (None, NONE, "", NOTHING):
        return NOTHING
    pairs = _PAIR.findall(str(text))
    return "|".join(f"{name}={value}" for name, value in pairs) if pairs else str(text)
