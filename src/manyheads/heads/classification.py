"""Classification of a text or a pair of texts: one linear layer on the first token's state.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805, section 4.1.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads.core.problems import Problem
from manyheads.core.tensors import States
from manyheads.core.values import Encoded, Measure, Table, Tokenizer
from manyheads.heads import Head
from manyheads.heads._classification_checks import COLUMNS, problems, unfit
from manyheads.heads._texts import encode_texts
from manyheads.metrics.resampled import placements

_IGNORED = -100


class Classification(Head):
    """Logits = W dropout(h) + b, where h is the top state of [CLS]; the loss is the cross-entropy, mean over examples.

    Departs from BERT in one point: no pooler (a dense layer with tanh between h and the logits), because not every
    encoder has a pretrained one, and arms would then differ in more than their encoder. Weights start as BERT's do.
    A pair is cut to `max_length` by taking pieces from the end of the longer text.

    Metrics: accuracy, matthews (Matthews correlation, also for many classes), macro_f1; with two labels also f1 and auc
    (the area under the ROC curve), whose positive class is the last label.

    :param max_length: The longest sequence, special tokens included; what does not fit is cut off and counted.
    :param dropout: On h, while training.
    :param pooling: What h is: the state of the first token ([CLS]), or the mean over all tokens, on which
        sentence encoders such as MiniLM were trained, and from which they learn with fewer examples.
    :param metric: The metric for selection and the headline.
    """

    columns = COLUMNS
    optional = ("text_pair",)

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        *,
        max_length: int = 128,
        dropout: float = 0.1,
        pooling: Literal["first", "mean"] = "first",
        metric: Literal["accuracy", "f1", "macro_f1", "matthews", "auc"] = "accuracy",
    ) -> None:
        super().__init__(width, labels)
        names = self.labels or []
        if problem := unfit(names, {"metric": metric}):
            raise ValueError(problem)
        self.metric = metric
        self.max_length = max_length
        self.pooling = pooling
        self.names = names
        self.index = {name: index for index, name in enumerate(names)}
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, len(names))
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, {}, where)

    def encode(self, examples: Sequence[Mapping[str, Any]], tokenizer: Tokenizer) -> list[Encoded]:
        inputs = encode_texts(examples, tokenizer, self.max_length)
        return [
            Encoded(
                (one,), () if example.get("label") is None else (self.index[example["label"]],), truncated=truncated
            )
            for example, (one, truncated) in zip(examples, inputs, strict=True)
        ]

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[B, C] logits."""
        return self.output(self.dropout(states.pooled(self.pooling)))

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        total = functional.cross_entropy(outputs.float(), targets, reduction="sum", ignore_index=_IGNORED)
        return total / (targets != _IGNORED).sum().clamp(min=1)

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[dict[str, Any]]:
        probabilities = torch.softmax(outputs.float(), dim=-1)
        best = probabilities.argmax(dim=-1).tolist()
        return [
            {"label": self.names[index], "probabilities": dict(zip(self.names, row, strict=True))}
            for index, row in zip(best, probabilities.tolist(), strict=True)
        ]

    def measures(
        self, predictions: Sequence[Mapping[str, Any]], gold: Sequence[Mapping[str, Any]]
    ) -> dict[str, Measure]:
        pairs = [(self.index[g["label"]], self.index[p["label"]]) for p, g in zip(predictions, gold, strict=True)]
        items = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        correct = (items[:, :1] == items[:, 1:]).astype(np.float64)
        measures = {
            "accuracy": Measure("mean", correct),
            "macro_f1": Measure("macro_f1", items),
            "matthews": Measure("matthews", items),
        }
        if len(self.names) == 2:
            measures["f1"] = Measure("f1", items)
            surety = np.array([p["probabilities"][self.names[1]] for p in predictions], dtype=np.float64)
            measures["auc"] = Measure("auc", placements(items[:, 0], surety))
        return measures
