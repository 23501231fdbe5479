"""SQuAD 1.1: questions on Wikipedia passages; the answer is a span of the passage.

Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016,
https://arxiv.org/abs/1606.05250.
"""

from collections.abc import Sequence

from manyheads.core.values import Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import spans

HUB, SUBSET = "rajpurkar/squad", "plain_text"


class Squad(Dataset):
    """87,599 questions to train on and 10,570 to validate, every one with an answer.

    Read from https://huggingface.co/datasets/rajpurkar/squad or a mirror of it. Licence: CC BY-SA 4.0. Every gold
    answer is kept, and checked to stand in its passage at its offset. Ids are the publisher's; `cluster` is a hash of
    the passage.

    :param repair: Correct an answer's offset if its right place is beyond doubt; without it, a wrong one is an error.
    :param exclude_titles: Articles to leave out. Needed beside `squad_v2`, whose articles are the same ones: a passage
        that one trains on must not be one that the other validates on.
    :raises StudyError: If it is not found, or answers do not stand where they should.
    """

    def __init__(self, places: Places, *, repair: bool = False, exclude_titles: Sequence[str] = ()) -> None:
        super().__init__(places)
        self.repair = repair
        self.exclude_titles = list(exclude_titles)

    def read(self, split: str) -> Table | None:
        titles = self.exclude_titles
        return spans(self.places, HUB, SUBSET, split, repair=self.repair, unanswerable=False, exclude_titles=titles)
