"""What a task asks: how an example becomes input, the output layer, the loss, the answer, the metrics.

To add a head, write `heads/<name>.py` with one class that inherits from `Head`, and `tests/heads/test_<name>.py`.
There is nothing to register.

`manyheads check` asks a head without importing torch, if the head has a companion: `heads/_<name>_checks.py`, which
imports nothing of this package. The head's `__init__` and `problems` call it too. It holds three functions; `settings`
are the head's settings, those left at their defaults too:

- `unfit(labels, settings)`: why there cannot be such a head, as a sentence, or None;
- `problems(table, settings, where)`: as `Head.problems`;
- `lengths(examples, counter, settings)`: for each example the lengths of the sequences that `encode` would make of it,
  counted with a `encoder_info.PieceCounter`.

A head without a companion is built and asked itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from manyheads.core.problems import Problem
from manyheads.core.tensors import States
from manyheads.core.values import Encoded, Measure, Table, Tokenizer


class Head(nn.Module):
    """The contract of every head.

    :param width: D, the width of the states.
    :param labels: The names of the classes in the dataset's order; None where the task has none.
    """

    columns: ClassVar[tuple[str, ...]]
    """The columns a dataset must have."""
    optional: ClassVar[tuple[str, ...]] = ()
    """The columns that are used if the dataset has them."""
    metric: str
    """The metric for selection and for the headline, higher is better; a key of `measures`."""
    max_length: int
    """The longest sequence this head encodes, special tokens included."""
    per_token: bool = False
    """True if it reads the states of single tokens; encoders with one state for a whole text do not go with it."""

    def __init__(self, width: int, labels: Sequence[str] | None) -> None:
        super().__init__()
        self.width = width
        self.labels = None if labels is None else list(labels)

    def problems(self, table: Table, where: str) -> list[Problem]:
        """What in a split this head cannot work with (at most 20), named by record id; `where` opens each message."""
        raise NotImplementedError

    def encode(self, examples: Sequence[Mapping[str, Any]], tokenizer: Tokenizer) -> list[Encoded]:
        """Examples (dicts of columns) as sequences; many at once, because tokenizers are fast that way.

        The result is kept on disk for other runs and later studies. So it may depend on nothing but `columns` and
        `optional` (and `id`) of the examples, the tokenizer, the labels and the settings; an example's note may hold
        what `values.Encoded` says, and nothing else.
        """
        raise NotImplementedError

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """The outputs (logits) for a batch; `counts` says how many sequences each example has."""
        raise NotImplementedError

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        """A scalar, mean over the examples; zero (with a graph), never NaN, if nothing in the batch is labelled."""
        raise NotImplementedError

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[dict[str, Any]]:
        """The answer to each example as plain JSON values."""
        raise NotImplementedError

    def measures(
        self, predictions: Sequence[Mapping[str, Any]], gold: Sequence[Mapping[str, Any]]
    ) -> dict[str, Measure]:
        """Each metric's items, over all predictions at once. `gold` are the examples in the same order."""
        raise NotImplementedError

    def official(self, predictions: Sequence[Mapping[str, Any]], gold: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Further figures of the task's official script, beside `measures`. None by default."""
        return {}

    def counts(self, examples: Sequence[Encoded]) -> dict[str, Any]:
        """What encoding lost, beside `Encoded.truncated`, as the report should show it. Nothing by default.

        :param examples: A whole split, read from disk as one iterates: go through it once, and keep none of them.
        """
        return {}
