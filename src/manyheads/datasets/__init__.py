"""Where examples come from.

To add a dataset, write `datasets/<name>.py` with one class that inherits from `Dataset`, and
`tests/datasets/test_<name>.py`. Its docstring names source, licence and link. There is nothing to register.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from manyheads.core.values import VALIDATION, Places, Table


class Dataset(ABC):
    """The contract of every dataset.

    :param places: Where the study file and the local mirror of the Hub are.
    """

    reported: ClassVar[str] = VALIDATION
    """The split whose scores are reported unless the study says otherwise."""
    asked: Sequence[str] | None = None
    """The columns that the task's head reads, with what is right; None if nobody has said. A dataset whose columns are
    the user's own goes by them."""

    positive_is_last: ClassVar[bool] = False
    """True if f1 and auc are about the last label by the data set's own convention, so that nobody need be told."""

    def __init__(self, places: Places) -> None:
        self.places = places

    @abstractmethod
    def read(self, split: str) -> Table | None:
        """One split ("train", "validation" or "test") with the columns its head asks for; None if there is none.

        :raises StudyError: With every problem found in the data (at most 20), each naming file, line or record id.
        """
