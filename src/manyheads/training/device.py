"""What a run's bits and cost depend on beside its settings: versions, threads, processor, memory."""

import ctypes
import importlib.metadata
import os
import platform
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import pyarrow
import torch
from torch.nn.functional import linear

from manyheads.core.matmul import faster_by_onednn, product
from manyheads.core.plain import plain
from manyheads.results.run_record import Fingerprint


def fingerprint(precision: str) -> Fingerprint:
    """What the bits of a run depend on beside its settings, here and now."""
    packages = ("torch", "transformers", "tokenizers", "datasets", "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return Fingerprint(
        versions={"python": platform.python_version(), **versions},
        threads=torch.get_num_threads(),
        device="cpu",
        precision=precision,
        processor=_processor(),
        cores=os.cpu_count(),
        **({"plain": True} if plain() else {}),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def precision(asked: str) -> str:
    """What "auto" means here: bf16 where the processor multiplies it itself, which is several times as fast; fp32
    elsewhere, where bf16 would be imitated. Anything else is what was asked for."""
    if asked != "auto":
        return asked
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"


def peak_flops(precision: str, seconds: float = 0.3) -> float:
    """Operations per second of this process's matrix products, [4096, 384] x [384, 1536]: the bound of any training.

    Of the products that encoders use, which in single precision may be faster than torch's own (`matmul.py`).

    Measured once for each precision and number of threads.
    """
    return _peak_flops(precision, torch.get_num_threads(), seconds)


@cache
def _peak_flops(precision: str, _threads: int, seconds: float) -> float:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = torch.ones(4096, 384, dtype=dtype), torch.ones(1536, 384, dtype=dtype)
    multiply = product if precision == "fp32" and faster_by_onednn() else linear
    with torch.inference_mode():
        multiply(one, other)  # kernels are set up at their first use
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            multiply(one, other)
            count += 1
        return 2.0 * 4096 * 384 * 1536 * count / (time.perf_counter() - began)


def use_threads(number: int) -> None:
    """So many threads for everything that brings its own: torch, Arrow, and the tokenizers (written in Rust)."""
    torch.set_num_threads(number)
    pyarrow.set_cpu_count(number)
    # Read when the first text is tokenised, which in a new process is after this.
    os.environ["RAYON_NUM_THREADS"] = str(number)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if number > 1 else "false"


def keep_freed_memory() -> None:
    """Let this process keep what a step frees, for the next step.

    By default glibc hands large blocks back to the system, which clears and maps them again page by page. Does nothing
    where the C library has no such setting.
    """
    trim_threshold, mmap_threshold = -1, -3
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(mmap_threshold, 32 << 20)  # the most that it accepts
        library.mallopt(trim_threshold, 2**31 - 1)


def forget_peak_memory() -> None:
    """Let the kernel begin anew, so that a run's peak is its own."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak_memory() -> int | None:
    """Bytes at most since `forget_peak_memory`; None where the system does not say."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
