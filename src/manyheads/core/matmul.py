"""Matrix products in single precision by the library that is faster on this processor.

torch computes products of float32 by Intel's MKL, which on AMD processors with AVX-512 reaches half of what they can do
(205 against 400 to 470 GFLOP/s on two cores of an EPYC, shapes of MiniLM). oneDNN, which torch brings for its compiled
models, computes the same products there at full speed. Other processors keep torch's own way.
"""

from functools import cache

import torch
from torch import Tensor


@cache
def faster_by_onednn() -> bool:
    """Whether this processor is of the kind on which oneDNN was measured to be faster for float32. Never decided by a
    measurement of the moment: the same machine must give the same bits."""
    able = torch.cpu.get_capabilities()
    known = "AMD" in str(able.get("cpu_name", "")) and able.get("avx512_f", False)
    return bool(known and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"))


def product(one: Tensor, other: Tensor, bias: Tensor | None = None) -> Tensor:
    """[N, K] and [M, K] -> [N, M]: one times the transpose of other, plus the bias [M], by oneDNN in float32."""
    return torch.ops.mkldnn._linear_pointwise(one, other, bias, "none", [], "")
