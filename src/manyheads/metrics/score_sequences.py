"""Scores of tagged words and of dependency trees, for predictions that any program wrote.

Tags by the rules of conlleval (see `conlleval.py`). Trees by those of the CoNLL 2018 shared task: Zeman et al., "CoNLL
2018 Shared Task: Multilingual Parsing from Raw Text to Universal Dependencies", https://aclanthology.org/K18-2001,
whose script compares relations without their subtypes (`nmod:poss` is `nmod`). Where we differ: its script aligns words
that were cut differently; here the words of both files must be the same, and a sentence that is missing is wrong.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.strict_json import read_json_lines, read_text
from manyheads.core.values import Measure
from manyheads.metrics import resampled
from manyheads.metrics.conlleval import are_chunk_tags, counts, misspelt
from manyheads.metrics.conllu import Sentence, ids_problems, sentences, tree_problem

LIMIT = 20
Scores = dict[str, Any]
"""Figures; None for one that is undefined, and `undefined` then says why: metric to reason."""


def score_tagging(gold: Path, predictions: Path) -> Scores:
    """Accuracy over words; for chunk tags also f1, precision and recall of chunks.

    A sentence without prediction is wrong in every word, and no chunk is found in it.

    :raises StudyError: If lines have no `id` and `tags`, or as many tags as another number of words has.
    """
    problems: list[Problem] = []
    golds, given = _tags(gold, problems), _tags(predictions, problems)
    for name, tags in given.items():
        if name in golds and len(tags) != len(golds[name]):
            what = f"{len(tags)} tags where the gold file has {len(golds[name])}"
            problems.append(Problem(f"{predictions} (record {name})", what, "", "Predict one tag for each word."))
    chunked = _are_chunks(golds, gold, problems)
    _stop(problems)
    pairs = [(tags, given.get(name, [""] * len(tags))) for name, tags in golds.items()]
    right = [(sum(a == b for a, b in zip(*pair, strict=True)), len(pair[0])) for pair in pairs]
    measures = {"accuracy": _ratio(right)}
    if chunked:
        rows = [counts(tags, given.get(name, ["O"] * len(tags))) for name, tags in golds.items()]
        measures["f1"] = _ratio([(2 * correct, guessed + true) for correct, guessed, true in rows])
        measures["precision"] = _ratio([(correct, guessed) for correct, guessed, _ in rows])
        measures["recall"] = _ratio([(correct, true) for correct, _, true in rows])
    found: Scores = {name: resampled.score(one) for name, one in measures.items()}
    found |= {"total": len(golds), "words": sum(map(len, golds.values()))} | _missing(golds, given)
    reasons = {name: reason for name, one in measures.items() if (reason := resampled.undefined(one))}
    return found | ({"undefined": reasons} if reasons else {})


def _ratio(rows: Sequence[tuple[int, int]]) -> Measure:
    return Measure("ratio", np.array(rows, dtype=np.float64).reshape(-1, 2))


def _tags(path: Path, problems: list[Problem]) -> dict[str, list[str]]:
    """Id to tags from JSON lines."""
    found: dict[str, list[str]] = {}
    before = len(problems)
    for number, row in read_json_lines(path, problems):
        where = f"{path}:{number}"
        tags = row.get("tags") if isinstance(row, dict) else None
        name = row.get("id") if isinstance(row, dict) else None
        if not isinstance(name, str | int) or isinstance(name, bool) or not _are_texts(tags):
            wanted = 'Write {"id": "...", "tags": ["...", "..."]}, one object in each line.'
            what = "the line needs an id (a text) and tags (a list of texts)"
            problems.append(Problem(where, what, shown(row), wanted))
            continue
        if str(name) in found:
            problems.append(Problem(where, "the id stands twice in the file", shown(name), "Make the ids unique."))
        found[str(name)] = list(tags or ())
    if not found and len(problems) == before:
        problems.append(Problem(str(path), "the file is empty", "", "Write one object in each line."))
    return found


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _are_chunks(golds: Mapping[str, Sequence[str]], path: Path, problems: list[Problem]) -> bool:
    distinct = {tag for tags in golds.values() for tag in tags}
    for tag, guess in misspelt(distinct).items():
        name = next(name for name, tags in golds.items() if tag in tags)
        remedy = f"Did you mean {shown(guess)}?"
        problems.append(Problem(f"{path} (record {name})", "the tag is nearly a chunk tag", shown(tag), remedy))
    return are_chunk_tags(distinct)


# ---- Trees ----


def score_dependency(gold: Path, predictions: Path) -> Scores:
    """UAS and LAS, as fractions of the gold words: the head is right; head and relation are.

    `LAS_subtypes` compares relations with their subtypes. `unknown_relations` counts the words whose gold relation
    occurs in no prediction, which no parser that never saw it gets right: their UAS counts, their LAS is wrong.

    :raises StudyError: If a file is not CoNLL-U, a sentence is no tree, or the words of a sentence are other ones.
    """
    problems: list[Problem] = []
    golds, given = _trees(gold, problems), _trees(predictions, problems)
    _stop(problems)
    pairs = _paired(golds, given, gold, predictions, problems)
    _stop(problems)
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
        "words": words, "total": len(golds), "missing": len(golds) - len(pairs), "unknown": len(given) - len(pairs),
        "unknown_relations": unknown,
    }  # fmt: skip


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


def _missing(golds: Mapping[str, Any], given: Mapping[str, Any]) -> Scores:
    missing, unknown = sum(name not in given for name in golds), sum(name not in golds for name in given)
    return {"missing": missing, "unknown": unknown}


def _stop(problems: list[Problem]) -> None:
    if problems:
        raise StudyError(problems[:LIMIT])
