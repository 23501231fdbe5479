"""Classification of a text or a pair of texts: one linear layer on the first token's state.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805, section 4.1.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from manyheads.core.problems import Problem
from manyheads.core.settings import BelowOne, PositiveInt
from manyheads.core.values import Answer, Encoded, Example, Measure, Table, Tokenizer
from manyheads.heads import PooledHead, mean_cross_entropy
from manyheads.heads._classification_checks import positive_class, problems, unfit
from manyheads.heads._texts import encode_texts
from manyheads.metrics.resampled import placements


class Classification(PooledHead):
    """Logits = W dropout(h) + b, where h is the top state of [CLS]; the loss is the cross-entropy, mean over examples.

    Departs from BERT in one point: no pooler (a dense layer with tanh between h and the logits), because not every
    encoder has a pretrained one, and arms would then differ in more than their encoder.
    A pair is cut to `max_length` by taking pieces from the end of the longer text. In windows, those of a pair lie over
    its longer text; the shorter one stands in each, cut to half of the room.

    Metrics: accuracy, matthews (Matthews correlation, also for many classes), macro_f1; with two labels also f1 and auc
    (the area under the ROC curve), which are about one of them, the positive class.

    :param max_length: The longest sequence, special tokens included; what does not fit is cut off and counted.
    :param overflow: What becomes of a longer text: it is cut; head_tail keeps its first and last pieces, 128 to 382;
        windows reads all of it.
    :param stride: How many pieces a window lies after the one before; without, half of max_length.
    :param window_pooling: How the windows' states become one: their mean, their largest values, or attention, a sum
        weighted by a softmax over the windows with a query that is learned.
    :param dropout: On h, while training.
    :param pooling: h is the state of the first token ([CLS]), or the mean over all tokens, as in sentence encoders.
    :param metric: The metric for selection and the headline.
    :param positive: The class that f1 and auc are about; without, the last label.
    """

    columns = ("text", "label")
    optional = ("text_pair",)

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        *,
        max_length: PositiveInt = 128,
        dropout: BelowOne = 0.1,
        pooling: Literal["first", "mean"] = "first",
        metric: Literal["accuracy", "f1", "macro_f1", "matthews", "auc"] = "accuracy",
        overflow: Literal["truncate", "head_tail", "windows"] = "truncate",
        stride: PositiveInt | None = None,
        window_pooling: Literal["mean", "max", "attention"] = "mean",
        positive: str = "",
    ) -> None:
        if problem := unfit(labels, {"metric": metric, "positive": positive}):
            raise ValueError(problem)
        long = {"overflow": overflow, "stride": stride, "window_pooling": window_pooling}
        super().__init__(width, labels, len(labels or ()), max_length, dropout, pooling, **long)
        self.metric = metric
        self.names = self.labels or []
        self.positive = positive_class(self.names, positive)
        self.index = {name: index for index, name in enumerate(self.names)}

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, {}, where)

    def encode(self, examples: Sequence[Example], tokenizer: Tokenizer) -> list[Encoded]:
        targets = [() if one.get("label") is None else (self.index[one["label"]],) for one in examples]
        return [
            Encoded(inputs, target, truncated=truncated)
            for target, (inputs, truncated) in zip(targets, encode_texts(examples, tokenizer, self.texts), strict=True)
        ]

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        return mean_cross_entropy(outputs, targets)

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[Answer]:
        probabilities = torch.softmax(outputs.float(), dim=-1)
        best = probabilities.argmax(dim=-1).tolist()
        return [
            {"label": self.names[index], "probabilities": dict(zip(self.names, row, strict=True))}
            for index, row in zip(best, probabilities.tolist(), strict=True)
        ]

    def measures(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, Measure]:
        pairs = [(self.index[g["label"]], self.index[p["label"]]) for p, g in zip(predictions, gold, strict=True)]
        items = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        correct = (items[:, :1] == items[:, 1:]).astype(np.float64)
        measures = {
            "accuracy": Measure("mean", correct),
            "macro_f1": Measure("macro_f1", items),
            "matthews": Measure("matthews", items),
        }
        if self.positive is not None:
            about = items if self.positive == self.names[1] else 1 - items
            measures["f1"] = Measure("f1", about)
            surety = np.array([p["probabilities"][self.positive] for p in predictions], dtype=np.float64)
            measures["auc"] = Measure("auc", placements(about[:, 0], surety))
        return measures
