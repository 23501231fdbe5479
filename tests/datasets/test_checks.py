"""What is told of texts and splits wherever they come from."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.problems import StudyError
from manyheads.core.values import Table
from manyheads.datasets._checks import Problems, compare_splits
from manyheads.datasets._hub import span_rows
from manyheads.datasets._texts import check_texts, has_long_word

SOME = {"text": ["Bob"], "answer_start": [0]}
NONE = {"text": [], "answer_start": []}


def test_long_words_by_hand():
    texts = ["a" * 100, "a" * 101, f"so {'b' * 101}!", "a " * 300, "字" * 300, "á" * 101, "", None]
    assert has_long_word(pa.array(texts)).tolist() == [False, True, True, False, False, True, False, False]


@given(st.lists(st.text("ab \n\t", max_size=8).map(lambda text: text * 30), max_size=5))
def test_long_words_are_those_of_a_plain_search(texts):
    found = has_long_word(pa.array(texts, pa.string())).tolist()
    assert found == [re.search(r"\S{101}", text) is not None for text in texts]


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\xad \u200d", "\ufeff\n"])
def test_a_text_without_a_sign_is_empty(text):
    problems = Problems()
    check_texts([text, "a\u200b", "\u200bא"], "text", str, problems)
    assert [(problem.where, problem.what) for problem in problems.found] == [("0", '"text" is empty')]


def spans(*answers):
    texts = [f"Bob {row}" for row in range(len(answers))]
    return Table(span_rows([f"{id(answers)}-{text}" for text in texts], texts, texts, answers))


@pytest.mark.parametrize(
    ("train", "reported", "warned"),
    [
        ([SOME, SOME], [SOME, NONE, NONE], "2 reported rows without an answer"),
        ([SOME, NONE], [SOME, SOME], "1 row of train without an answer"),
        ([SOME, NONE], [NONE, SOME], None),
        ([SOME], [SOME], None),
    ],
)
def test_unanswerable_questions_in_one_split_only(train, reported, warned):
    found = [problem.found for problem in compare_splits(spans(*train), spans(*reported), "t")]
    assert [one for one in found if "without an answer" in one] == ([warned] if warned else [])


def test_the_last_problem_that_is_shown_ends_the_reading():
    with pytest.raises(StudyError) as error:
        check_texts(["", None, 3, ""], "text", str, Problems(3))
    assert [problem.what.split(" ", 1)[1] for problem in error.value.problems] == [
        "is empty", "is missing or null", "is of type int, not a string",
    ]  # fmt: skip
