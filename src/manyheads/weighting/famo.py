"""FAMO: weight the losses so that all of them fall at the same rate, by looking at each step's outcome.

Liu, Feng, Stone and Liu, "FAMO: Fast Adaptive Multitask Optimization", NeurIPS 2023, https://arxiv.org/abs/2306.03792,
algorithm 2.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from manyheads.weighting import Weighting


class FAMO(Weighting):
    """Minimise c * sum of z * log(loss), where z = softmax(logits) and c makes the gradients' coefficients add up to 1.

    A task's gradient is multiplied by c * z / loss, with c = 1 / (sum of z / loss) held constant. After the update the
    losses of the same batches are computed again (one more forward pass), and Adam moves the logits by the gradient of
    z . d, where d = log(loss before) - log(loss after): a task whose loss fell faster than the others' loses weight.

    A step may hold some of the tasks only: z is then a softmax over these, and the logits of the others and their
    moments in Adam stay as they are. In a step with one task nothing can be compared: it is an ordinary step without
    a second pass. So FAMO needs steps of several tasks to have an effect (round_robin with joint = true).

    Where paper and code differ: the weight decay of the logits is 1e-3 in the paper and here, 1e-5 in its code.
    torchjd has this method too, but its Adam is outside the state that a checkpoint sees. Losses must be positive; a
    loss near 0 takes nearly all of the weight.

    :param learning_rate: Of the logits.
    :param weight_decay: Pulls the logits together, and so the weights towards equal ones.
    """

    logits: Tensor
    means: Tensor
    squares: Tensor
    updates: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        learning_rate: Annotated[float, Ge(0), Le(100)] = 0.025,
        weight_decay: Annotated[float, Ge(0), Le(1000)] = 1e-3,
    ) -> None:
        super().__init__(tasks)
        self.logit_rate = learning_rate
        self.weight_decay = weight_decay
        # Buffers, because the model's optimizer must not move them; an absent task's entries are never written.
        for name in ("logits", "means", "squares", "updates"):
            self.register_buffer(name, torch.zeros(len(self.tasks)))
        self._before: dict[str, Tensor] = {}

    def combine(self, losses: dict[str, Tensor]) -> Tensor:
        for task, loss in losses.items():
            # A batch may come in parts, whose losses add up to that of the batch.
            self._before[task] = self._before.get(task, 0.0) + loss.detach()
        z = torch.softmax(self.logits[self._places(losses)], dim=0)
        values = torch.stack(list(losses.values())) + 1e-8
        c = 1 / (z / values.detach()).sum()
        return c * (z * values.log()).sum()

    def after_step(self, recompute: Callable[[], dict[str, Tensor]]) -> None:
        before, self._before = self._before, {}
        if len(before) < 2:
            return
        after = recompute()
        fell = torch.stack([((before[task] + 1e-8) / (loss.detach() + 1e-8)).log() for task, loss in after.items()])
        places = self._places(after)
        z = torch.softmax(self.logits[places], dim=0)
        self._adam(places, z * (fell - (z * fell).sum()))

    def weights(self) -> dict[str, float]:
        """The z of all tasks, which are weights of log losses."""
        return dict(zip(self.tasks, torch.softmax(self.logits, dim=0).tolist(), strict=True))

    def _places(self, present: Mapping[str, Tensor]) -> Tensor:
        return torch.tensor([self.tasks.index(task) for task in present], device=self.logits.device)

    def _adam(self, places: Tensor, gradient: Tensor) -> None:
        """Adam with torch's defaults, on the entries of the tasks that are present."""
        gradient = gradient + self.weight_decay * self.logits[places]
        self.updates[places] += 1
        self.means[places] = 0.9 * self.means[places] + 0.1 * gradient
        self.squares[places] = 0.999 * self.squares[places] + 0.001 * gradient**2
        mean = self.means[places] / (1 - 0.9 ** self.updates[places])
        square = self.squares[places] / (1 - 0.999 ** self.updates[places])
        self.logits[places] -= self.logit_rate * mean / (square.sqrt() + 1e-8)
