"""SWAG: which of four endings follows a sentence.

Zellers et al., "SWAG: A Large-Scale Adversarial Dataset for Grounded Commonsense Inference", EMNLP 2018,
https://arxiv.org/abs/1808.05326.
"""

from manyheads.core.values import Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import choice_table, load

HUB, SUBSET = "allenai/swag", "regular"
ENDINGS = ("ending0", "ending1", "ending2", "ending3")


class Swag(Dataset):
    """73,546 questions to train on and 20,006 to validate; the 20,005 of the test split carry no labels.

    Read from https://huggingface.co/datasets/allenai/swag or a mirror of it. Licence: unknown, says its card. As in
    Hugging Face's example for SWAG, the text is the first sentence, and a choice is the opening of the second with one
    of its endings. Ids are `<split>-<row>`.

    :raises StudyError: If it is not found, or rows have no label.
    """

    def read(self, split: str) -> Table | None:
        data = load(self.places, HUB, SUBSET, split)
        return None if data is None else choice_table(data, f"{HUB} {split}", split, "sent1", ENDINGS, opening="sent2")
