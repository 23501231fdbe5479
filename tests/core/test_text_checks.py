"""Missing columns are named with what would supply them; texts are counted into windows as encoding makes them."""

import datasets

from manyheads.core.text_checks import column_problems, is_text, window_lengths
from manyheads.core.values import Table


def problems(labelled=True, **columns):
    table = Table(datasets.Dataset.from_dict(columns), None, labelled)
    return [str(one) for one in column_problems(table, ("text", "label"), ("label",), "tasks.x (train)")]


def test_a_missing_column_is_named_with_the_one_that_was_probably_meant():
    (found,) = problems(id=["1"], texts=["a"], label=["b"])
    assert found.startswith('tasks.x (train): the column "text" is missing. Found id, texts, label.')
    assert found.endswith('columns = { text = "texts" }.')


def test_gold_columns_are_asked_of_labelled_splits_only():
    assert problems(text=["a"], labelled=False) == []
    (found,) = problems(text=["a"])
    assert 'the column "label" is missing' in found


def test_no_rows():
    assert "the split has no rows" in problems(text=[], label=[])[0]


def test_what_a_tokenizer_takes():
    assert [is_text(value) for value in ("a", " ", "", "half \ud83d", None, 3, ["a"])] == [True] + [False] * 6


def test_lengths_of_windows():
    # Room for 10 of 25 pieces beside 2 special tokens, the next 5 on: windows at 0, 5, 10, 15.
    assert window_lengths(25, 2, {"max_length": 12, "stride": 5}) == [12, 12, 12, 12]
    assert window_lengths(26, 2, {"max_length": 12, "stride": 5}) == [12, 12, 12, 12, 8]
    assert window_lengths(0, 2, {"max_length": 12, "stride": 5}) == [2]
