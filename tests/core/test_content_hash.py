"""Equal hashes, equal rows: whatever Arrow does with them, and nothing else."""

import datasets
import pyarrow as pa
import pytest
from datasets import concatenate_datasets

from manyheads.core.content_hash import content_hash
from manyheads.core.values import Table

ROWS = {
    "id": ["a", "b", "c", "d"],
    "text": ["one", "", None, "four é"],
    "number": [1.5, None, 0.0, 2.0],
    "whole": [1, 2, None, 4],
    "choices": [["x", "y"], [], None, ["", "z"]],
    "answers": [{"text": ["p"], "answer_start": [0]}, {"text": [], "answer_start": []}, None, {"text": ["q", "r"],
                "answer_start": [1, 2]}],
}  # fmt: skip


def hashed(rows, **columns):
    return content_hash(Table(datasets.Dataset.from_dict({**rows, **columns})))


def test_chunks_selections_and_column_order_make_no_difference(monkeypatch):
    whole = datasets.Dataset.from_dict(ROWS)
    known = content_hash(Table(whole))
    pieces = concatenate_datasets([whole.select([0]), whole.select([1, 2]), whole.select([3])])
    assert content_hash(Table(pieces)) == known
    turned = whole.select([3, 2, 1, 0]).select([3, 2, 1, 0])
    assert content_hash(Table(turned)) == known
    assert content_hash(Table(whole.select_columns(list(ROWS)[::-1]))) == known
    twice = concatenate_datasets([whole, whole])
    assert content_hash(Table(twice.select(range(4, 8)))) == known
    monkeypatch.setattr("manyheads.core.content_hash.BLOCK", 3)
    assert content_hash(Table(whole)) == known


def test_how_wide_arrow_keeps_texts_and_numbers_makes_no_difference():
    table = pa.table({"text": ["a", None, "bc"], "whole": [1, 2, 3]})
    wide = table.cast(pa.schema([("text", pa.large_string()), ("whole", pa.int8())]))
    one, other = (datasets.Dataset(datasets.table.InMemoryTable(each)) for each in (table, wide))
    assert content_hash(Table(one)) == content_hash(Table(other))


CHANGES = [
    {"text": ["one", "", None, "four e"]},
    {"text": ["on", "e", None, "four é"]},
    {"text": ["one", None, None, "four é"]},
    {"text": ["one", "", "", "four é"]},
    {"text": ["", "one", None, "four é"]},
    {"number": [1.5, 0.0, 0.0, 2.0]},
    {"number": [1.5, None, 0.0, 2.5]},
    {"whole": [1, 2, 0, 4]},
    {"whole": [1, None, 2, 4]},
    {"choices": [["x"], ["y"], None, ["", "z"]]},
    {"choices": [["x", "y"], None, None, ["", "z"]]},
    {"choices": [["xy"], [], None, ["", "z"]]},
    {"choices": [["x", "y"], [], None, ["", None]]},
    {"answers": [*ROWS["answers"][:2], {"text": [], "answer_start": []}, ROWS["answers"][3]]},
    {"answers": [{"text": ["p"], "answer_start": [1]}, *ROWS["answers"][1:]]},
    {"other": [1, 2, 3, 4]},
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_content_has_another_hash(change):
    assert hashed(ROWS, **change) != hashed(ROWS)


def test_rows_names_order_and_tables_count():
    whole = datasets.Dataset.from_dict(ROWS)
    known = content_hash(Table(whole))
    others = [
        content_hash(Table(whole.select([1, 0, 2, 3]))),
        content_hash(Table(whole.select(range(3)))),
        content_hash(Table(whole.rename_column("text", "txt"))),
        content_hash(Table(whole), Table(whole)),
        content_hash(Table(whole.select(range(2))), Table(whole.select(range(2, 4)))),
        content_hash(Table(whole.select([]))),
        content_hash(),
    ]
    assert known not in others and len(set(others)) == len(others)
