"""The texts of a task as flat arrays, encoded once for all models that read them in the same way.

n texts, N tokens in all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch

from manyheads.analyses import FinishedRun, StudyRuns
from manyheads.core.tensors import Tokens
from manyheads.core.values import Encoded, derived_seed

MOST = 8_192
"""Tokens in one forward pass."""


@dataclass(frozen=True)
class Texts:
    """The texts of a split as an encoder reads them, a sequence for each.

    :param ids: [N] int64.
    :param token_types: [N] int64.
    :param lengths: [n] int64.
    """

    ids: np.ndarray
    token_types: np.ndarray
    lengths: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """[n] where each text begins."""
        return self.lengths.cumsum() - self.lengths

    def passes(self) -> Iterator[tuple[np.ndarray, Tokens]]:
        """Batches of texts of similar length, of at most `MOST` tokens: which texts they are, and their tokens."""
        chosen: list[int] = []
        size = 0
        for row in np.argsort(self.lengths, kind="stable").tolist():
            if chosen and size + self.lengths[row] > MOST:
                yield np.array(chosen), self.tokens(chosen)
                chosen, size = [], 0
            chosen.append(row)
            size += int(self.lengths[row])
        if chosen:
            yield np.array(chosen), self.tokens(chosen)

    def tokens(self, rows: Sequence[int]) -> Tokens:
        """Some texts as a batch."""
        parts = [slice(self.starts[row], self.starts[row] + self.lengths[row]) for row in rows]
        ids, token_types = (np.concatenate([flat[part] for part in parts]) for flat in (self.ids, self.token_types))
        return Tokens(torch.from_numpy(ids), torch.from_numpy(token_types), tuple(self.lengths[list(rows)].tolist()))


def flat(examples: Sequence[Encoded]) -> Texts:
    """Examples of one sequence each."""
    inputs = [example.inputs[0] for example in examples]
    nothing = np.zeros(0, np.int64)
    return Texts(
        np.concatenate([nothing, *(one.ids for one in inputs)]),
        np.concatenate([nothing, *(one.token_types for one in inputs)]),
        np.array([len(one.ids) for one in inputs], np.int64),
    )


def sample(size: int, most: int) -> list[int]:
    """Which of `size` texts are read: `most` of them at random, in their order; all of them if `most` is 0 or larger.

    Not the first ones: many datasets have all texts of one class before those of the next.
    """
    if not 0 < most < size:
        return list(range(size))
    return np.sort(np.random.default_rng(derived_seed("texts", size)).choice(size, most, replace=False)).tolist()


class Reader:
    """Encodes each split once for every tokenizer and length."""

    def __init__(self, runs: StudyRuns) -> None:
        self.runs = runs
        self._known: dict[tuple[object, ...], Texts] = {}

    def texts(
        self, run: FinishedRun, task: str, of: str, split: Literal["reported", "train"] = "reported", most: int = 0
    ) -> Texts:
        """A split of the task `of` as the head of `task` in this run's model reads it. Labels are ignored.

        :param most: How many texts, as `sample` draws them; 0 for all.
        """
        model = self.runs.model(run)
        key = (of, split, most, model.tokenizer.fingerprint(), model.head(task).max_length)
        if key not in self._known:
            table = self.runs.table(of, split)
            rows = table.rows.select(sample(len(table.rows), most))
            rows = rows.select_columns([name for name in rows.column_names if name not in model.head(task).gold])
            self._known[key] = flat(self.runs.encoded(run, task, replace(table, rows=rows, labelled=False)))
        return self._known[key]


def pooled(model: Any, task: str, texts: Texts) -> np.ndarray:
    """[n, D] float32, the state of each text that the output layer of the head of `task` reads."""
    head = model.head(task)
    found = np.zeros((len(texts.lengths), head.width), np.float32)
    with torch.inference_mode():
        for rows, tokens in texts.passes():
            found[rows] = model.sharing({task: tokens})[task].pooled(head.pooling).float().numpy()
    return found
