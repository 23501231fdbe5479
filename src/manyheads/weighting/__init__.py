"""How the losses of several tasks become one update.

To add a method, write `weighting/<name>.py` with one class that inherits from `Weighting` (or from `GradientWeighting` if it
combines the tasks' gradients), and `tests/weighting/test_<name>.py`. Override `combine` if the method needs only the losses.
There is nothing to register.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from manyheads.types import Problem


class Weighting(nn.Module):
    """The contract of every weighting method. State lives in parameters and buffers, one per task, never one vector.

    :param tasks: The names of the tasks, in the order of the study file.
    """

    needs_scores: bool = False
    """True if `hear` must be told scores on the selection split during training."""
    learning_rate: float | None = None
    """The learning rate of this method's own parameters, if not that of the model."""

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = list(tasks)

    @classmethod
    def problems(cls, tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
        """What in the settings does not fit the study; `where` opens each message, such as `arms.joint.weighting`."""
        return []

    def combine(self, losses: dict[str, Tensor]) -> Tensor:
        """One scalar to differentiate, from the losses of the tasks in this step."""
        raise NotImplementedError(f"{type(self).__name__} should override `combine` or `backward`.")

    def backward(self, losses: dict[str, Tensor], shared_parameters: Sequence[nn.Parameter]) -> None:
        """Add to `.grad` of everything the losses depend on. Only gradient methods need to override this."""
        self.combine(losses).backward()

    def after_step(self, recompute: Callable[[], dict[str, Tensor]]) -> None:
        """Called after the update, for methods that look twice. `recompute` gives the losses of the same batches, with the
        same dropout masks, under the new parameters, without gradients. Does nothing by default."""

    def hear(self, scores: Mapping[str, float]) -> None:
        """Told each task's main score on the selection split, between steps. Does nothing by default."""

    def weights(self) -> dict[str, float]:
        """The current weight of each task, for the report. Empty if the method has none to show."""
        return {}


class GradientWeighting(Weighting):
    """A method that combines the tasks' gradients on the shared parameters; heads get their ordinary gradients.

    The Jacobian's rows are built with one backward pass per loss. With data of their own, the tasks' graphs are disjoint,
    so that this costs about as much as one backward pass of the sum. Memory: tasks x shared parameters.

    A step that holds one task only is an ordinary step.
    """

    def aggregate(self, jacobian: Tensor) -> Tensor:
        """[m, n] the tasks' gradients -> [n] the direction that replaces their sum."""
        raise NotImplementedError

    def backward(self, losses: dict[str, Tensor], shared_parameters: Sequence[nn.Parameter]) -> None:
        shared = list(shared_parameters)
        before = [parameter.grad for parameter in shared]
        rows = []
        for loss in losses.values():
            for parameter in shared:
                parameter.grad = None
            loss.backward(retain_graph=len(losses) > 1)
            rows.append(torch.cat([_flat_gradient(parameter) for parameter in shared]))
        direction = rows[0] if len(rows) == 1 else self.aggregate(torch.stack(rows))
        pieces = direction.split([parameter.numel() for parameter in shared])
        for parameter, old, piece in zip(shared, before, pieces, strict=True):
            gradient = piece.view_as(parameter)
            parameter.grad = gradient.clone() if old is None else old + gradient


def _flat_gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros(parameter.numel()) if parameter.grad is None else parameter.grad.flatten()
