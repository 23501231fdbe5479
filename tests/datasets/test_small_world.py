import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from inspect import signature
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from manyheads import registry
from manyheads.core.problems import StudyError
from manyheads.core.values import SPLITS, TEST, TRAIN, VALIDATION, Places
from manyheads.datasets import _small_world_words as words
from manyheads.datasets.small_world import SmallWorld

SUBSETS = get_args(signature(SmallWorld).parameters["subset"].annotation)
CLASSIFIED = ("film_sentiment", "food_sentiment", "inference", "acceptability", "paraphrase")
ASKED = ("questions", "questions_or_none")
CANDIDATES = {
    "year": r"\b(?:19|20)\d\d\b",
    "money": r"£\d+(?: million)?",
    "day": r"\b\w+day\b",
    "person": rf"\b[A-Z]\w+ (?:{'|'.join(words.FAMILIES)})\b",
    "dish": "|".join(words.DISHES),
    "town": rf"\b(?:{'|'.join(words.TOWNS)})\b",
    "part": rf"\b(?:{'|'.join(words.PARTS)})\b",
    "film": "|".join(words.FILMS),
    "number": r"(?<![£\d])\b\d{2,3}\b",
}


def world(subset, **settings):
    return SmallWorld(Places(Path()), subset=subset, **settings)


@cache
def table(subset, split=TRAIN, **settings):
    return world(subset, **settings).read(split)


def rows(subset, split=TRAIN, **settings):
    return table(subset, split, **settings).rows.to_list()


def text_of(row):
    """What must not stand in two splits."""
    return row["context"] if "context" in row else row["text"]


def input_of(row):
    return tuple(str(row.get(column)) for column in ("context", "question", "text", "text_pair"))


@pytest.mark.parametrize("subset", SUBSETS)
def test_columns_sizes_and_ids(subset):
    columns = {"inference": {"text", "text_pair", "label"}, "choices": {"text", "choices", "label"}}
    columns["paraphrase"] = columns["inference"]
    columns["questions"] = columns["questions_or_none"] = {"question", "context", "answers", "cluster"}
    sizes = {TRAIN: 2000, VALIDATION: 500, TEST: 500}
    ids = [row["id"] for split in SPLITS for row in rows(subset, split)]
    assert {split: len(rows(subset, split)) for split in SPLITS} == sizes
    assert len(set(ids)) == len(ids)
    for split in SPLITS:
        assert set(table(subset, split).rows.column_names) == {"id"} | columns.get(subset, {"text", "label"})


@pytest.mark.parametrize(("size", "expected"), [(10, 200), (1000, 250), (6000, 1000)])
def test_sizes_of_the_other_splits(size, expected):
    assert len(rows("paraphrase", VALIDATION, size=size)) == len(rows("paraphrase", TEST, size=size)) == expected


@pytest.mark.parametrize("subset", SUBSETS)
def test_no_input_twice_and_no_text_in_two_splits_whatever_the_seed(subset):
    splits = {split: rows(subset, split) for split in SPLITS}
    for split in splits.values():
        assert len({input_of(row) for row in split}) == len(split)
    texts = [{text_of(row) for row in split} for split in splits.values()]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    assert not texts[0] & {text_of(row) for row in rows(subset, TEST, seed=1)}


@pytest.mark.parametrize("subset", SUBSETS)
def test_smaller_training_set_is_the_beginning_of_a_larger_one(subset):
    assert rows(subset, size=400) == rows(subset)[:400]
    assert rows(subset, size=400, seed=1) != rows(subset)[:400]


def test_same_in_another_process_with_another_hash_seed():
    program = (
        "from pathlib import Path; from manyheads.core.values import Places;"
        "from manyheads.datasets.small_world import SmallWorld;"
        f"print([SmallWorld(Places(Path()), subset=name, size=20).read('train').rows.to_list() for name in {SUBSETS}])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([rows(subset, size=20) for subset in SUBSETS])


def test_unknown_split_is_none():
    assert world("choices").read("dev") is None


@pytest.mark.parametrize("subset", [*CLASSIFIED, "choices"])
@pytest.mark.parametrize("split", SPLITS)
def test_classes_are_balanced_and_named(subset, split):
    counts = Counter(row["label"] for row in rows(subset, split))
    assert set(counts) == set(table(subset, split).labels)
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("subset", SUBSETS)
def test_sentences_are_complete(subset):
    for row in rows(subset):
        texts = [row[column] for column in ("text", "text_pair", "question", "context") if column in row]
        for text in texts + row.get("choices", []):
            assert text[0].isupper() and text[-1] in ".?", text
            assert not re.search(r"[{}|]|  |[.?] [a-z]", text), text


@pytest.mark.parametrize("subset", CLASSIFIED)
def test_noise_flips_its_share_of_training_labels_and_nothing_else(subset):
    clean, noisy = rows(subset), rows(subset, noise=0.1)
    assert [input_of(row) for row in clean] == [input_of(row) for row in noisy]
    assert sum(a["label"] != b["label"] for a, b in zip(clean, noisy, strict=True)) == 200
    assert rows(subset, TEST, noise=0.1) == rows(subset, TEST)


@pytest.mark.parametrize("subset", ASKED)
def test_noise_gives_another_phrase_of_the_passage(subset):
    clean, noisy = rows(subset), rows(subset, noise=0.2)
    changed = [(a, b) for a, b in zip(clean, noisy, strict=True) if a != b]
    assert len(changed) == 400
    for before, after in changed:
        (text,), (start,) = after["answers"]["text"], after["answers"]["answer_start"]
        assert text not in before["answers"]["text"] and after["context"][start:].startswith(text)


@cache
def bag_of_words(subset):
    vectorizer = CountVectorizer(token_pattern=r"\w+")
    counts = vectorizer.fit_transform([f"{row['text']} {row.get('text_pair', '')}" for row in rows(subset)])
    return vectorizer, LogisticRegression(max_iter=1000).fit(counts, [row["label"] for row in rows(subset)])


def accuracy(model, subset):
    vectorizer, classifier = model
    texts = [f"{row['text']} {row.get('text_pair', '')}" for split in (VALIDATION, TEST) for row in rows(subset, split)]
    labels = [row["label"] for split in (VALIDATION, TEST) for row in rows(subset, split)]
    return classifier.score(vectorizer.transform(texts), labels)


@pytest.mark.parametrize(
    ("subset", "most"),
    [
        ("film_sentiment", 0.85),
        ("food_sentiment", 0.85),
        ("inference", 0.7),
        ("acceptability", 0.7),
        ("paraphrase", 0.6),
    ],
)
def test_bag_of_words_is_not_enough(subset, most):
    assert accuracy(bag_of_words(subset), subset) < most


@pytest.mark.parametrize("subset", CLASSIFIED)
def test_no_single_word_tells(subset):
    counts = CountVectorizer(token_pattern=r"\w+", binary=True)
    present = counts.fit_transform([f"{row['text']} {row.get('text_pair', '')}" for row in rows(subset)])
    labels = np.array([row["label"] for row in rows(subset)])
    by_class = np.stack([present[labels == label].sum(axis=0).A1 for label in sorted(set(labels))])
    size_of_class = np.array([(labels == label).sum() for label in sorted(set(labels))])[:, None]
    best = (by_class.max(axis=0) + (size_of_class - by_class).max(axis=0)) / len(labels)
    assert best.max() <= 0.65


@pytest.mark.parametrize("subset", ["inference", "paraphrase"])
def test_second_text_alone_tells_little(subset):
    pairs = {split: ([row["text_pair"] for row in rows(subset, split)], [r["label"] for r in rows(subset, split)])
             for split in SPLITS}  # fmt: skip
    vectorizer = CountVectorizer()
    model = LogisticRegression(max_iter=1000).fit(vectorizer.fit_transform(pairs[TRAIN][0]), pairs[TRAIN][1])
    assert model.score(vectorizer.transform(pairs[TEST][0]), pairs[TEST][1]) < 0.6


@pytest.mark.parametrize(
    ("source", "target"), [("film_sentiment", "food_sentiment"), ("food_sentiment", "film_sentiment")]
)
def test_opinions_transfer_in_part_to_the_other_domain(source, target):
    assert 0.55 < accuracy(bag_of_words(source), target) < accuracy(bag_of_words(target), target)


@pytest.mark.parametrize("subset", ["film_sentiment", "food_sentiment"])
def test_without_hard_constructions_words_are_enough(subset):
    train, test = rows(subset, difficulty=0.0), rows(subset, TEST, difficulty=0.0)
    vectorizer = CountVectorizer()
    counts = vectorizer.fit_transform([row["text"] for row in train])
    model = LogisticRegression(max_iter=1000).fit(counts, [row["label"] for row in train])
    assert model.score(vectorizer.transform([row["text"] for row in test]), [row["label"] for row in test]) > 0.95


def test_continuations_alone_tell_nothing():
    chosen = Counter(re.sub(r"[A-Z]\w+ [A-Z]\w+", "NAME", row["choices"][int(row["label"])]) for row in rows("choices"))
    offered = Counter(re.sub(r"[A-Z]\w+ [A-Z]\w+", "NAME", c) for row in rows("choices") for c in row["choices"])
    frequent = [choice for choice, count in offered.items() if count >= 200]
    assert len(frequent) > 5
    for choice in frequent:
        assert 0.15 < chosen[choice] / offered[choice] < 0.35, choice


@pytest.mark.parametrize("subset", ASKED)
@pytest.mark.parametrize("split", SPLITS)
def test_answers_stand_where_they_are_said_to(subset, split):
    for row in rows(subset, split):
        for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True):
            assert row["context"][start : start + len(text)] == text


def test_questions_share_passages_of_three_to_seven_sentences():
    found = rows("questions")
    passages = {row["cluster"]: row["context"] for row in found}
    assert len(set(passages.values())) == len(passages) < len(found) / 3
    assert all(3 <= len(re.findall(r"[.](?: |$)", passage)) <= 7 for passage in passages.values())


def candidates(row):
    for pattern in CANDIDATES.values():
        if re.fullmatch(pattern, row["answers"]["text"][0]):
            return len(set(re.findall(pattern, row["context"])))
    raise AssertionError(row["answers"])


def test_many_questions_need_a_choice_among_several_of_a_kind():
    found = rows("questions")
    assert sum(candidates(row) > 1 for row in found) / len(found) >= 0.4


def test_half_of_the_questions_have_no_answer_and_their_words_do_not_say_which():
    splits = {split: rows("questions_or_none", split) for split in (TRAIN, TEST)}
    answered = {split: [bool(row["answers"]["text"]) for row in found] for split, found in splits.items()}
    assert 0.45 < np.mean(answered[TRAIN]) < 0.55
    vectorizer = CountVectorizer()
    questions = {split: [row["question"] for row in found] for split, found in splits.items()}
    model = LogisticRegression(max_iter=1000).fit(vectorizer.fit_transform(questions[TRAIN]), answered[TRAIN])
    assert model.score(vectorizer.transform(questions[TEST]), answered[TEST]) < 0.65


def test_every_mistake_is_reported_at_once():
    wrong = {"subset": "films", "size": 9, "noise": 0.6, "difficulty": float("nan")}
    problems = registry.describe("datasets", "small_world").problems(wrong, "x")
    message = "\n".join(map(str, problems))
    assert [problem.where for problem in problems] == ["x.subset", "x.size", "x.noise", "x.difficulty"]
    assert (
        "'films'" in message and '"film_sentiment", "food_sentiment", "inference"' in message and "Found 9" in message
    )


def test_more_rows_than_there_are_is_an_error_and_not_a_hang(monkeypatch):
    monkeypatch.setattr("manyheads.datasets.small_world.PATIENCE", 3)
    with pytest.raises(StudyError, match="not that many different examples"):
        world("paraphrase", size=100_000).read(TRAIN)
