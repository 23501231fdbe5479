"""Sentences, pairs, stories and passages about restaurants and films, made from a seed; needs no download.

Written for manyheads (Apache-2.0, like the rest of it; the words are in the `_small_world_*.py` files). It is meant for
demonstrations, documentation and tests: what is measured on it says nothing about real language.
"""

import zlib
from random import Random
from typing import Annotated, Literal

from annotated_types import Ge, Le
from datasets import Dataset as Rows
from datasets import Features, List, Value

from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import SPLITS, TEST, TRAIN, VALIDATION, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._small_world_makers import LABELS, MAKERS, Row

COLUMNS = {
    "choices": List(Value("string")),
    "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
}
PATIENCE = 2000
"""How many examples in a row may turn out to be known already before we conclude that there are no more."""


class SmallWorld(Dataset):
    """English about restaurants and films, made from a seed.

    Opinions on films and on food share half of their words and all of their constructions, so that what is learned
    in one domain helps in the other. Labels are balanced and true by construction. No text stands in two splits,
    whatever the seeds and sizes of the splits are, and a smaller `size` is the beginning of a larger one.

    The columns are those of the head: `text`, `label` (`film_sentiment`, `food_sentiment`, `acceptability`); `text`,
    `text_pair`, `label` (`inference`, `paraphrase`); `text`, `choices`, `label` ("0" to "3", the index of the true
    continuation); `question`, `context`, `answers`, `cluster` (`questions`, `questions_or_none`; half of the latter
    have no answer, and up to four questions share a passage).

    :param places: Not used; nothing is read from disk.
    :param subset: Which of the eight datasets.
    :param size: Rows of the training split, at least 10. The other two have a quarter of that, between 200 and 1000.
    :param noise: The share of wrong labels in the training split, 0 to 0.5. A wrong answer is another phrase of the
        passage.
    :param difficulty: The share of hard constructions, 0 to 1: negation, contrast, opinions on something else,
        agreement at a distance, swapped roles, reworded questions on longer passages.
    :param seed: Makes another dataset of the same kind.
    :raises StudyError: When reading, if there are fewer different examples
        than asked for.
    """

    def __init__(
        self,
        places: Places,
        *,
        subset: Literal[
            "film_sentiment",
            "food_sentiment",
            "inference",
            "questions",
            "questions_or_none",
            "choices",
            "acceptability",
            "paraphrase",
        ],
        size: Annotated[int, Ge(10), Le(50_000)] = 2000,
        noise: Annotated[float, Ge(0), Le(0.5)] = 0.0,
        difficulty: Annotated[float, Ge(0), Le(1)] = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__(places)
        self.subset, self.size, self.noise, self.difficulty, self.seed = subset, size, noise, difficulty, seed

    def read(self, split: str) -> Table | None:
        if split not in SPLITS:
            return None
        rows = self._rows(split, self.size if split == TRAIN else min(max(200, self.size // 4), 1000))
        if split == TRAIN:
            self._mislabel(rows)
        rows = [{"id": f"{self.subset}-{split}-{number}", **row} for number, row in enumerate(rows)]
        columns = [name for name in rows[0] if name != "spans"]
        features = Features({name: COLUMNS.get(name, Value("string")) for name in columns})
        return Table(
            Rows.from_dict({name: [row[name] for row in rows] for name in columns}, features=features),
            labels=LABELS.get(self.subset),
        )

    def _rows(self, split: str, count: int) -> list[Row]:
        # Neither size nor noise is part of the seed: they change how many rows there are and their labels, no texts.
        rng = Random(f"small_world {self.subset} {float(self.difficulty)} {self.seed} {split}")
        labels = LABELS.get(self.subset, ("",))
        rows: list[Row] = []
        seen: set[tuple[str, str]] = set()
        pending: list[str] = []
        misses = 0
        while len(rows) < count:
            pending = pending or rng.sample(labels, len(labels))
            made = MAKERS[self.subset](rng, pending[-1], rng.random() < self.difficulty)
            text = made[0].get("context") or made[0]["text"]
            key = (text, made[0].get("text_pair", ""))
            if _split_of(text) == split and key not in seen:
                seen.add(key)
                pending.pop()
                rows += made
                misses = 0
                continue
            misses += 1
            if misses > PATIENCE:
                found = f"{self.size}, but only {len(rows)} rows for {split}"
                what = "there are not that many different examples"
                raise StudyError([Problem("small_world.size", what, found, "Use a smaller size.")])
        return rows[:count]

    def _mislabel(self, rows: list[Row]) -> None:
        rng = Random(f"small_world noise {self.subset} {self.noise} {self.seed} {len(rows)}")
        for row in rng.sample(rows, round(self.noise * len(rows))):
            if "label" in row:
                row["label"] = rng.choice([label for label in LABELS[self.subset] if label != row["label"]])
            else:
                text, start = rng.choice([span for span in row["spans"] if span[0] not in row["answers"]["text"]])
                row["answers"] = {"text": [text], "answer_start": [start]}


def _split_of(text: str) -> str:
    """The split that a text may stand in, whatever the seed: half of all texts are for training."""
    return (TRAIN, TRAIN, VALIDATION, TEST)[zlib.crc32(text.encode()) % 4]
