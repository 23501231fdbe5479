"""Scores of tags and of trees: values by hand, a restatement as an oracle, and bad files named with their place."""

import json
import random

import pytest

from manyheads.core.problems import StudyError
from manyheads.metrics.conlleval import evaluate
from manyheads.metrics.score_files import score_files


def lines(folder, name, *rows):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def tagged(*sentences, start=0):
    return [{"id": str(at), "tags": tags.split()} for at, tags in enumerate(sentences, start)]


def fails(head, *paths):
    with pytest.raises(StudyError) as caught:
        score_files(head, *paths)
    return [str(problem) for problem in caught.value.problems]


# ---- Tags ----


def test_chunks_by_hand(tmp_path):
    gold = lines(tmp_path, "gold", *tagged("B-X I-X O", "B-X O", "B-Y"))
    found = lines(tmp_path, "found", *tagged("B-X I-X B-Y", "O O"), {"id": "z", "tags": ["O"]})
    # Gold: 3 chunks. Found: 2, of which 1 is right; of 6 words 2 and 1 have the right tag, and the third sentence none.
    assert score_files("tagging", gold, found) == pytest.approx(
        {
            "accuracy": 0.5,
            "f1": 2 / 5,
            "precision": 1 / 2,
            "recall": 1 / 3,
            "total": 3,
            "words": 6,
            "missing": 1,
            "unknown": 1,
        }
    )


def test_plain_tags_have_an_accuracy_only(tmp_path):
    gold, found = lines(tmp_path, "gold", *tagged("DT NN")), lines(tmp_path, "found", *tagged("DT DT"))
    assert score_files("tagging", gold, found) == {"accuracy": 0.5, "total": 1, "words": 2, "missing": 0, "unknown": 0}


def test_no_chunk_found_is_undefined_precision_with_a_reason(tmp_path):
    gold, found = lines(tmp_path, "gold", *tagged("B-X O")), lines(tmp_path, "found", *tagged("O O"))
    result = score_files("tagging", gold, found)
    assert (result["f1"], result["precision"], result["recall"]) == (0.0, None, 0.0)
    assert list(result["undefined"]) == ["precision"]


def test_same_as_conlleval_on_any_tags(tmp_path):
    rng = random.Random(0)
    golds = [rng.choices(["O", "B-X", "I-X", "B-Y", "I-Y"], k=rng.randrange(1, 12)) for _ in range(100)]
    found = [[tag if rng.random() < 0.7 else rng.choice(["O", "B-X", "I-Y"]) for tag in tags] for tags in golds]
    paths = [lines(tmp_path, name, *tagged(*map(" ".join, rows))) for name, rows in (("gold", golds), ("found", found))]
    result, expected = score_files("tagging", *paths), evaluate(golds, found)
    for ours, theirs in (("accuracy", "accuracy"), ("f1", "FB1"), ("precision", "precision"), ("recall", "recall")):
        assert 100 * result[ours] == pytest.approx(expected[theirs])


def test_bad_lines_of_tags(tmp_path):
    gold = lines(tmp_path, "gold", *tagged("O B-X"))
    assert (
        "found (record 0): 1 tags where the gold file has 2"
        in fails("tagging", gold, lines(tmp_path, "found", *tagged("O")))[0]
    )
    found = lines(
        tmp_path, "found", {"id": "0"}, {"tags": ["O"]}, {"id": True, "tags": []}, {"id": "1", "tags": [1]}, 7
    )
    problems = fails("tagging", gold, found)
    assert len(problems) == 5 and all("needs an id (a text) and tags (a list of texts)" in one for one in problems)
    found = lines(tmp_path, "found", *tagged("O O"), *tagged("O O"))
    assert "found:2: the id stands twice" in fails("tagging", gold, found)[0]
    assert "the file is empty" in fails("tagging", gold, lines(tmp_path, "found"))[0]
    gold = lines(tmp_path, "gold", *tagged("O b-x B-Y"))
    assert "nearly a chunk tag. Found 'b-x'. Did you mean 'B-X'?" in fails("tagging", gold, gold)[0]


# ---- Trees ----


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
