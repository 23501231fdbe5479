"""Sequence labelling: a tag for each word, from the state of the word's first piece.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805, section 5.3.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads.core.problems import Problem, StudyError
from manyheads.core.tensors import States
from manyheads.core.values import Encoded, Measure, Table, Tokenizer
from manyheads.heads import Head
from manyheads.heads._tagging_checks import COLUMNS, problems, stride_problem, unfit
from manyheads.heads._words import Sentence, sentence, word_pieces
from manyheads.metrics.conlleval import are_chunk_tags, counts, evaluate

_IGNORED = -100


class Tagging(Head):
    """Logits of a word = W dropout(h) + b, where h is the top state of its first piece; the loss is the cross-entropy.

    The loss is the mean over the words of the batch, as in BERT's code, so long sentences weigh more than short ones.
    Tags are predicted one by one: no conditional random field, and nothing forbids I after O.

    Words are cut into pieces one by one. A sentence longer than `max_length` is read in windows; each word is learned
    from and predicted in the window that owns it, where it has the most context. So there are always as many tags as
    words. BERT's code cuts such sentences off.

    Metrics: accuracy over words; if the tags are chunk tags (O, B-, I-, and in BIOES also E-, S-) precision, recall and
    f1 of chunks by the rules of conlleval, which read IOB1, IOB2 and BIOES alike. A gold tag that is none of the labels
    cannot be learned, and is counted as wrong.

    :param max_length: The longest window, special tokens included.
    :param stride: How many pieces a window lies after the one before.
    :param max_word: How many pieces of a word are kept; what is cut off is counted.
    :param dropout: On h, while training.
    :param metric: The metric for selection and the headline; without, f1 for chunk tags, and accuracy for others.
    """

    columns = COLUMNS
    per_token = True

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        *,
        max_length: int = 128,
        stride: int = 64,
        max_word: int = 32,
        dropout: float = 0.1,
        metric: Literal["", "f1", "accuracy"] = "",
    ) -> None:
        super().__init__(width, labels)
        self.settings = {"max_length": max_length, "stride": stride, "max_word": max_word, "metric": metric}
        if problem := unfit(labels, self.settings):
            raise ValueError(problem)
        self.names = self.labels or []
        self.index = {name: index for index, name in enumerate(self.names)}
        self.chunked = are_chunk_tags(self.names)
        self.metric = metric or ("f1" if self.chunked else "accuracy")
        self.max_length, self.stride, self.max_word = max_length, stride, max_word
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, len(self.names))
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, self.settings, where)

    # ---- Encoding: a target for each token, which counts at the first piece of each word only ----

    def encode(self, examples: Sequence[Mapping[str, Any]], tokenizer: Tokenizer) -> list[Encoded]:
        if problem := stride_problem(self.settings, tokenizer.room(False, self.max_length)):
            raise StudyError([Problem("head", problem)])
        pieces = word_pieces([word for example in examples for word in example["words"]], tokenizer)
        found = []
        for example in examples:
            one = sentence(
                example["words"], pieces, tokenizer,
                max_length=self.max_length, stride=self.stride, max_word=self.max_word,
            )  # fmt: skip
            found.append(self._encoded(one, example.get("tags")))
        return found

    def _encoded(self, given: Sentence, tags: Sequence[str] | None) -> Encoded:
        note: dict[str, Any] = {"firsts": given.firsts, "windows": len(given.inputs), "unknown": 0}
        if tags is None:
            return Encoded(given.inputs, (), note, given.truncated)
        classes = [self.index.get(tag, _IGNORED) for tag in tags]
        targets = np.full(sum(len(one.ids) for one in given.inputs), _IGNORED, np.int64)
        targets[given.firsts] = classes
        note["unknown"] = classes.count(_IGNORED)
        return Encoded(given.inputs, tuple(targets.tolist()), note, given.truncated)

    def counts(self, examples: Sequence[Encoded]) -> dict[str, Any]:
        """How many words there are, how many sentences were read in windows, how many tags are none of the labels."""
        words = windowed = unknown = 0
        for example in examples:
            words, unknown = words + len(example.note["firsts"]), unknown + example.note["unknown"]
            windowed += example.note["windows"] > 1
        return {"words": words, "windowed": windowed, "unknown_tags": unknown}

    # ---- Output, loss, answer ----

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[N, C] logits of every token."""
        return self.output(self.dropout(states.last))

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        total = functional.cross_entropy(outputs.float(), targets, reduction="sum", ignore_index=_IGNORED)
        return total / (targets != _IGNORED).sum().clamp(min=1)

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[dict[str, Any]]:
        sizes = [sum(len(one.ids) for one in example.inputs) for example in examples]
        begins = np.cumsum([0, *sizes[:-1]])
        firsts = [example.note["firsts"] + begin for example, begin in zip(examples, begins, strict=True)]
        chosen = outputs.detach()[torch.from_numpy(np.concatenate(firsts).astype(np.int64)).to(outputs.device)]
        best, classes = (one.cpu().numpy() for one in torch.softmax(chosen.float(), dim=-1).max(dim=-1))
        answers, at = [], 0
        for places in firsts:
            part = slice(at, at + len(places))
            tags = [self.names[index] for index in classes[part].tolist()]
            answers.append({"tags": tags, "probabilities": best[part].tolist()})
            at += len(places)
        return answers

    # ---- Scores ----

    def measures(
        self, predictions: Sequence[Mapping[str, Any]], gold: Sequence[Mapping[str, Any]]
    ) -> dict[str, Measure]:
        pairs = [(g["tags"], p["tags"]) for p, g in zip(predictions, gold, strict=True)]
        right = [(sum(a == b for a, b in zip(true, found, strict=True)), len(true)) for true, found in pairs]
        measures = {"accuracy": Measure("ratio", np.array(right, dtype=np.float64).reshape(-1, 2))}
        if self.chunked:
            rows = np.array([counts(*pair) for pair in pairs], dtype=np.float64).reshape(-1, 3)
            correct, found, true = rows.T
            measures["f1"] = Measure("ratio", np.stack([2 * correct, found + true], axis=1))
            measures["precision"] = Measure("ratio", np.stack([correct, found], axis=1))
            measures["recall"] = Measure("ratio", np.stack([correct, true], axis=1))
        return measures

    def official(self, predictions: Sequence[Mapping[str, Any]], gold: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """What conlleval prints, in percent, if the tags are chunk tags."""
        if not self.chunked:
            return {}
        return evaluate([one["tags"] for one in gold], [one["tags"] for one in predictions])
