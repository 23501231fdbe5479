"""Sentences of a treebank as a table: what is tagged, and the trees beside it."""

from collections.abc import Sequence
from typing import Any

from manyheads.core.problems import Problem, shown
from manyheads.core.values import TRAIN, Table
from manyheads.datasets._checks import Problems
from manyheads.datasets._conll_tables import length_warnings, sentence_rows
from manyheads.datasets._conll_tags import check_known
from manyheads.metrics.conllu import NOTHING, UPOS, Sentence, has_trees, tree_problem

TOLERANT = ("xpos", "feats", "deprel")
"""What a treebank may have in its validation split and not in train: counted as wrong, with a warning."""


def tree_table(
    given: Sequence[Sentence],
    where: str,
    split: str,
    target: str,
    problems: Problems,
    *,
    known: Sequence[str],
    trees: bool,
) -> Table:
    """The sentences with one column as tags; `heads` and `relations` too, if they are given and wanted.

    :param given: With ids that are unique over all splits, or none.
    :param target: upos, xpos, feats or deprel.
    :param known: The labels of train, where this is another split.
    """

    def place(row: int, index: int) -> str:
        return f"{where}:{given[row].line} ({given[row].name}, word {index + 1})"

    tags = [one.column(target.upper()) for one in given]
    labelled = any(tag != NOTHING for row in tags for tag in row)
    with_trees = trees and has_trees(given)
    if labelled or split == TRAIN:
        _check_tags(given, tags, where, target, problems)
    if with_trees:
        _check_trees(given, where, problems)
    problems.stop()
    columns: dict[str, Any] = {
        "id": [one.sent_id or f"{split}-{one.line}" for one in given],
        "words": [one.column("FORM") for one in given],
    }
    labels, warnings = tuple(known), []
    if labelled:
        columns["tags"] = tags
        labels = labels or _labels(tags, target)
        warnings += check_known(tags, where, place, labels, problems, wrong=target in TOLERANT)
        problems.stop()
    if with_trees:
        columns["heads"] = [[int(head) for head in one.column("HEAD")] for one in given]
        columns["relations"] = [one.column("DEPREL") for one in given]
    warnings += [*_skipped(given, where), *length_warnings(columns["words"], where)]
    return Table(sentence_rows(columns), labels, labelled, warnings=warnings)


def _labels(tags: Sequence[Sequence[str]], target: str) -> tuple[str, ...]:
    return UPOS if target == "upos" else tuple(sorted({tag for row in tags for tag in row}))


def _check_tags(
    given: Sequence[Sentence], tags: Sequence[Sequence[str]], where: str, target: str, problems: Problems
) -> None:
    """Words without the tag that is to be learned; without features is a tag too."""
    for one, row in zip(given, tags, strict=True):
        bare = [index for index, tag in enumerate(row, 1) if not tag or (tag == NOTHING and target != "feats")]
        if bare:
            what = f"{len(bare)} of {len(row)} words have no {target.upper()}, in {one.name}"
            found = f"{shown(row[bare[0] - 1])} at word {bare[0]}"
            problems.add(f"{where}:{one.line}", what, found, "Fill it in, or choose another target.")


def _check_trees(given: Sequence[Sentence], where: str, problems: Problems) -> None:
    for one in given:
        problem = tree_problem(one.column("HEAD"), one.column("DEPREL"))
        if problem is not None:
            what, found, remedy = problem
            remedy = f"{remedy} Or set trees = false to leave all trees out."
            problems.add(f"{where}:{one.line}", f"{what}, in {one.name}", found, remedy)


def _skipped(given: Sequence[Sentence], where: str) -> list[Problem]:
    ranges, empty = sum(one.ranges for one in given), sum(one.empty for one in given)
    if not ranges and not empty:
        return []
    what = f"{ranges:,} multiword tokens and {empty:,} empty nodes are no words of the trees, and were left out"
    return [Problem(where, what)]
