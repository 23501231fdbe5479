"""How the losses of several tasks become one update.

To add a method, write `weighting/<name>.py` with one class that inherits from `Weighting` (or from `GradientWeighting`
if it combines the tasks' gradients), and `tests/weighting/test_<name>.py`. Override `combine` if the method needs only
the losses, `coefficients` if it combines gradients. There is nothing to register.

`manyheads check` reads `needs_scores`, `accumulates` and the types of the settings from the source (`core/settings.py`
has types with ranges and tables with a value for each task). A method that overrides `problems` is loaded to be asked.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

import torch
from torch import Tensor, nn

from manyheads.core.problems import Problem


class Weighting(nn.Module, ABC):
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


BLOCK = 2**16
"""Inner products are added up in double precision over blocks of so many numbers. In single precision throughout, the
squared norm of ten million numbers can be wrong by 2 %; and a block of each task fits into the processor's cache."""


class GradientWeighting(Weighting):
    """A method that combines the tasks' gradients on the shared parameters; heads get their ordinary gradients.

    m tasks, n numbers in the shared parameters, J [m, n] the tasks' gradients g_i. What replaces their sum is w^T J,
    with coefficients w that depend on the Gramian J J^T only: the inner products g_i . g_j.

    There is one backward pass for each loss, and J stays where autograd wrote it. Where each task's states come from a
    pass of their own, the tasks' graphs are disjoint: each is freed by its own pass, and all of them cost as much as
    the backward pass of the sum. Beside that, J is read once for the Gramian and once for w^T J. Through a pass over
    all tasks' batches together, the backward pass of the whole is paid once for each task. Memory: m x n numbers.

    A step that holds one task only is an ordinary step. A parameter that no loss reaches gets no gradient, as ever.
    Gradients that are not finite are added up, for the loop to find and report.
    """

    separate_passes = True

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks)
        self._last: dict[str, float] = {}

    @abstractmethod
    def coefficients(self, gramian: Tensor) -> Tensor:
        """[m, m] the inner products of the tasks' gradients -> [m] what each gradient is multiplied by; both in double
        precision on the CPU. All ones are the ordinary step: keep that scale, so that learning rates mean the same."""

    def backward(self, losses: dict[str, Tensor], shared_parameters: Sequence[nn.Parameter]) -> None:
        shared = [parameter for parameter in shared_parameters if parameter.requires_grad]
        if len(losses) == 1 or not shared:
            self._last = dict.fromkeys(losses, 1.0)
            torch.stack(list(losses.values())).sum().backward()
            return
        before = [parameter.grad for parameter in shared]
        columns = _columns(list(losses.values()), shared)
        gramian = _gramian(columns, len(losses))
        finite = bool(gramian.isfinite().all())
        coefficients = self.coefficients(gramian).tolist() if finite else [1.0] * len(losses)
        self._last = dict(zip(losses, coefficients, strict=True))
        for parameter, old in zip(reversed(shared), reversed(before), strict=True):
            # A gradient of zeros is not none: momentum and weight decay would move a parameter that no task uses.
            found = _combined(columns.pop(), coefficients)
            parameter.grad = old
            if found is not None:
                gradient = found.to(parameter.dtype)
                parameter.grad = gradient if old is None else old + gradient

    def weights(self) -> dict[str, float]:
        """The coefficients of the tasks in the last step."""
        return dict(self._last)


Column = list[Tensor | None]
"""One shared parameter's gradient from each of the m losses, None where a loss does not reach it."""


def _columns(losses: Sequence[Tensor], shared: Sequence[nn.Parameter]) -> list[Column]:
    """Each shared parameter's gradients, at least in single precision. Leaves the losses' ordinary gradients on all
    other parameters, and the last one's on the shared."""
    columns: list[Column] = [[] for _ in shared]
    for loss, again in zip(losses, _needed_again(losses), strict=True):
        for parameter in shared:
            parameter.grad = None
        loss.backward(retain_graph=again)
        for parameter, column in zip(shared, columns, strict=True):
            gradient = parameter.grad
            dtype = torch.promote_types(parameter.dtype, torch.float32)
            column.append(None if gradient is None else gradient.to(dtype))
    return columns


def _needed_again(losses: Sequence[Tensor]) -> list[bool]:
    """Whether a part of each loss's graph is also a part of a later loss's, so that it must outlive its backward pass.

    What is kept without need would cost time as well: memory that is freed at once is used again while it is warm.
    """
    later: set[Any] = set()
    answers = []
    for loss in reversed(losses):
        graph, open_ends = set(), [loss.grad_fn]
        while open_ends:
            node = open_ends.pop()
            # A leaf (which has its variable) belongs to no graph: all tasks share the parameters.
            if node is not None and node not in graph and not hasattr(node, "variable"):
                graph.add(node)
                open_ends += [following for following, _ in node.next_functions]
        answers.append(not later.isdisjoint(graph))
        later |= graph
    return answers[::-1]


def _gramian(columns: Sequence[Column], tasks: int) -> Tensor:
    """[m, m] the inner products of the tasks' gradients, in double precision on the CPU; None counts as zeros."""
    products = []
    for column in columns:
        some = next((gradient for gradient in column if gradient is not None), None)
        if some is None:
            continue
        zero = some.new_zeros(())
        flat = [() if gradient is None else gradient.flatten().split(BLOCK) for gradient in column]
        for start in range(-(-some.numel() // BLOCK)):
            # Block by block, so that each is read from memory once for all pairs.
            blocks = [parts[start] if parts else None for parts in flat]
            pairs = combinations_with_replacement(blocks, 2)
            products += [zero if one is None or other is None else torch.dot(one, other) for one, other in pairs]
    gramian = torch.zeros(tasks, tasks, dtype=torch.float64)
    if products:
        row, column = torch.triu_indices(tasks, tasks)
        sums = torch.stack(products).cpu().double().view(-1, len(row)).sum(dim=0)
        gramian[row, column] = sums
        gramian[column, row] = sums
    return gramian


def _combined(column: Column, coefficients: Sequence[float]) -> Tensor | None:
    """The gradients of one parameter times their coefficients, added up; None if no loss reaches it.

    It is new memory: autograd lets two parameters' gradients be one tensor, as those of x and y in x.T + y.T are.
    """
    total = None
    for gradient, coefficient in zip(column, coefficients, strict=True):
        if gradient is not None:
            total = gradient * coefficient if total is None else total.add_(gradient, alpha=coefficient)
    return total
