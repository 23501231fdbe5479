"""SQuAD 2.0: questions on Wikipedia passages, half of which have no answer there.

Rajpurkar, Jia and Liang, "Know What You Don't Know: Unanswerable Questions for SQuAD", ACL 2018,
https://arxiv.org/abs/1806.03822.
"""

from collections.abc import Sequence

from manyheads.core.values import Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import spans

HUB, SUBSET = "rajpurkar/squad_v2", "squad_v2"


class SquadV2(Dataset):
    """130,319 questions to train on and 11,873 to validate; no answers means unanswerable.

    Read from https://huggingface.co/datasets/rajpurkar/squad_v2 or a mirror of it, and checked as `squad` is. Licence:
    CC BY-SA 4.0.

    :param repair: Correct an answer's offset if its right place is beyond doubt; without it, a wrong one is an error.
    :param exclude_titles: Articles to leave out, such as those that `squad` validates on in the same study: the two
        have the same articles.
    :raises StudyError: As `squad`.
    """

    def __init__(self, places: Places, *, repair: bool = False, exclude_titles: Sequence[str] = ()) -> None:
        super().__init__(places)
        self.repair = repair
        self.exclude_titles = list(exclude_titles)

    def read(self, split: str) -> Table | None:
        titles = self.exclude_titles
        return spans(self.places, HUB, SUBSET, split, repair=self.repair, unanswerable=True, exclude_titles=titles)
