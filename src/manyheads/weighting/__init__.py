"""How the losses of several tasks become one update.

To add a method, write `weighting/<name>.py` with one class that inherits from `Weighting` (or from `GradientWeighting`
if it combines the tasks' gradients), and `tests/weighting/test_<name>.py`. Override `combine` if the method needs only
the losses. There is nothing to register.
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
    accumulates: bool = False
    """True if the parts of a batch may be combined one by one: `combine` is linear in the losses."""
    learning_rate: float | None = None
    """The learning rate of this method's own parameters, if not that of the model."""
    separate_passes: bool = False
    """True if each task should have a pass of its own, because the losses are differentiated one by one."""

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
        """Called after the update, for methods that look twice. `recompute` gives the losses of the same batches, with
        the same dropout masks, under the new parameters, without gradients. Does nothing by default."""

    def hear(self, scores: Mapping[str, float]) -> None:
        """Told each task's main score on the selection split, between steps. Does nothing by default."""

    def weights(self) -> dict[str, float]:
        """The current weight of each task, for the report. Empty if the method has none to show."""
        return {}


class GradientWeighting(Weighting):
    """A method that combines the tasks' gradients on the shared parameters; heads get their ordinary gradients.

    The Jacobian's rows are built with one backward pass per loss. Where each task's states come from a pass of their
    own, the tasks' graphs are disjoint, so that this costs about as much as one backward pass of the sum; through a
    pass over all tasks' batches together, it costs that once per task. Memory: tasks x shared parameters.

    A step that holds one task only is an ordinary step. A parameter that no loss reaches gets no gradient, as ever.
    """

    separate_passes = True

    def aggregate(self, jacobian: Tensor) -> Tensor:
        """[m, n] the tasks' gradients -> [n] the direction that replaces their sum."""
        raise NotImplementedError

    def backward(self, losses: dict[str, Tensor], shared_parameters: Sequence[nn.Parameter]) -> None:
        shared = [parameter for parameter in shared_parameters if parameter.requires_grad]
        if len(losses) == 1 or not shared:
            torch.stack(list(losses.values())).sum().backward()
            return
        before = [parameter.grad for parameter in shared]
        jacobian, reached = _jacobian(list(losses.values()), shared)
        pieces = self.aggregate(jacobian).split([parameter.numel() for parameter in shared])
        for parameter, old, piece, has_gradient in zip(shared, before, pieces, reached, strict=True):
            # A gradient of zeros is not none: momentum and weight decay would move a parameter that no task uses.
            parameter.grad = old
            if has_gradient:
                gradient = piece.view_as(parameter).to(parameter.dtype, copy=True)
                parameter.grad = gradient if old is None else old + gradient


def _jacobian(losses: Sequence[Tensor], shared: Sequence[nn.Parameter]) -> tuple[Tensor, list[bool]]:
    """[m, n] the gradient of each loss, at least in single precision, and which parameters any loss reaches. Leaves the
    losses' ordinary gradients on all other parameters, and the last one's on the shared."""
    sizes = [parameter.numel() for parameter in shared]
    dtype = torch.promote_types(shared[0].dtype, torch.float32)
    jacobian = torch.zeros(len(losses), sum(sizes), dtype=dtype, device=shared[0].device)
    reached = [False] * len(shared)
    for index, loss in enumerate(losses):
        for parameter in shared:
            parameter.grad = None
        # The tasks may share a graph; after the last of them nobody needs it.
        loss.backward(retain_graph=index + 1 < len(losses))
        for place, (parameter, piece) in enumerate(zip(shared, jacobian[index].split(sizes), strict=True)):
            if parameter.grad is not None:
                piece.copy_(parameter.grad.flatten())
                reached[place] = True
    return jacobian, reached
