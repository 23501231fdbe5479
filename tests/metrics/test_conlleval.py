"""Chunks: values by hand, conlleval's own way of counting as an oracle, and what must hold of any tags."""

import random
from collections import Counter

import pytest

from manyheads.metrics.conlleval import (
    are_chunk_tags,
    chunks,
    counts,
    evaluate,
    meant,
    misspelt,
    odd,
    scheme_of,
    whole_set,
)

CASES = [
    ("B-NP I-NP O B-NP", [("NP", 0, 2), ("NP", 3, 4)]),
    ("B-NP B-NP I-NP", [("NP", 0, 1), ("NP", 1, 3)]),
    ("I-NP I-NP", [("NP", 0, 2)]),
    ("O I-NP O I-NP", [("NP", 1, 2), ("NP", 3, 4)]),
    ("I-NP I-VP", [("NP", 0, 1), ("VP", 1, 2)]),
    ("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
    ("I-NP B-NP", [("NP", 0, 1), ("NP", 1, 2)]),
    ("B-A I-A E-A S-A", [("A", 0, 3), ("A", 3, 4)]),
    ("S-A S-A O S-B", [("A", 0, 1), ("A", 1, 2), ("B", 3, 4)]),
    ("E-A E-A", [("A", 0, 1), ("A", 1, 2)]),
    ("B I O B", [("", 0, 2), ("", 3, 4)]),
    ("B-a-b I-a-b", [("a-b", 0, 2)]),
    ("O O", []),
    ("", []),
]


@pytest.mark.parametrize(("tags", "expected"), CASES)
def test_chunks_by_hand(tags, expected):
    assert list(chunks(tags.split())) == expected


def test_without_b_and_with_it_is_the_same_chunk_as_in_conlleval():
    # A strict reader of IOB2 gives 0 here; one that ignores the type's change would give 1 chunk for I-PER I-LOC.
    assert counts(["B-X", "I-X"], ["I-X", "I-X"]) == (1, 1, 1)
    assert counts(["B-PER", "I-LOC"], ["B-PER", "I-PER"]) == (0, 1, 2)


def conlleval(golds, predictions):
    """The loop of the script, restated: it compares starts and ends word by word and never forms a list of chunks."""

    def ends(before, before_type, tag, type_):
        if before in ("E", "S"):
            return True
        if (before, tag) in {("B", "B"), ("B", "S"), ("B", "O"), ("I", "B"), ("I", "S"), ("I", "O")}:
            return True
        return before not in ("O", ".") and before_type != type_

    def starts(before, before_type, tag, type_):
        if tag in ("B", "S"):
            return True
        if (before, tag) in {("E", "E"), ("E", "I"), ("S", "E"), ("S", "I"), ("O", "E"), ("O", "I")}:
            return True
        return tag not in ("O", ".") and before_type != type_

    found = Counter()
    for gold, predicted in zip(golds, predictions, strict=True):
        inside, last_gold, last_guess = False, ("O", ""), ("O", "")
        for true, guess in [*zip(gold, predicted, strict=True), ("O", "O")]:
            true, guess = (tuple(tag.split("-", 1)) if "-" in tag else (tag, "") for tag in (true, guess))
            true_end, guess_end = ends(*last_gold, *true), ends(*last_guess, *guess)
            true_start, guess_start = starts(*last_gold, *true), starts(*last_guess, *guess)
            if inside:
                if true_end and guess_end and last_guess[1] == last_gold[1]:
                    inside = False
                    found["correct"] += 1
                elif true_end != guess_end or guess[1] != true[1]:
                    inside = False
            if true_start and guess_start and guess[1] == true[1]:
                inside = True
            found["gold"] += true_start
            found["guessed"] += guess_start
            last_gold, last_guess = true, guess
    return found["correct"], found["guessed"], found["gold"]


@pytest.mark.parametrize("prefixes", ["BI", "BIES"])
def test_counts_are_those_of_the_scripts_loop(prefixes):
    rng = random.Random(0)
    tags = ["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in ("X", "Y"))]
    for _ in range(3000):
        gold = rng.choices(tags, k=rng.randrange(1, 9))
        predicted = [tag if rng.random() < 0.6 else rng.choice(tags) for tag in gold]
        assert counts(gold, predicted) == conlleval([gold], [predicted]), (gold, predicted)


def test_figures_by_hand():
    golds = [["B-NP", "I-NP", "O", "B-VP"], ["B-NP"]]
    found = [["B-NP", "I-NP", "B-VP", "I-VP"], ["O"]]
    assert evaluate(golds, found) == pytest.approx(
        {"accuracy": 40.0, "precision": 50.0, "recall": 100 / 3, "FB1": 40.0, "FB1 NP": 200 / 3, "FB1 VP": 0.0}
    )
    assert evaluate([["O"]], [["O"]]) == {"accuracy": 100.0, "precision": 0.0, "recall": 0.0, "FB1": 0.0}


def written(spans, size, scheme):
    """The tags of chunks in a scheme."""
    tags, last = ["O"] * size, None
    for kind, start, end in spans:
        for place in range(start, end):
            first, final = place == start, place == end - 1
            if scheme == "bioes":
                prefix = "S" if first and final else "B" if first else "E" if final else "I"
            elif scheme == "iob2":
                prefix = "B" if first else "I"
            else:
                prefix = "B" if first and last == (kind, start) else "I"
            tags[place] = f"{prefix}-{kind}"
        last = (kind, end)
    return tags


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes"])
def test_any_chunks_are_read_back_from_any_scheme_which_is_detected(scheme):
    rng, sentences = random.Random(1), []
    for _ in range(400):
        spans, at = [], rng.randrange(3)
        while at < 12:
            end = at + rng.randrange(1, 4)
            spans.append((rng.choice("XY"), at, end))
            at = end + rng.choice((0, 0, 1, 2))
        tags = written(spans, 16, scheme)
        assert list(chunks(tags)) == spans
        assert list(odd(tags, scheme)) == []
        sentences.append(tags)
    assert scheme_of(sentences) == scheme


@pytest.mark.parametrize(
    ("tags", "scheme", "places"),
    [
        ("I-X I-X O B-X I-Y", "iob2", [0, 4]),
        ("B-X I-X B-X O", "iob1", [0]),
        ("B-X I-X O E-Y S-X B-X", "bioes", [1, 3, 5]),
    ],
)
def test_where_tags_break_a_scheme(tags, scheme, places):
    assert list(odd(tags.split(), scheme)) == places


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("B-PER", "B-PER"), ("b-per", "B-PER"), ("B_PER", "B-PER"), (" B-PER", "B-PER"), ("I PER", "I-PER"), ("o", "O"),
        ("B-per", "B-per"), ("NN", None), ("", None), ("X-PER", None),
    ],
)  # fmt: skip
def test_what_a_misspelt_tag_means(tag, expected):
    assert meant(tag) == expected


def test_plain_tags_are_no_chunks():
    assert not are_chunk_tags(["NN", "O"]) and not are_chunk_tags(["O"]) and not are_chunk_tags(["B-PER", "NN"])
    assert misspelt(["B-PER", "b-per", "o"]) == {"b-per": "B-PER", "o": "O"}
    assert misspelt(["NN", "b-per"]) == {} and misspelt(["s", "i"]) == {}
    assert whole_set(["I-NP", "O", "B-AP"], "iob2") == ("O", "B-AP", "I-AP", "B-NP", "I-NP")
