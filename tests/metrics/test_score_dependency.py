"""Scores of trees: values by hand, and bad files named with their place."""

import pytest

from manyheads.core.problems import StudyError
from manyheads.scoring import score_files


def fails(head, *paths):
    with pytest.raises(StudyError) as caught:
        score_files(head, *paths)
    return [str(problem) for problem in caught.value.problems]


def trees(folder, name, *sentences, named=True):
    """Sentences as lists of (word, head, relation)."""
    text = ""
    for number, words in enumerate(sentences):
        text += f"# sent_id = {number}\n" if named else ""
        for at, (word, head, relation) in enumerate(words, 1):
            text += f"{at}\t{word}\t_\tX\t_\t_\t{head}\t{relation}\t_\t_\n"
        text += "\n"
    path = folder / name
    path.write_text(text)
    return path


DOGS = [("Dogs", 2, "nsubj"), ("bark", 0, "root"), ("loudly", 2, "advmod:emph")]
CATS = [("Cats", 2, "nsubj"), ("sleep", 0, "root")]


def test_trees_by_hand(tmp_path):
    gold = trees(tmp_path, "gold", DOGS, CATS)
    found = trees(tmp_path, "found", [("Dogs", 3, "nsubj"), ("bark", 0, "root"), ("loudly", 2, "advmod")], CATS)
    # Of 5 heads 4 are right; their relations too, one of them without its subtype.
    expected = {"UAS": 0.8, "LAS": 0.8, "LAS_subtypes": 0.6, "words": 5, "total": 2, "missing": 0, "unknown": 0,
                "unknown_relations": 0}  # fmt: skip
    assert score_files("dependency", gold, found) == pytest.approx(expected)
    assert score_files("dependency", gold, gold)["LAS_subtypes"] == 1.0


def test_a_right_relation_at_a_wrong_head_is_wrong(tmp_path):
    gold = trees(tmp_path, "gold", CATS)
    found = trees(tmp_path, "found", [("Cats", 0, "root"), ("sleep", 1, "root")])
    assert score_files("dependency", gold, found)["LAS"] == 0.0


def test_relations_that_no_prediction_has(tmp_path):
    gold = trees(tmp_path, "gold", [("Cats", 2, "vocative"), ("sleep", 0, "root")])
    result = score_files("dependency", gold, trees(tmp_path, "found", CATS))
    assert (result["UAS"], result["LAS"], result["unknown_relations"]) == (1.0, 0.5, 1)


def test_missing_and_unknown_sentences(tmp_path):
    gold, found = trees(tmp_path, "gold", DOGS, CATS), trees(tmp_path, "found", DOGS)
    result = score_files("dependency", gold, found)
    assert (result["UAS"], result["missing"], result["unknown"]) == (0.6, 1, 0)
    result = score_files("dependency", found, gold)
    assert (result["UAS"], result["missing"], result["unknown"]) == (1.0, 0, 1)
    bare = [trees(tmp_path, name, *rows, named=False) for name, rows in (("gold", (DOGS, CATS)), ("found", (DOGS,)))]
    assert "without sent_id, files need the same sentences. Found 1 where" in fails("dependency", *bare)[0]
    assert score_files("dependency", bare[0], bare[0])["UAS"] == 1.0


def test_bad_trees_of_both_files_at_once(tmp_path):
    gold = trees(tmp_path, "gold", [("a", 1, "dep")], DOGS)
    found = trees(tmp_path, "found", DOGS, [("a", 0, "root"), ("b", 0, "root")])
    problems = fails("dependency", gold, found)
    assert (
        "gold:2: word 1 is its own head, in sentence 0" in problems[0] and "found:7: a tree has one root" in problems[1]
    )
    other = trees(tmp_path, "found", CATS)
    assert "the words are not those of the gold file, in sentence 0. Found 'Cats sleep'" in str(
        fails("dependency", trees(tmp_path, "gold", DOGS), other)
    )
    other.write_text("")
    assert "there are no sentences" in fails("dependency", other, other)[0]
