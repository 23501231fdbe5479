"""Regression on a text or a pair of texts: one linear layer on the first token's state, squared error.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805, section 4.1 (STS-B).
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from torch import Tensor

from manyheads.core.problems import Problem, StudyError
from manyheads.core.settings import BelowOne, Positive, PositiveInt
from manyheads.core.tensors import States
from manyheads.core.text_checks import LIMIT
from manyheads.core.values import Answer, Encoded, Example, Measure, Table, Tokenizer
from manyheads.heads import PooledHead
from manyheads.heads._regression_checks import outside, problems, range_problem, unfit
from manyheads.heads._texts import encode_texts
from manyheads.metrics.resampled import ranks


class Regression(PooledHead):
    """y = w dropout(h) + b, where h is the top state of [CLS]; the loss is the squared error, mean over examples.

    The loss is on (y - low) / (high - low) with a declared range, and else on (y - center) / spread, by default with
    the mean and the standard deviation of the training labels. So its size does not depend on the unit, and the task
    does not drown the others in a sum of losses; answers are given in the label's own unit. An answer may lie outside
    the range: clipping it would make ties where the model sees a difference. `center = 0, spread = 1` takes labels as
    they are.

    Metrics: pearson, spearman, and negative_mse, the squared error with its sign turned so that higher is better.

    :param low: The lowest label there can be.
    :param high: The highest label there can be.
    :param center: What labels are less in the loss, without a range; without, the mean of the training labels.
    :param spread: What they are then divided by; without, the standard deviation of the training labels.
    :param metric: The metric for selection and the headline.
    :param max_length: The longest sequence, special tokens included; what does not fit is cut off and counted.
    :param overflow: What becomes of a longer text: it is cut; head_tail keeps its first and last pieces, 128 to 382;
        windows reads all of it. Of a pair as in classification.
    :param stride: How many pieces a window lies after the one before; without, half of max_length.
    :param window_pooling: How the windows' states become one: their mean, their largest values, or attention, a sum
        weighted by a softmax over the windows with a query that is learned.
    :param dropout: On h, while training.
    :param pooling: h is the state of the first token ([CLS]), or the mean over all tokens, as in sentence encoders.
    """

    columns = ("text", "label")
    optional = ("text_pair",)
    from_data = ("center", "spread")

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        *,
        low: Annotated[float, Ge(-1e30), Le(1e30)] | None = None,
        high: Annotated[float, Ge(-1e30), Le(1e30)] | None = None,
        metric: Literal["pearson", "spearman"] = "pearson",
        max_length: PositiveInt = 128,
        dropout: BelowOne = 0.1,
        pooling: Literal["first", "mean"] = "first",
        overflow: Literal["truncate", "head_tail", "windows"] = "truncate",
        stride: PositiveInt | None = None,
        window_pooling: Literal["mean", "max", "attention"] = "mean",
        center: float | None = None,
        spread: Positive | None = None,
    ) -> None:
        if problem := unfit(labels, {"low": low, "high": high, "center": center, "spread": spread}):
            raise ValueError(problem)
        long = {"overflow": overflow, "stride": stride, "window_pooling": window_pooling}
        super().__init__(width, labels, 1, max_length, dropout, pooling, **long)
        self.metric = metric
        self.low, self.high = low, high
        self.origin, self.unit = (center or 0.0, spread or 1.0)
        if low is not None and high is not None:
            self.origin, self.unit = low, high - low

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, {"low": self.low, "high": self.high, "center": self.origin, "spread": self.unit}, where)

    def encode(self, examples: Sequence[Example], tokenizer: Tokenizer) -> list[Encoded]:
        wrong = [example for example in examples if outside(example.get("label"), self.low, self.high)]
        if wrong:
            raise StudyError(
                [range_problem(f"record {one.get('id')}", one["label"], self.low, self.high) for one in wrong[:LIMIT]]
            )
        found = encode_texts(examples, tokenizer, self.texts)
        return [
            Encoded(inputs, () if example.get("label") is None else (float(example["label"]),), truncated=truncated)
            for example, (inputs, truncated) in zip(examples, found, strict=True)
        ]

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[B] answers on the scale of the loss."""
        return super().forward(states, counts).squeeze(-1)

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        outputs, targets = outputs.float(), (targets.float() - self.origin) / self.unit
        return (outputs - targets).square().sum() / max(1, len(targets))

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[Answer]:
        values = outputs.detach().cpu().double() * self.unit + self.origin
        return [{"value": value} for value in values.tolist()]

    def measures(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, Measure]:
        pairs = [(float(g["label"]), float(p["value"])) for p, g in zip(predictions, gold, strict=True)]
        items = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        # A rank of nan is a number, and would hide that the model has diverged.
        ranked = np.where(
            np.isfinite(items).all(axis=0), np.stack([ranks(column) for column in items.T], axis=1), np.nan
        )
        return {
            "pearson": Measure("pearson", items),
            "spearman": Measure("pearson", ranked),
            "negative_mse": Measure("mean", -np.square(items[:, :1] - items[:, 1:])),
        }
