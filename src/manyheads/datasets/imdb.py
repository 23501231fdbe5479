"""IMDB: long film reviews, negative or positive.

Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011, https://aclanthology.org/P11-1015.
"""

from typing import ClassVar

from manyheads.core.values import TEST, Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import load, text_table

HUB, SUBSET = "stanfordnlp/imdb", "plain_text"


class Imdb(Dataset):
    """25,000 reviews to train on and 25,000 to test on; classes neg and pos; there is no validation split.

    Read from https://huggingface.co/datasets/stanfordnlp/imdb or a mirror of it. Licence: none stated. The Hub's train
    split holds 123 texts that stand in test too. Texts keep their HTML line breaks (`<br />`). Ids are `<split>-<row>`.

    :raises StudyError: If it is not found, or rows have no label.
    """

    reported: ClassVar[str] = TEST
    positive_is_last: ClassVar[bool] = True

    def read(self, split: str) -> Table | None:
        data = load(self.places, HUB, SUBSET, split)
        return None if data is None else text_table(data, f"{HUB} {split}", split, ["text"])
