"""Matrix products in single precision by the library that is faster on this processor.

torch computes products of float32 by Intel's MKL, which on AMD processors with AVX-512 reaches half of what they can do
(205 against 400 to 470 GFLOP/s on two cores of an EPYC, shapes of MiniLM). oneDNN, which torch brings for its compiled
models, computes the same products there at full speed. Other processors keep torch's own way.
"""

from functools import cache

import torch
from torch import Tensor

from manyheads.core.plain import plain


@cache
def faster_by_onednn() -> bool:
    """Whether this processor is of the kind on which oneDNN was measured to be faster for float32. Never decided by a
    measurement of the moment: the same machine must give the same bits."""
    return _known_to_gain() and not plain() and not _obstacle()


def slower_product() -> str:
    """A line for the user where this processor would gain by oneDNN and the installed torch does not let it, or ""."""
    why = _obstacle() if _known_to_gain() else ""
    return f"matrix products take torch's own way, which is slower on this processor: {why}" if why else ""


def _known_to_gain() -> bool:
    able = torch.cpu.get_capabilities()
    known = "AMD" in str(able.get("cpu_name", "")) and able.get("avx512_f", False)
    return bool(known and torch.backends.mkldnn.is_available())


def _obstacle() -> str:
    """Why `product`, whose operator is a private one of torch, cannot be used here; "" if it can."""
    one, other = torch.ones(2, 3), torch.ones(4, 3)
    try:
        right = bool((product(one, other, torch.ones(4)) == 4).all() and (product(one, other) == 3).all())
    except Exception as error:  # whatever another version of torch says to a call that it does not know
        return f"torch {torch.__version__}: {str(error).splitlines()[0]}"
    return "" if right else f"torch {torch.__version__} computes something else by it"


def product(one: Tensor, other: Tensor, bias: Tensor | None = None) -> Tensor:
    """[N, K] and [M, K] -> [N, M]: one times the transpose of other, plus the bias [M], by oneDNN in float32."""
    return torch.ops.mkldnn._linear_pointwise(one, other, bias, "none", [], "")
