"""What the benchmarks of speed have in common: the machine in words, tables, and the file that their figures go to."""

import datetime
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyheads.training.device import fingerprint


def machine() -> dict[str, Any]:
    """Processor, cores, memory, threads and versions of this machine and process."""
    found = fingerprint("")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": found.processor, "cores": found.cores, "memory_bytes": memory, "threads": found.threads,
        "versions": found.versions,
    }  # fmt: skip


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; None is an empty cell."""
    cells = [list(columns), ["---"] * len(columns), *[["" if one is None else str(one) for one in row] for row in rows]]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def command() -> str:
    """The command that is running, as one would type it in the repository."""
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def provenance() -> dict[str, Any]:
    """Where the figures of this process come from: the date, the command, the machine."""
    return {"date": datetime.date.today().isoformat(), "command": command(), "machine": machine()}


def write_figures(path: Path, results: Any) -> None:
    """Write all figures with the date, the command and the machine that they come from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**provenance(), "results": results}, indent=1) + "\n", encoding="utf-8")
