"""Multiple choice: each choice is read beside the text and gets a score; a softmax over the choices of one question.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805, section 4.4 (SWAG).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from manyheads.core.problems import Problem
from manyheads.core.settings import BelowOne, PositiveInt
from manyheads.core.tensors import States
from manyheads.core.text_checks import is_text
from manyheads.core.values import Answer, Encoded, Example, HighlightedText, Measure, Table, Tokenizer
from manyheads.heads import PooledHead, mean_cross_entropy
from manyheads.heads._multiple_choice_checks import problems
from manyheads.heads._texts import fit, pieces_of


class MultipleChoice(PooledHead):
    """P(i) = exp(v h_i) / sum_j exp(v h_j), where h_i is the top state of [CLS] for (text, choice i).

    The loss is the cross-entropy, mean over questions. Questions may have different numbers of choices, also within a
    batch. `label` is the index of the right choice, counted from 0, as a number or as its digits.

    Departs from BERT in two points: no pooler (see classification), and dropout may be set. There is no bias: added to
    every choice, it would change nothing.

    Metric: accuracy.

    :param max_length: The longest sequence, special tokens included; what does not fit is cut off and counted.
    :param dropout: On h, while training.
    :param pooling: h is the state of the first token ([CLS]), or the mean over all tokens, as in sentence encoders.
    """

    columns = ("text", "choices", "label")
    metric = "accuracy"

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        *,
        max_length: PositiveInt = 128,
        dropout: BelowOne = 0.1,
        pooling: Literal["first", "mean"] = "first",
    ) -> None:
        super().__init__(width, labels, 1, max_length, dropout, pooling, bias=False)

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, {}, where)

    def question_problem(self, column: str, value: object) -> str:
        if column != "choices":
            return super().question_problem(column, value)
        good = isinstance(value, list) and len(value) > 1 and all(map(is_text, value))
        return "" if good else "a list of at least two texts"

    def encode(self, examples: Sequence[Example], tokenizer: Tokenizer) -> list[Encoded]:
        texts = [text for example in examples for text in (example["text"], *example["choices"])]
        pieces = pieces_of(texts, tokenizer)
        encoded = []
        for example in examples:
            text = pieces[example["text"]].ids
            fitted = [fit(text, pieces[choice].ids, tokenizer, self.max_length) for choice in example["choices"]]
            targets = () if example.get("label") is None else (int(example["label"]),)
            truncated = sum(count for _, count in fitted)
            encoded.append(Encoded(tuple(one for one, _ in fitted), targets, truncated=truncated))
        return encoded

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[S] the score of each choice of each question, one after another."""
        return super().forward(states, counts).squeeze(-1)

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        padded = pad_sequence(list(outputs.float().split(list(counts))), batch_first=True, padding_value=-torch.inf)
        return mean_cross_entropy(padded, targets)

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[Answer]:
        answers = []
        for scores in outputs.float().split([len(example.inputs) for example in examples]):
            choice = int(scores.argmax())
            probabilities = torch.softmax(scores, dim=0).tolist()
            answers.append({"choice": choice, "label": str(choice), "probabilities": probabilities})
        return answers

    def measures(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, Measure]:
        correct = [int(g["label"]) == p["choice"] for p, g in zip(predictions, gold, strict=True)]
        return {"accuracy": Measure("mean", np.array(correct, dtype=np.float64).reshape(-1, 1))}

    def show_example(self, example: Example) -> dict[str, str | HighlightedText]:
        return {"Text": example["text"], "Choices": " / ".join(example["choices"])}

    def show_answer(self, answer: Answer, example: Example) -> str:
        return example["choices"][answer["choice"]]

    def show_gold(self, gold: str | int, example: Example) -> str:
        return example["choices"][int(gold)]

    def groups(self, examples: Sequence[Example]) -> dict[str, list[str]]:
        """None: that two questions have their right answer in the same place says nothing."""
        return {}
