"""Optimizers with decoupled weight decay, and the learning rate over the true number of steps."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn, optim

from manyheads.study.spec import Optimizer


class DecoupledAdamax(optim.Adamax):
    """Adamax whose weight decay is decoupled from the gradient, as in AdamW.

    Kingma and Ba, "Adam", ICLR 2015, section 7.1; Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
    ICLR 2019. p <- p (1 - lr * decay) - lr / (1 - beta1^t) * m / u. torch's own Adamax adds decay * p to the gradient
    instead, which Adamax then divides away.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        decays = [group["weight_decay"] for group in self.param_groups]
        for group, decay in zip(self.param_groups, decays, strict=True):
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * decay)
            group["weight_decay"] = 0.0
        result = super().step(closure)
        for group, decay in zip(self.param_groups, decays, strict=True):
            group["weight_decay"] = decay
        return result


def optimizer_for(model: nn.Module, weighting: nn.Module, settings: Optimizer, learning_rate: float) -> optim.Optimizer:
    """The optimizer of a run. Biases, normalisation and the weighting's own parameters have no weight decay.

    :param settings: As a study names it.
    """
    given = settings.model_dump(exclude={"name", "weight_decay"})
    decay = settings.weight_decay
    groups = [
        {"params": [p for n, p in _trained(model) if _decays(n, p)], "weight_decay": decay},
        {"params": [p for n, p in _trained(model) if not _decays(n, p)], "weight_decay": 0.0},
    ]
    own = list(weighting.parameters())
    if own:
        rate = getattr(weighting, "learning_rate", None) or learning_rate
        groups.append({"params": own, "weight_decay": 0.0, "lr": rate})
    if "epsilon" in given:
        given["eps"] = given.pop("epsilon")
    # The fused kernels read and write every number once; on a CPU that is several times as fast. That of SGD fails with
    # momentum when some parameters have their first gradient (a task's head) and others had theirs before.
    fused = not given.get("momentum")
    make = {
        "adamw": lambda: optim.AdamW(groups, lr=learning_rate, fused=True, **given),
        "adamax": lambda: DecoupledAdamax(groups, lr=learning_rate, **given),
        "sgd": lambda: optim.SGD(groups, lr=learning_rate, fused=fused, **given),
    }
    optimizer = make[settings.name]()
    for group in optimizer.param_groups:
        group["peak"] = group["lr"]
    return optimizer


def _trained(model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def _decays(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and not name.endswith("bias")


def linear_schedule(step: float, steps: float, warmup: float) -> float:
    """The share of the peak learning rate at a point of training: min(s / (w S), (S - s) / ((1 - w) S)).

    Devlin et al., 2019, appendix A.2 (warm-up over the first tenth, then linear decay to 0).
    """
    falling = (steps - step) / ((1 - warmup) * steps)
    return max(0.0, min(step / (warmup * steps), falling) if warmup > 0 else falling)


def set_learning_rate(
    optimizer: optim.Optimizer, step: int, first: int, end: int, *, warmup: float, schedule: str
) -> float:
    """Set the learning rate of update `step` in a schedule from `first` to `end`, and return the first group's.

    An update takes the rate in the middle of its step, so that neither the first nor the last is wasted at 0.
    """
    share = 1.0 if schedule == "constant" else linear_schedule(step - first + 0.5, end - first, warmup)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
    return optimizer.param_groups[0]["lr"]
