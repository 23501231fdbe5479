"""Which parameters tasks share, and how states reach each task's head.

To add a scheme, write `sharing/<name>.py` with one class that inherits from `Sharing`, and
`tests/sharing/test_<name>.py`. There is nothing to register.

`manyheads check` reads `encoder_per_task`, `by_layer` and the types of the settings from the source (`core/settings.py`
has types with ranges, and `DividesWidth`). A scheme that overrides `problems` is loaded to be asked.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from manyheads.core.problems import Problem
from manyheads.core.tensors import States, Tokens
from manyheads.encoders import Encoder
from manyheads.heads import Head


class Sharing(nn.Module, ABC):
    """The contract of every sharing scheme.

    :param make_encoder: Gives a new encoder with the pretrained weights; called as often as the scheme needs encoders.
    :param heads: Each task's head, for schemes in which a head feeds another task's layers. Do not register them here.
    """

    encoder_per_task: bool = False
    """True if there is an encoder for each task, and every task's tokens go through all of them."""
    per_token: bool = False
    """True if it works on the states of single tokens; encoders with one state for a whole text do not go with it."""
    by_layer: bool = False
    """True if it calls the encoders' layers one by one; encoders that are computed as a whole do not go with it."""

    def __init__(self, make_encoder: Callable[[], Encoder], heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.tasks = list(heads)

    @classmethod
    def problems(cls, tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
        """What in the settings does not fit the study; `where` opens each message, such as `arms.joint.sharing`."""
        return []

    @abstractmethod
    def forward(self, step: Mapping[str, Tokens]) -> dict[str, States]:
        """Each task's tokens as that task's states."""

    @abstractmethod
    def encoders(self) -> Sequence[Encoder]:
        """The encoders in use; a model with exactly one is saved so that `AutoModel` opens it."""

    @abstractmethod
    def shared_parameters(self) -> list[nn.Parameter]:
        """The parameters that more than one task trains; gradient methods compare the tasks' gradients on them."""

    def penalty(self) -> Tensor | None:
        """A term of the scheme itself that is added to the losses of every step."""
        return None
