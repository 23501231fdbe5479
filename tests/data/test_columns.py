"""Examples in Arrow columns are the examples: whatever their targets and notes, in memory or mapped from a file."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.core.values import Encoded, Input
from manyheads.data.columns import SCHEMA, Examples, Form, agreed, block_of, blocks_of
from manyheads.data.metadata_bytes import packed, unpacked


def an_input(ids, kinds=None):
    return Input(np.array(ids, np.int32), np.array(kinds if kinds is not None else [0] * len(ids), np.int8))


def same(one, other):
    """Equal values, arrays compared by value and type."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return type(one) is type(other) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def same_examples(one, other):
    parts = [((e.targets, e.metadata, e.truncated), [(i.ids, i.token_types) for i in e.inputs]) for e in (one, other)]
    return same(*parts)


def stored(examples, size=2):
    found = [block_of(examples[at : at + size]) for at in range(0, len(examples), size)]
    return Examples([batch for batch, _ in found], agreed(form for _, form in found))


THREE = [
    Encoded((an_input([5, 6, 7]),), (1,), None, 2),
    Encoded((an_input([8], [1]), an_input([9, 9])), (0,), {"a": [1, "é"]}, 0),
    Encoded((an_input([2, 3]),), (4,)),
]


def test_by_hand():
    (first, form), (second, _) = block_of(THREE[:2]), block_of(THREE[2:])
    assert first.schema == SCHEMA and form == Form(True, 0)
    assert first.column("ids").to_pylist() == [[5, 6, 7], [8, 9, 9]]
    assert first.column("token_types").to_pylist() == [[0, 0, 0], [1, 0, 0]]
    assert first.column("lengths").to_pylist() == [[3], [1, 2]]
    assert first.column("targets").to_pylist() == [[1.0], [0.0]]
    assert first.column("truncated").to_pylist() == [2, 0]
    examples = Examples([first, second], form)
    assert len(examples) == 3 and examples[-1].targets == (4,) and examples.lengths.tolist() == [3, 3, 2]
    assert all(same_examples(a, b) for a, b in zip(examples, THREE, strict=True))
    assert all(same_examples(a, b) for a, b in zip(examples[1:], THREE[1:], strict=True))
    with pytest.raises(IndexError):
        examples[3]


NUMBERS = st.integers(-100, 100) | st.integers(2**40, 2**53)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("half \ud83d of it")
)
ARRAYS = st.lists(st.integers(-9, 9), max_size=5).flatmap(
    lambda values: st.sampled_from([np.array(values, kind) for kind in ("int32", "float64", "bool", "int8")])
) | st.just(np.arange(6, dtype=np.int32).reshape(3, 2))
NOTES = st.recursive(
    LEAVES | ARRAYS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(NOTES)
@settings(max_examples=200, deadline=None)
def test_metadata_comes_back_equal(metadata):
    assert same(unpacked(packed(metadata)), metadata)


@pytest.mark.parametrize("metadata", [{1, 2}, datetime.date(2020, 1, 1), {"a": object()}, np.array(["text"]), b"bytes"])
def test_metadata_of_something_else_is_refused(metadata):
    with pytest.raises(TypeError, match="metadata may hold plain JSON values and arrays of numbers"):
        packed(metadata)


@st.composite
def splits(draw):
    kind = draw(st.sampled_from(["none", "whole", "float", "pairs"]))
    target = {
        "none": st.nothing(),
        "whole": NUMBERS,
        "float": st.floats(allow_nan=False, allow_infinity=False),
        "pairs": st.tuples(NUMBERS, NUMBERS),
    }[kind]
    targets = st.just(()) if kind == "none" else st.lists(target, max_size=3).map(tuple)
    ids = st.lists(st.integers(0, 30_000), max_size=6)
    inputs = st.lists(ids.map(an_input), min_size=1, max_size=3).map(tuple)
    return draw(st.lists(st.builds(Encoded, inputs, targets, NOTES, st.integers(0, 9)), max_size=9))


@given(splits(), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_examples_come_back_equal_however_they_are_cut_into_blocks(examples, size):
    found = stored(examples, size)
    assert len(found) == len(examples)
    assert all(same_examples(a, b) for a, b in zip(found, examples, strict=True))
    assert all(same_examples(found[row], examples[row]) for row in range(len(examples)))


def test_mapped_from_a_file_nothing_is_copied(tmp_path):
    batch, form = block_of(THREE)
    with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(batch)
    before = pa.total_allocated_bytes()
    with pa.memory_map(str(tmp_path / "x.arrow")) as source:
        examples = Examples([pa.ipc.open_file(source).get_batch(0)], form)
    assert all(same_examples(a, b) for a, b in zip(examples, THREE, strict=True))
    assert pa.total_allocated_bytes() - before < batch.nbytes
    with pytest.raises(ValueError, match="read-only"):
        examples[0].inputs[0].ids[0] = 1


@pytest.mark.parametrize("targets", [("a",), ((1, 2), (3,)), (2**60,), (((1,),),)])
def test_targets_of_another_kind_are_refused(targets):
    with pytest.raises((TypeError, ValueError)):
        block_of([Encoded((an_input([1]),), targets)])


def test_targets_of_two_kinds_in_a_split_are_refused():
    with pytest.raises(TypeError, match="of one kind and one shape"):
        stored([Encoded((an_input([1]),), (1,)), Encoded((an_input([1]),), (1.5,))], size=1)


def test_plain_lists_have_the_same_blocks():
    (block,) = blocks_of(THREE)
    (of_columns,) = stored(THREE, size=9).blocks
    for name in ("ids", "token_types", "tokens", "lengths", "sequences", "truncated"):
        assert np.array_equal(getattr(block, name), getattr(of_columns, name)), name
