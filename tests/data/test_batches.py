import dataclasses

import numpy as np
import pytest
import torch

from manyheads.core.values import Encoded, Input, Table
from manyheads.data.batches import (
    TrainingData,
    batch_of,
    collate,
    encoded,
    identity,
    lengths,
    parts,
    stored,
    truncated,
    unknown_share,
    vocabulary,
)
from manyheads.data.columns import Examples, agreed, block_of
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.heads.classification import Classification


def example(label: int, *lengths: int) -> Encoded:
    inputs = tuple(Input(np.arange(n, dtype=np.int32), np.zeros(n, np.int8)) for n in lengths)
    return Encoded(inputs, (label,))


def data(size: int = 10, batch_size: int = 4, seed: int = 1, task: str = "a") -> TrainingData:
    return TrainingData(task, [example(index, 3) for index in range(size)], batch_size, seed)


def test_collate_by_hand():
    batch = collate("a", [example(1, 2, 3), example(0, 1)], [7, 5])
    assert batch.tokens.ids.tolist() == [0, 1, 0, 1, 2, 0]
    assert batch.tokens.positions.tolist() == [0, 1, 0, 1, 2, 0]
    assert (batch.tokens.lengths, batch.counts, batch.rows) == ((2, 3, 1), (2, 1), (7, 5))
    assert torch.equal(batch.targets, torch.tensor([1, 0]))


def test_every_pass_sees_every_example_once():
    given = data()
    assert given.per_pass == 3
    for number in range(3):
        rows = [row for index in range(3) for row in given.rows(3 * number + index)]
        assert sorted(rows) == list(range(10))
    assert given.rows(0) != given.rows(3)


def test_a_batch_depends_on_seed_task_and_index_only():
    late = data()
    late.batch(7)
    assert late.rows(2) == data().rows(2)
    assert data(seed=2).rows(0) != data().rows(0) != data(task="b").rows(0)


def test_parts_are_the_batch():
    given = data(size=10, batch_size=10)
    whole = given.batch(0)
    pieces = parts(whole, 3, given.examples)
    assert [len(piece.rows) for piece in pieces] == [4, 4, 2]
    assert torch.equal(torch.cat([piece.targets for piece in pieces]), whole.targets)


def test_unlabelled_examples_have_no_targets():
    assert collate("a", [Encoded(example(0, 2).inputs)], [0]).targets is None


def test_a_split_is_encoded_in_order(minilm):
    import datasets

    rows = datasets.Dataset.from_dict({"id": ["1", "2"], "text": ["good", "bad day"], "label": ["y", "n"]})
    found = encoded(Classification(8, ["n", "y"]), Table(rows, ("n", "y")), PretrainedTokenizer(minilm))
    assert [one.targets for one in found] == [(1,), (0,)]
    assert [len(one.inputs[0].ids) for one in found] == [3, 4]


# ---- The same from columns ----


def in_columns(examples: list[Encoded], size: int = 3) -> Examples:
    found = [block_of(examples[at : at + size]) for at in range(0, len(examples), size)]
    return Examples([batch for batch, _ in found], agreed(form for _, form in found))


def mixed(target) -> list[Encoded]:
    """Ten examples of one to three sequences of one to seven tokens."""
    rng = np.random.default_rng(0)
    examples = []
    for row in range(10):
        inputs = [rng.integers(0, 99, int(rng.integers(1, 8))).astype(np.int32) for _ in range(rng.integers(1, 4))]
        sequences = tuple(Input(ids, rng.integers(0, 2, len(ids)).astype(np.int8)) for ids in inputs)
        examples.append(Encoded(sequences, target(row, len(inputs)), truncated=row))
    return examples


TARGETS = {
    "classes": lambda row, count: (row % 3,),
    "numbers": lambda row, count: (row / 7,),
    "spans": lambda row, count: ((row, row + 1),) * count,
    "unlabelled": lambda row, count: (),
    "some unlabelled": lambda row, count: () if row < 4 else (row,),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_batches_from_columns_are_those_of_the_list(kind):
    examples = mixed(TARGETS[kind])
    columns = in_columns(examples)
    for rows in ([0], [9, 3, 3, 5], list(range(10)), [1, 2]):
        one, other = batch_of("a", columns, rows), collate("a", [examples[row] for row in rows], rows)
        for name in ("ids", "token_types"):
            ours, theirs = getattr(one.tokens, name), getattr(other.tokens, name)
            assert torch.equal(ours, theirs) and ours.dtype == theirs.dtype
        assert (one.tokens.lengths, one.counts, one.rows) == (other.tokens.lengths, other.counts, other.rows)
        assert (one.targets is None) == (other.targets is None)
        if one.targets is not None:
            assert torch.equal(one.targets, other.targets) and one.targets.dtype == other.targets.dtype


def test_training_data_and_parts_from_columns_are_those_of_the_list():
    examples = mixed(TARGETS["spans"])
    ours, theirs = (TrainingData("a", given, 4, 1) for given in (in_columns(examples), examples))
    for index in range(7):
        one, other = ours.batch(index), theirs.batch(index)
        assert one.rows == other.rows and torch.equal(one.tokens.ids, other.tokens.ids)
        for left, right in zip(parts(one, 3, ours.examples), parts(other, 3, theirs.examples), strict=True):
            assert left.rows == right.rows and torch.equal(left.targets, right.targets)


@pytest.mark.parametrize("given", [mixed, lambda target: in_columns(mixed(target))], ids=["list", "columns"])
def test_what_a_split_holds(given):
    examples = given(TARGETS["classes"])
    listed = mixed(TARGETS["classes"])
    tokens = [one.ids.tolist() for example in listed for one in example.inputs]
    assert vocabulary(examples).tolist() == sorted({id for ids in tokens for id in ids})
    assert lengths(examples).tolist() == [sum(len(one.ids) for one in example.inputs) for example in listed]
    assert truncated(examples) == 45
    assert identity(examples) == identity(in_columns(listed, size=4))


def test_what_an_empty_split_holds():
    for examples in ([], in_columns([])):
        assert vocabulary(examples).tolist() == [] and lengths(examples).tolist() == [] and truncated(examples) == 0


def test_the_share_of_unknown_pieces(minilm):
    import datasets

    tokenizer = PretrainedTokenizer(minilm)
    rows = {"id": ["1", "2"], "text": ["good film", "🦦 🪿 film"], "label": ["x", "y"]}
    table = Table(datasets.Dataset.from_dict(rows), ("x", "y"))
    examples = encoded(Classification(8, ["x", "y"], max_length=16), table, tokenizer)
    assert unknown_share(examples, tokenizer) == 2 / 5  # of five words; special tokens do not count
    assert unknown_share(in_columns(examples, 1), tokenizer) == 2 / 5 and unknown_share([], tokenizer) == 0


def test_identity_sees_sequences_and_nothing_else():
    examples = mixed(TARGETS["classes"])
    known = identity(examples)
    assert identity(mixed(TARGETS["numbers"])) == known
    assert identity([dataclasses.replace(one, metadata="other", truncated=0) for one in examples]) == known
    last = examples[-1]
    ids, kinds = last.inputs[0].ids, last.inputs[0].token_types
    changed = {
        "ids": (Input(ids + 1, kinds), *last.inputs[1:]),
        "token_types": (Input(ids, 1 - kinds), *last.inputs[1:]),
        "one more": (*last.inputs, last.inputs[0]),
        "cut in two": (Input(ids[:1], kinds[:1]), Input(ids[1:], kinds[1:]), *last.inputs[1:]),
    }
    assert len(ids) > 1
    found = {name: identity([*examples[:-1], Encoded(inputs)]) for name, inputs in changed.items()}
    assert known not in found.values() and len(set(found.values())) == len(found)
    # The same tokens and sequences, but the first sequence of the last example belongs to the one before it.
    moved = [Encoded((*examples[-2].inputs, last.inputs[0])), Encoded(last.inputs[1:])]
    assert identity([*examples[:-2], *moved]) != known


def test_a_split_is_stored_as_it_is_encoded(minilm):
    import datasets

    rows = datasets.Dataset.from_dict({"id": ["1", "2"], "text": ["good", "bad day"], "label": ["y", "n"], "x": [1, 2]})
    head, table, tokenizer = Classification(8, ["n", "y"]), Table(rows, ("n", "y")), PretrainedTokenizer(minilm)
    assert identity(stored(head, table, tokenizer)) == identity(encoded(head, table, tokenizer))
    assert [one.targets for one in stored(head, table, tokenizer)] == [(1,), (0,)]
