"""What a run's bits and cost depend on beside its settings: versions, threads, processor, memory."""

import importlib.metadata
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch


def fingerprint(precision: str) -> dict[str, Any]:
    """What else the bits depend on. Two runs with the same settings and fingerprint are the same run, bit for bit."""
    packages = ("torch", "transformers", "tokenizers", "datasets", "numpy")
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "threads": torch.get_num_threads(),
        "device": "cpu",
        "precision": precision,
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


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
