"""SICK: pairs of simple sentences with entailment and relatedness.

Marelli et al., "A SICK cure for the evaluation of compositional distributional semantic models", LREC 2014,
https://aclanthology.org/L14-1314.
"""

from typing import ClassVar, Literal

from manyheads.core.values import TEST, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import load, text_table

HUB = "RobZamp/sick"
TEXTS = ("sentence_A", "sentence_B")


class Sick(Dataset):
    """4,439 pairs to train on, 495 to validate and 4,906 to test.

    Read from https://huggingface.co/datasets/RobZamp/sick or a mirror of it. Licence: CC BY-NC-SA 3.0, not for
    commerce. Ids are the publisher's.

    :param target: entailment (entailment, neutral, contradiction) or relatedness (a number from 1 to 5).
    :raises StudyError: If it is not found, or rows have no label.
    """

    reported: ClassVar[str] = TEST

    def __init__(self, places: Places, *, target: Literal["entailment", "relatedness"] = "entailment") -> None:
        super().__init__(places)
        self.target = target

    def read(self, split: str) -> Table | None:
        data = load(self.places, HUB, "", split)
        if data is None:
            return None
        label, scale = ("label", None) if self.target == "entailment" else ("relatedness_score", (1.0, 5.0))
        return text_table(data, f"{HUB} {split}", split, TEXTS, label=label, id="id", scale=scale)
