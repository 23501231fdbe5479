"""Linear layers whose single-precision products go through the library that is faster here (`matmul.py`)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads.core.matmul import faster_by_onednn, product


def linear(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """[..., K] values, [M, K] weight, [M] bias -> [..., M]: torch's `linear`, by oneDNN where that is faster."""
    plain = values.dtype == weight.dtype == torch.float32 and values.device.type == "cpu"
    if not plain or torch.is_autocast_enabled("cpu") or not faster_by_onednn():
        return functional.linear(values, weight, bias)
    return _Product.apply(values.flatten(0, -2), weight, bias).unflatten(0, values.shape[:-1])


class Linear(nn.Linear):
    """torch's `nn.Linear` by `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(values, weight)
        return product(values, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        values, weight = ctx.saved_tensors
        of_values, of_weight, of_bias = ctx.needs_input_grad
        return (
            product(gradient, weight.t()) if of_values else None,
            product(gradient.t(), values.t()) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


def replace_linear(module: nn.Module) -> None:
    """Let every linear layer be computed this way; parameters and their names stay."""
    for child in module.modules():
        if type(child) is nn.Linear:
            child.__class__ = Linear
