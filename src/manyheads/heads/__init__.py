"""What a task asks: how an example becomes input, the output layer, the loss, the answer, the metrics.

To add a head, write `heads/<name>.py` with one class that inherits from `Head`, and `tests/heads/test_<name>.py`.
There is nothing to register, and nothing else in the program knows heads by name or their columns: which columns hold
what is right, how questions to a saved model are checked, how an example and an answer read to a person and how a file
of predictions is scored are the head's own, with defaults here for a head whose answer is one value:

| to be said | default |
|---|---|
| `columns`, `optional`, `gold` | `gold` is `("label",)` |
| `problems(table, where)` | none, beside missing columns |
| `question_problem(column, value)` | every column of a question is a text |
| `show_example`, `show_answer`, `show_gold`, `groups` | columns by name; the answer's first value; groups by label |
| `score(gold, predictions)` | `measures` of two files of JSON lines |

`manyheads check` and `manyheads score` ask a head without importing torch, if it has a companion:
`heads/_<name>_checks.py`, which imports of ours `core` and `metrics` alone. It holds these functions; `settings` are
the head's settings, those left at their defaults too:

- `unfit(labels, settings)`: why there cannot be such a head, as a sentence, or None; the head's `__init__` calls it;
- `problems(table, settings, where)`: as `Head.problems`, which calls it;
- `lengths(examples, counter, settings)`: for each example the lengths of the sequences that `encode` would make of it,
  counted with a `encoder_info.PieceCounter`;
- `cuts(examples, counter, settings)`: for each example how many word pieces it has, and how many `encode` cuts off;
- `settled(settings, train)`: values for settings that are left to the training data;
- `remarks(train, settings, where)`: warnings about the training data, where its dataset has no convention of its own;
- `notes(labels, settings)`: what the plan says of the head, as sentences;
- `score(gold, predictions)`: as `Head.score`. It may be left out, and may take options, keyword-only.

A head without a companion is built and asked itself. What is read of its class alone (`columns`, `optional`, `gold`,
`per_token`) needs no torch if it is written as a plain value.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads.core.problems import Problem
from manyheads.core.tensors import States
from manyheads.core.text_checks import is_text
from manyheads.core.values import Answer, Encoded, Example, HighlightedText, Measure, Table, Tokenizer
from manyheads.metrics.score_files import Scores, score_rows

IGNORED = -100
"""A target that counts for nothing in `mean_cross_entropy`."""


class Head(nn.Module):
    """The contract of every head. No method is abstract, because a head that has `measures` alone can score files.

    :param width: D, the width of the states.
    :param labels: The names of the classes in the dataset's order; None where the task has none.
    """

    columns: ClassVar[tuple[str, ...]]
    """The columns a dataset must have."""
    optional: ClassVar[tuple[str, ...]] = ()
    """The columns that are used if the dataset has them."""
    gold: ClassVar[tuple[str, ...]] = ("label",)
    """Those of the columns that say what is right. A split without labels, and a question to a model, have none."""
    metric: str
    """The metric for selection and for the headline, higher is better; a key of `measures`."""
    max_length: int
    """The longest sequence this head encodes, special tokens included."""
    cut_by: ClassVar[str] = "max_length"
    """The setting that says how much of an example is read."""
    from_data: ClassVar[tuple[str, ...]] = ()
    """The settings that the training data settle where the study does not; see `settled` of a companion."""
    positive: str | None = None
    """The class that f1 and auc are about, of a head that has such a class."""
    per_token: bool = False
    """True if it reads the states of single tokens; encoders with one state for a whole text do not go with it."""

    def __init__(self, width: int, labels: Sequence[str] | None) -> None:
        super().__init__()
        self.width = width
        self.labels = None if labels is None else list(labels)

    # ---- Data: what it asks for ----

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns of an example without what is right, in their order; some of them are optional."""
        return tuple(name for name in (*self.columns, *self.optional) if name not in self.gold)

    def problems(self, table: Table, where: str) -> list[Problem]:
        """What in a split this head cannot work with (at most 20), named by record id; `where` opens each message.

        It is asked only if the split has rows and the columns that the head needs.
        """
        return []

    def question_problem(self, column: str, value: object) -> str:
        """What a question's column should be, such as "a list of words", if `value` is not that; "" if it is."""
        return "" if is_text(value) else "a text that is not empty"

    # ---- Learning and answering ----

    def encode(self, examples: Sequence[Example], tokenizer: Tokenizer) -> list[Encoded]:
        """Examples as sequences; many at once, because tokenizers are fast that way.

        The result is kept on disk for other runs and later studies. So it may depend on nothing but `columns` and
        `optional` (and `id`) of the examples, the tokenizer, the labels and the settings; an example's metadata may
        hold what `values.Encoded` says, and nothing else.
        """
        raise NotImplementedError

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """The outputs (logits) for a batch; `counts` says how many sequences each example has."""
        raise NotImplementedError

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        """A scalar, mean over the examples; zero (with a graph), never NaN, if nothing in the batch is labelled."""
        raise NotImplementedError

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[Answer]:
        """The answer to each example, what is predicted first."""
        raise NotImplementedError

    def counts(self, examples: Sequence[Encoded]) -> dict[str, float]:
        """What encoding lost, beside `Encoded.truncated`, as the report should show it. Nothing by default.

        :param examples: A whole split, read from disk as one iterates: go through it once, and keep none of them.
        """
        return {}

    # ---- Scores ----

    def measures(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, Measure]:
        """Each metric's items, over all predictions at once. `gold` are the examples in the same order."""
        raise NotImplementedError

    def official(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Further figures of the task's official script, beside `measures`. None by default."""
        return {}

    @classmethod
    def score(cls, gold: Path, predictions: Path, *, label: Sequence[str] | None = None) -> Scores:
        """The metrics of a file of predictions that any program wrote, as `manyheads score` prints them.

        By default both files are JSON lines with an `id`, the gold file with the columns of `gold` beside it, the other
        with what `decode` answers; `measures` scores them. A head may read other files, and score what is missing.

        :param label: The labels in their order, if it matters; by default those that occur, in alphabetical order.
        :raises StudyError: With everything in the files that cannot be read or scored.
        """

        def measures(
            labels: list[str] | None, answers: Sequence[Answer], rows: Sequence[Example]
        ) -> dict[str, Measure]:
            return cls(1, label or labels).measures(answers, rows)

        return score_rows(gold, predictions, cls.gold, measures)

    # ---- What a person reads ----

    def show_example(self, example: Example) -> dict[str, str | HighlightedText]:
        """What an example asks: heading to text."""
        return {name.replace("_", " ").capitalize(): _text(example[name]) for name in self.asked if name in example}

    def show_answer(self, answer: Answer, example: Example) -> str:
        """An answer of this head in words."""
        value = next(iter(answer.values()))
        return f"{value:.3g}" if isinstance(value, float) else _text(value)

    def show_gold(self, gold: Any, example: Example) -> str:
        """What is right in words; every wording of it, if there are several.

        :param gold: The value of the gold column; if there are several, a dict of them.
        """
        return _text(gold)

    def groups(self, examples: Sequence[Example]) -> dict[str, list[str]]:
        """What examples are grouped by, beside their length, to the group of each: by default the label, if a text."""
        labels = [label for example in examples if isinstance(label := example.get(self.gold[0]), str)]
        return {"Gold label": labels} if len(labels) == len(examples) else {}


class PooledHead(Head):
    """A head with one linear layer on one state for each sequence.

    Weights start as BERT's do.

    :param outputs: How many numbers the layer makes of a state.
    :param pooling: The state of the first token ([CLS]), or the mean over all tokens, on which sentence encoders such
        as MiniLM were trained, and from which they learn with fewer examples.
    :param overflow: What becomes of a text that is longer than `max_length`: it is cut; its first and last pieces are
        kept, in the proportion 128 to 382 (Sun et al., "How to Fine-Tune BERT for Text Classification?", CCL 2019,
        https://arxiv.org/abs/1905.05583, section 5.3.1); or it is read in windows, and the layer is on their states h_i
        pooled: their mean, their largest value in each dimension, or sum_i a_i h_i with a = softmax_i(q h_i), where q
        is learned and begins at 0, the mean (the context vector of Yang et al., "Hierarchical Attention Networks for
        Document Classification", NAACL 2016, https://aclanthology.org/N16-1174, without the layer before it).
    :param stride: How many pieces a window lies after the one before; None for half of `max_length`.
    :param window_pooling: mean, max or attention.
    """

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        outputs: int,
        max_length: int,
        dropout: float,
        pooling: Literal["first", "mean"],
        bias: bool = True,
        *,
        overflow: Literal["truncate", "head_tail", "windows"] = "truncate",
        stride: int | None = None,
        window_pooling: Literal["mean", "max", "attention"] = "mean",
    ) -> None:
        super().__init__(width, labels)
        self.max_length, self.pooling = max_length, pooling
        self.texts = {"max_length": max_length, "overflow": overflow, "stride": stride}
        self.windowed, self.window_pooling = overflow == "windows", window_pooling
        self.dropout = nn.Dropout(dropout)
        self.output = output_layer(width, outputs, bias)
        if self.windowed and window_pooling == "attention":
            self.query = nn.Parameter(torch.zeros(width))

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[S, outputs] of each sequence; of each example, if long ones are read in windows."""
        pooled = states.pooled(self.pooling)
        return self.output(self.dropout(self._over_windows(pooled, counts) if self.windowed else pooled))

    def _over_windows(self, states: Tensor, counts: Sequence[int]) -> Tensor:
        """[S, D] states of windows as [B, D], one for each example."""
        parts = states.split(list(counts))
        if self.window_pooling == "attention":
            return torch.stack([torch.softmax(part @ self.query, dim=0) @ part for part in parts])
        return torch.stack([part.mean(0) if self.window_pooling == "mean" else part.amax(0) for part in parts])

    def counts(self, examples: Sequence[Encoded]) -> dict[str, float]:
        """How many windows there are, and how many examples have more than one, if long ones are read in windows."""
        if not self.windowed:
            return {}
        sizes = [len(example.inputs) for example in examples]
        return {"windows": sum(sizes), "windowed": sum(size > 1 for size in sizes)}

    def show_example(self, example: Example) -> dict[str, str | HighlightedText]:
        second = {} if example.get("text_pair") is None else {"Second text": example["text_pair"]}
        return {"Text": example["text"], **second}


def output_layer(width: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer that starts as BERT's do."""
    layer = nn.Linear(width, outputs, bias)
    nn.init.normal_(layer.weight, std=0.02)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def mean_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the targets that are not `IGNORED`; zero if there are none.

    :param logits: [N, C].
    :param targets: [N] int64.
    """
    total = functional.cross_entropy(logits.float(), targets, reduction="sum", ignore_index=IGNORED)
    return total / (targets != IGNORED).sum().clamp(min=1)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
