"""How fast training is: manyheads, the loop one would write by hand, tasknet, and what the machine's products allow.

    python benchmarks/training.py [--rounds 5] [--peers FOLDER] [--tasknet FOLDER] [--against FOLDER/src] [--json FILE]

The work is that of `handwritten_trainer.py` in the folder of the peers (transformers.Trainer, hard sharing): 960
sentences of SST-2, 480 pairs of MNLI, 160 questions of SQuAD, drawn with seed 0; batches of 16 of one task each, one
pass, MiniLM with 6 layers, AdamW, lengths up to 128, 128, 384. Every contestant trains in a process of its own; all
take turns within each round; figures are medians over rounds. Only training counts, without reading, tokenising and
scoring; making the optimizer counts. The loop by hand pads each batch to its longest example. A careful user also
groups batches by length (stretches of 50 batches are sorted, as `group_by_length` does): the factor over that loop
stands first. `--against FOLDER/src` lets another version of manyheads take part, such as the one before a change, by
its own `FOLDER/benchmarks/training_contestants.py`.

*real tokens/s* leaves padding out. *padding* is the share of the computed tokens that are padding (for manyheads:
filler that lets shapes recur; see `tensors.padding_for`). *GFLOP/s* are the model's: 6 for each weight of the encoder's
layers and real token, and attention's products, 12 x length^2 x width for each layer and sequence. *of the ceiling*
compares them with the matrix products of the same precision, [4096, 384] x [384, 1536], measured in the same rounds.

What differs beside speed: manyheads trains without dropout of attention probabilities (its default), and a context
that is longer than 384 tokens becomes several windows where the peers cut it off; tasknet adds a vector of the task to
[CLS] and has no token types. Two metrics that tasknet loads over the network when it is imported are left out.
tasknet 1.60 and what the peers import stand in a folder of their own (`peers.txt`; `make bench` makes it).
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from machine_and_table import command, table, write_figures

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"
GROUPED = "by hand, grouped by length"
MAX = "by hand, padded to max, fp32"
CONTESTANTS: dict[str, tuple[str, ...]] = {
    "manyheads, fp32": ("manyheads",),
    "manyheads, bf16": ("manyheads", "--precision", "bf16"),
    f"{GROUPED}, fp32": ("handwritten", "--pad", "grouped"),
    f"{GROUPED}, bf16": ("handwritten", "--pad", "grouped", "--precision", "bf16"),
    "by hand, fp32": ("handwritten",),
    "by hand, bf16": ("handwritten", "--precision", "bf16"),
    MAX: ("handwritten", "--pad", "max"),
    "tasknet, fp32": ("tasknet",),
    "tasknet, bf16": ("tasknet", "--precision", "bf16"),
}
"""Names as the tables show them, and what to tell `training_contestants.py`."""
BEFORE = {"manyheads before, fp32": ("before",), "manyheads before, bf16": ("before", "--precision", "bf16")}
"""The version of `--against`."""
PEERS = ("handwritten", "tasknet")
PRECISIONS = ("fp32", "bf16")


def missing(options: argparse.Namespace) -> dict[str, str]:
    """Why a kind of contestant cannot take part."""
    found = {}
    if not options.hub.is_dir():
        found |= dict.fromkeys(("manyheads", "before", *PEERS), f"there are no datasets in {options.hub}")
    if not (options.peers / "handwritten_trainer.py").is_file():
        found["handwritten"] = f"there is no handwritten_trainer.py in {options.peers}"
    accelerate = importlib.util.find_spec("accelerate") or _holds(options.tasknet, "accelerate")
    if not accelerate:
        found |= dict.fromkeys(PEERS, "transformers.Trainer needs the package accelerate")
    if not _holds(options.tasknet, "tasknet"):
        found["tasknet"] = "no --tasknet FOLDER with tasknet 1.60 was given"
    return found


def _holds(folder: Path | None, package: str) -> bool:
    return folder is not None and (folder / package).is_dir()


def run(given: Sequence[str], options: argparse.Namespace) -> Any:
    """One contestant in a fresh process.

    :raises RuntimeError: With the end of what it said, if it failed.
    """
    arguments = ["--share", str(options.share), "--hub", str(options.hub), "--peers", str(options.peers)]
    arguments += ["--encoder", options.encoder]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    folder, who = HERE, given[0]
    if options.tasknet and who in PEERS:
        environment["PYTHONPATH"] = str(options.tasknet.absolute())
    if who == "before":
        folder, who = options.against.absolute().parent / "benchmarks", "manyheads"
        environment["PYTHONPATH"] = str(options.against.absolute())
    started = [sys.executable, str(folder / "training_contestants.py"), who, *given[1:], *arguments]
    done = subprocess.run(started, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(given)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compete(options: argparse.Namespace) -> dict[str, Any]:
    """All rounds of all contestants that can take part."""
    absent = missing(options)
    contestants = {**(BEFORE if options.against else {}), **CONTESTANTS}
    able = {name: given for name, given in contestants.items() if given[0] not in absent}
    if options.only:
        able = {name: given for name, given in able.items() if name in options.only}
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in able}
    ceiling: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for number in range(options.rounds):
        for name, given in able.items():
            if name == MAX and number >= options.max_rounds:
                continue
            rounds[name].append(run(given, options))
            print(f"round {number + 1}: {name}: {rounds[name][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
        for precision in PRECISIONS:
            ceiling[precision].append(run(["ceiling", "--precision", precision], options)["gflops"])
    padding = [] if "manyheads" in absent else run(["padding"], options)
    return {
        "share": options.share, "rounds": {name: found for name, found in rounds.items() if found},
        "ceiling_gflops": ceiling, "padding": dict(zip(("reference", "mixed"), padding, strict=False)),
        "absent": {name: absent[given[0]] for name, given in contestants.items() if given[0] in absent},
    }  # fmt: skip


# ---- from rounds to figures ----


def precision_of(name: str) -> str:
    """The precision that a contestant's name ends with."""
    return name.rsplit(", ", 1)[1]


def figures(results: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Each contestant's medians; ratios are None where there is nothing to compare with."""
    ceiling = {precision: statistics.median(found) for precision, found in results["ceiling_gflops"].items() if found}
    weights, width, layers = _shape(results)
    found: dict[str, dict[str, float | None]] = {}
    for name, rounds in results["rounds"].items():
        one, seconds = rounds[0], statistics.median(each["seconds"] for each in rounds)
        flops = 6 * weights * one["tokens"] + 12 * width * layers * one["squares"] if weights else 0
        gflops = flops / seconds / 1e9
        found[name] = {
            "examples": one["examples"] / seconds,
            "tokens": one["tokens"] / seconds,
            "padding": 1 - one["tokens"] / one["computed"],
            "gflops": gflops or None,
            "of_ceiling": gflops / ceiling[precision_of(name)] if gflops and precision_of(name) in ceiling else None,
        }
    for name, one in found.items():
        for key, other in (("ratio_grouped", GROUPED), ("ratio", "by hand")):
            by_hand = found.get(f"{other}, {precision_of(name)}", {}).get("tokens")
            one[key] = (one["tokens"] or 0) / by_hand if by_hand else None
    return found


def against(rounds: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    """How fast each precision is beside the version of `--against`: round by round, since they take turns."""
    lines = []
    for name in BEFORE:
        pairs = zip(rounds.get(name, ()), rounds.get(f"manyheads, {precision_of(name)}", ()), strict=False)
        if ratios := [before["seconds"] / now["seconds"] for before, now in pairs]:
            middle, ends = statistics.median(ratios), f"{min(ratios):.3f} to {max(ratios):.3f}"
            lines.append(f"manyheads, {precision_of(name)}: {middle:.3f} times as fast as before ({ends} in a round).")
    return lines


def _shape(results: Mapping[str, Any]) -> tuple[int, int, int]:
    """The weights of the encoder's layers, its width and its layers; zeros if manyheads did not take part."""
    for rounds in results["rounds"].values():
        if "encoder" in rounds[0]:
            width, inner, layers = (rounds[0]["encoder"][name] for name in ("width", "inner", "layers"))
            return layers * (4 * width**2 + 2 * width * inner), width, layers
    return 0, 0, 0


def percent(share: float | None, digits: int = 1) -> str | None:
    return None if share is None else f"{100 * share:.{digits}f} %"


def report(results: Mapping[str, Any]) -> str:
    """The tables, in Markdown."""
    columns = ["", "examples/s", "real tokens/s", "x by hand, grouped by length", "x by hand", "padding"]
    columns += ["model GFLOP/s", "of the ceiling", "rounds"]
    rows: list[list[Any]] = []
    for name, one in figures(results).items():
        ratios = [None if one[key] is None else f"{one[key]:.2f}" for key in ("ratio_grouped", "ratio")]
        gflops = None if one["gflops"] is None else f"{one['gflops']:.0f}"
        speed = [f"{one['examples']:.1f}", f"{one['tokens']:,.0f}", *ratios, percent(one["padding"]), gflops]
        rows.append([name, *speed, percent(one["of_ceiling"], 0), len(results["rounds"][name])])
    for precision, found in results["ceiling_gflops"].items():
        if found:
            rows.append(
                [f"the ceiling, {precision}", *[None] * 5, f"{statistics.median(found):.0f}", "100 %", len(found)]
            )
    parts = [table(columns, rows), *against(results["rounds"])]
    parts += [f"Left out: {name}: {why}." for name, why in results["absent"].items()]
    if results["padding"]:
        parts.append(padding_table(results["padding"]))
    return "\n\n".join(parts)


def padding_table(found: Mapping[str, Mapping[str, int]]) -> str:
    """Padding of two mixtures, counted and not timed."""
    names = {"reference": "SST-2, MNLI, SQuAD (the work above)", "mixed": "SQuAD, CODAH (4 choices), CoLA"}
    columns = [
        "batches of 16, one task each", "real tokens", "filler in manyheads", "padded places in its attention",
        "if padded to each batch's longest", "if padded to the maximum",
    ]  # fmt: skip
    rows = []
    for name, one in found.items():
        tokens = one["tokens"]
        places = [tokens + one["filler"], one["attention"], one["longest"], one["most"]]
        rows.append([names[name], f"{tokens:,}", *(percent(1 - tokens / place) for place in places)])
    return "Padding, as a share of all that is computed:\n\n" + table(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-rounds", type=int, default=2, help="rounds of the loop that pads to the maximum")
    parser.add_argument("--share", type=float, default=1.0, help="of the work's examples")
    parser.add_argument("--only", nargs="+", choices=[*BEFORE, *CONTESTANTS], help="contestants that take part")
    parser.add_argument("--hub", type=Path, default=SHARED / "hub", help="datasets in the layout of the Hub")
    parser.add_argument("--peers", type=Path, default=SHARED / "bench", help="where handwritten_trainer.py is")
    parser.add_argument("--tasknet", type=Path, help="a folder with tasknet and what the peers import")
    parser.add_argument("--against", type=Path, help="the folder src of another version, beside its own benchmarks")
    parser.add_argument("--encoder", default="minilm", help="a package's, or a folder in Hugging Face's format")
    parser.add_argument(
        "--quick", action="store_true", help="one round of ours on a fiftieth of the work: does it run?"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.share, options.only = 1, 0.02, options.only or ["manyheads, fp32"]
    results = compete(options)
    print(f"{command()}, {options.rounds} rounds\n\n{report(results)}")
    if options.json:
        write_figures(options.json, results)


if __name__ == "__main__":
    main()
