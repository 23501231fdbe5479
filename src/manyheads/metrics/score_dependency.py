"""Scores of dependency trees, for predictions that any program wrote as CoNLL-U.

By the rules of the CoNLL 2018 shared task: Zeman et al., "CoNLL 2018 Shared Task: Multilingual Parsing from Raw Text to
Universal Dependencies", https://aclanthology.org/K18-2001, whose script compares relations without their subtypes
(`nmod:poss` is `nmod`). Where we differ: its script aligns words that were cut differently; here the words of both
files must be the same, and a sentence that is missing is wrong.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyheads.core.problems import Problem, shown
from manyheads.core.strict_json import read_text
from manyheads.metrics.conllu import Sentence, ids_problems, sentences, tree_problem
from manyheads.metrics.score_files import Scores, stop


def score(gold: Path, predictions: Path) -> Scores:
    """UAS and LAS, as fractions of the gold words: the head is right; head and relation are.

    `LAS_subtypes` compares relations with their subtypes. `unknown_relations` counts the words whose gold relation
    occurs in no prediction, which no parser that never saw it gets right: their UAS counts, their LAS is wrong.

    :raises StudyError: If a file is not CoNLL-U, a sentence is no tree, or the words of a sentence are other ones.
    """
    problems: list[Problem] = []
    golds, given = _trees(gold, problems), _trees(predictions, problems)
    stop(problems)
    pairs = _paired(golds, given, gold, predictions, problems)
    stop(problems)
    words = sum(len(one.words) for one in golds)
    rights = {"UAS": 0, "LAS": 0, "LAS_subtypes": 0}
    for one, other in pairs:
        for (head, relation), (found_head, found_relation) in zip(_arcs(one), _arcs(other), strict=True):
            if head == found_head:
                rights["UAS"] += 1
                rights["LAS"] += _universal(relation) == _universal(found_relation)
                rights["LAS_subtypes"] += relation == found_relation
    predicted = {_universal(relation) for one in given for _, relation in _arcs(one)}
    unknown = sum(_universal(relation) not in predicted for one in golds for _, relation in _arcs(one))
    scores: Scores = {name: right / words for name, right in rights.items()}
    return scores | {
        "words": words,
        "total": len(golds),
        "missing": len(golds) - len(pairs),
        "unknown": len(given) - len(pairs),
        "unknown_relations": unknown,
    }


def _arcs(one: Sentence) -> list[tuple[str, str]]:
    return list(zip(one.column("HEAD"), one.column("DEPREL"), strict=True))


def _universal(relation: str) -> str:
    return relation.split(":")[0]


def _trees(path: Path, problems: list[Problem]) -> list[Sentence]:
    text = read_text(path, problems)
    if text is None:
        return []
    before = len(problems)
    found = list(sentences(text, str(path), problems.append))
    problems += ids_problems(found, str(path))
    for one in found:
        problem = tree_problem(one.column("HEAD"), one.column("DEPREL"))
        if problem is not None:
            what, seen, remedy = problem
            problems.append(Problem(f"{path}:{one.line}", f"{what}, in {one.name}", seen, remedy))
    if not found and len(problems) == before:
        problems.append(Problem(str(path), "there are no sentences", shown(text), "Is it CoNLL-U?"))
    return found


def _paired(
    golds: Sequence[Sentence], given: Sequence[Sentence], gold: Path, path: Path, problems: list[Problem]
) -> list[tuple[Sentence, Sentence]]:
    """Sentences of both files, by `sent_id` where both have it, else by their order."""
    named = all(one.sent_id for one in (*golds, *given))
    if not named and len(golds) != len(given):
        found = f"{len(given)} where {gold} has {len(golds)}"
        remedy = "Predict every sentence, or give both files `# sent_id = NAME` lines."
        problems.append(Problem(str(path), "without sent_id, files need the same sentences", found, remedy))
        return []
    places: dict[Any, Sentence] = {one.sent_id if named else row: one for row, one in enumerate(given)}
    pairs = []
    for row, one in enumerate(golds):
        other = places.get(one.sent_id if named else row)
        if other is None:
            continue
        if one.column("FORM") != other.column("FORM"):
            what = f"the words are not those of the gold file, in {other.name}"
            found = shown(" ".join(other.column("FORM")))
            problems.append(Problem(f"{path}:{other.line}", what, found, "Parse the words as the gold file cuts them."))
        pairs.append((one, other))
    return pairs
