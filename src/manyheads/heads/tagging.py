"""Sequence labelling: a tag for each word, from the state of the word's first piece.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805, section 5.3.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from manyheads.core.problems import Problem, StudyError
from manyheads.core.settings import BelowOne, PositiveInt
from manyheads.core.tensors import States
from manyheads.core.text_checks import is_text
from manyheads.core.values import Answer, Encoded, Example, HighlightedText, Measure, Table, Tokenizer
from manyheads.heads import IGNORED, Head, mean_cross_entropy, output_layer
from manyheads.heads._tagging_checks import problems, stride_problem, tag_measures, unfit
from manyheads.heads._words import Sentence, sentence, word_pieces
from manyheads.metrics.conlleval import are_chunk_tags, evaluate


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

    columns = ("words", "tags")
    gold = ("tags",)
    cut_by = "max_word"
    per_token = True

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        *,
        max_length: PositiveInt = 128,
        stride: PositiveInt = 64,
        max_word: PositiveInt = 32,
        dropout: BelowOne = 0.1,
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
        self.output = output_layer(width, len(self.names))

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, self.settings, where)

    def question_problem(self, column: str, value: object) -> str:
        good = isinstance(value, list) and bool(value) and all(map(is_text, value))
        return "" if good else "a list of words, none of them empty"

    # ---- Encoding: a target for each token, which counts at the first piece of each word only ----

    def encode(self, examples: Sequence[Example], tokenizer: Tokenizer) -> list[Encoded]:
        if problem := stride_problem(self.settings, tokenizer.room(False, self.max_length)):
            raise StudyError([Problem("head", problem)])
        pieces = word_pieces([word for example in examples for word in example["words"]], tokenizer)
        found = []
        for example in examples:
            sizes = {"max_length": self.max_length, "stride": self.stride, "max_word": self.max_word}
            one = sentence(example["words"], pieces, tokenizer, **sizes)
            found.append(self._encoded(one, example.get("tags")))
        return found

    def _encoded(self, given: Sentence, tags: Sequence[str] | None) -> Encoded:
        metadata = {"firsts": given.firsts, "windows": len(given.inputs), "unknown": 0}
        if tags is None:
            return Encoded(given.inputs, (), metadata, given.truncated)
        classes = [self.index.get(tag, IGNORED) for tag in tags]
        targets = np.full(sum(len(one.ids) for one in given.inputs), IGNORED, np.int64)
        targets[given.firsts] = classes
        metadata["unknown"] = classes.count(IGNORED)
        return Encoded(given.inputs, tuple(targets.tolist()), metadata, given.truncated)

    def counts(self, examples: Sequence[Encoded]) -> dict[str, float]:
        """How many words there are, how many sentences were read in windows, how many tags are none of the labels."""
        words = windowed = unknown = 0
        for example in examples:
            words, unknown = words + len(example.metadata["firsts"]), unknown + example.metadata["unknown"]
            windowed += example.metadata["windows"] > 1
        return {"words": words, "windowed": windowed, "unknown_tags": unknown}

    # ---- Output, loss, answer ----

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[N, C] logits of every token."""
        return self.output(self.dropout(states.last))

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        return mean_cross_entropy(outputs, targets)

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[Answer]:
        sizes = [sum(len(one.ids) for one in example.inputs) for example in examples]
        begins = np.cumsum([0, *sizes[:-1]])
        firsts = [example.metadata["firsts"] + begin for example, begin in zip(examples, begins, strict=True)]
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

    def measures(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, Measure]:
        found = [one["tags"] for one in predictions]
        return tag_measures([one["tags"] for one in gold], found, found if self.chunked else None)

    def official(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """What conlleval prints, in percent, if the tags are chunk tags."""
        if not self.chunked:
            return {}
        return evaluate([one["tags"] for one in gold], [one["tags"] for one in predictions])

    def show_example(self, example: Example) -> dict[str, str | HighlightedText]:
        return {"Text": " ".join(example["words"])}
