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
from manyheads.core.settings import BelowOne, PositiveInt
from manyheads.core.tensors import States
from manyheads.core.text_checks import LIMIT
from manyheads.core.values import Answer, Encoded, Example, Measure, Table, Tokenizer
from manyheads.heads import PooledHead
from manyheads.heads._regression_checks import outside, problems, range_problem, unfit
from manyheads.heads._texts import encode_texts
from manyheads.metrics.resampled import ranks


class Regression(PooledHead):
    """y = w dropout(h) + b, where h is the top state of [CLS]; the loss is the squared error, mean over examples.

    With a declared range the loss is on (y - low) / (high - low), so that its size does not depend on the unit and the
    task does not drown the others in a sum of losses; answers are given in the label's own unit. An answer may lie
    outside the range: clipping it would make ties where the model sees a difference. Without a range labels are used
    as they are.

    Metrics: pearson, spearman, and negative_mse, the squared error with its sign turned so that higher is better.

    :param low: The lowest label there can be.
    :param high: The highest label there can be.
    :param metric: The metric for selection and the headline.
    :param max_length: The longest sequence, special tokens included; what does not fit is cut off and counted.
    :param dropout: On h, while training.
    :param pooling: h is the state of the first token ([CLS]), or the mean over all tokens, as in sentence encoders.
    """

    columns = ("text", "label")
    optional = ("text_pair",)

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
    ) -> None:
        if problem := unfit(labels, {"low": low, "high": high}):
            raise ValueError(problem)
        super().__init__(width, labels, 1, max_length, dropout, pooling)
        self.metric = metric
        self.low, self.high = low, high

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, {"low": self.low, "high": self.high}, where)

    def encode(self, examples: Sequence[Example], tokenizer: Tokenizer) -> list[Encoded]:
        wrong = [example for example in examples if outside(example.get("label"), self.low, self.high)]
        if wrong:
            raise StudyError(
                [range_problem(f"record {one.get('id')}", one["label"], self.low, self.high) for one in wrong[:LIMIT]]
            )
        inputs = encode_texts(examples, tokenizer, self.max_length)
        return [
            Encoded((one,), () if example.get("label") is None else (float(example["label"]),), truncated=truncated)
            for example, (one, truncated) in zip(examples, inputs, strict=True)
        ]

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[B] answers, scaled to 0 ... 1 if the range is declared."""
        return super().forward(states, counts).squeeze(-1)

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        outputs, targets = outputs.float(), targets.float()
        if self.low is not None and self.high is not None:
            targets = (targets - self.low) / (self.high - self.low)
        return (outputs - targets).square().sum() / max(1, len(targets))

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[Answer]:
        values = outputs.detach().cpu().double()
        if self.low is not None and self.high is not None:
            values = values * (self.high - self.low) + self.low
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
