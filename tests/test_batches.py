import numpy as np
import torch

from manyheads.batches import TrainingData, collate, encoded, parts
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.heads.classification import Classification
from manyheads.types import Encoded, Input, Table


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
