"""The part of the report that says what an arm cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.report.markup import facts, large, minutes, number, share, table, text, word


def costs(tasks: Sequence[str], cost: Mapping[str, Any]) -> str:
    """What an arm cost: time, speed against what the machine can do, memory, and each task's share."""
    phases = cost.get("seconds", {})
    each = ", ".join(f"{text(phase)} {minutes(seconds)}" for phase, seconds in phases.items())
    pairs = [("Minutes", f"{minutes(sum(phases.values()))} ({each})")] if phases else []
    totals = ("Steps", "steps", "{:,.0f}".format), ("Tokens a second", "tokens_per_second", "{:,.0f}".format)
    memory = "Peak memory", "peak_memory", lambda size: f"{size / 2**30:,.2f} GiB"
    for name, key, show in (*totals, ("Parameters", "parameters", large), memory):
        pairs += [(name, show(cost[key]))] if cost.get(key) is not None else []
    if cost.get("peak_flops_per_second"):
        peak = cost["peak_flops_per_second"]
        used, padded = cost["flops_per_second"], sum(cost["tokens"].values()) + cost["padding"]
        whole = f"the {peak / 1e9:,.0f} of this machine's matrix products"
        pairs += [("Padding", f"{share(cost['padding'] / max(1, padded))} of the tokens computed")]
        pairs += [("Model GFLOP a second", f"{used / 1e9:,.0f} ({share(used / peak)} of {whole})")]
    shown = {"shares": share, "examples": large, "epochs": "{:.2f}".format, "tokens": large}
    rows = [[word(task), *(number(cost.get(key, {}).get(task), show) for key, show in shown.items())] for task in tasks]
    return facts(pairs) + table("Cost of each task", ["Task", "Share of batches", "Examples", "Epochs", "Tokens"], rows)
