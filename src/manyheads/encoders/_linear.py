"""Linear layers whose single-precision products go through oneDNN where that is faster than MKL.

torch computes products of float32 by Intel's MKL, which on AMD processors with AVX-512 reaches half of what they can do
(205 against 400 to 470 GFLOP/s on two cores of an EPYC, shapes of MiniLM). oneDNN, which torch brings for its compiled
models, computes the same products there at full speed. Other processors and other types keep torch's own way.
"""

from typing import Any

import torch
from torch import Tensor, nn

def faster_by_onednn() -> bool:
    """Whether this processor is of the kind on which oneDNN was measured to be faster for float32. Never decided by a
    measurement of the moment: the same machine must give the same bits."""
    able = torch.cpu.get_capabilities()
    known = "AMD" in str(able.get("cpu_name", "")) and able.get("avx512_f", False)
    return bool(known and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"))


def product(one: Tensor, other: Tensor, bias: Tensor | None = None) -> Tensor:
    """[N, K] and [M, K] -> [N, M]: one times the transpose of other, plus the bias [M], by oneDNN in float32."""
    return torch.ops.mkldnn._linear_pointwise(one, other, bias, "none", [], "")


class Linear(nn.Linear):
    """torch's `nn.Linear`, computed by oneDNN for float32 on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        plain = input.dtype == self.weight.dtype == torch.float32 and input.device.type == "cpu"
        if not plain or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        return _Product.apply(input.flatten(0, -2), self.weight, self.bias).unflatten(0, input.shape[:-1])


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
    """Let every linear layer be computed the faster way; parameters and their names stay."""
    if faster_by_onednn():
        for child in module.modules():
            if type(child) is nn.Linear:
                child.__class__ = Linear
