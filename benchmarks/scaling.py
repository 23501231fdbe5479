"""How time and memory grow with rows, tasks and length: reading, hashing, tokenising, opening again, training.

    python benchmarks/scaling.py [--quick] [--threads 1] [--json FILE]

Tables of made-up texts, a CSV file each, and a small random BERT encoder with MiniLM's tokenizer. Every measurement is
a process of its own that does what `manyheads run` does: `read_tasks`, the hash of the data, `StudyInputs.prepare`
with an empty cache and with a full one, and `run_once` of 30 steps with 32 examples. Memory is the peak of each stage,
less what the process held with the model built and nothing read; files that are mapped count as far as they were read.
Seconds are those of the processor (all threads'), which other work on the machine changes least; the JSON file has
the clock's too. Exponents are slopes of log(seconds) over log(rows): 1 means that time grows as the data does.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine_and_table import provenance

SIZES, TASKS, WORDS = (10_000, 100_000, 1_000_000), (1, 2, 4), (8, 32, 128)
QUICK_SIZES, QUICK_TASKS, QUICK_WORDS = (1_000, 10_000), (1, 2), (8, 32)
STEPS, BATCH, REPORTED = 30, 32, 200
STAGES = ("reading", "hashing", "tokenising", "opening", "training")
STUDY = """
seeds  = [1]
budget = {{ steps = {steps} }}
[encoder]
model = "{model}"
[training]
batch_size = {batch}
{tasks}
[arms.joint]
sampling = {{ name = "round_robin" }}
"""
TASK = """
[tasks.task{number}]
dataset = {{ name = "table", train = "train{number}.csv", validation = "reported.csv" }}
head    = {{ name = "classification", max_length = 192 }}
"""


def write_table(path: Path, rows: int, words: int, seed: int) -> None:
    """Texts of `words` words on average, two classes, ids."""
    rng = np.random.default_rng(seed)
    syllables = ["ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru"]
    vocabulary = np.array([first + second + third for first in syllables for second in syllables for third in "nrst"])
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text,label\n")
        for row in range(rows):
            text = " ".join(vocabulary[rng.integers(0, len(vocabulary), rng.poisson(words - 1) + 1)])
            file.write(f"{path.stem}-{row},{text},{'yn'[rng.integers(2)]}\n")


def write_encoder(folder: Path) -> None:
    """A random BERT of two layers, 64 wide."""
    import torch
    from transformers import BertConfig, BertModel

    from manyheads.core.values import Places
    from manyheads.encoders._tokenizer import PretrainedTokenizer
    from manyheads.encoders.pretrained import resolve

    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    BertModel(BertConfig(**shape, max_position_embeddings=192)).save_pretrained(folder)
    PretrainedTokenizer(resolve("minilm", Places(Path()))).save(folder)


# ---- In a process of its own ----


def measure(folder: Path, threads: int) -> dict[str, Any]:
    """Each stage's seconds and memory for the study in a folder."""
    import torch

    from manyheads.core.values import Places
    from manyheads.datasets.table import OwnTable  # noqa: F401  (so that importing it is not a part of reading)
    from manyheads.study.parser import read_study
    from manyheads.study.steps import runs
    from manyheads.study.tasks import read_tasks
    from manyheads.training.device import forget_peak_memory, peak_memory
    from manyheads.training.inputs import StudyInputs
    from manyheads.training.model import build_model
    from manyheads.training.run import run_once, specification

    torch.set_num_threads(threads)
    study, found = read_study(folder / "study.toml"), {}
    # A model like the study's, so that importing and building it are in the memory that everything is compared with.
    given = {"head": {"name": "classification", "settings": {}}, "labels": ["n", "y"]}
    plain = {"encoder": {"name": "pretrained", "settings": {"model": str(folder.parent / "model")}}}
    plain |= {"sharing": {"name": "hard", "settings": {}}, "tasks": dict.fromkeys(study.tasks, given)}
    model = build_model(plain, Places(folder), seed=1)
    forget_peak_memory()
    base = peak_memory() or 0

    def stage(name: str, do: Callable[[], Any]) -> Any:
        forget_peak_memory()
        began, worked = time.perf_counter(), time.process_time()
        result = do()
        found[name] = {
            "clock": time.perf_counter() - began,
            "seconds": time.process_time() - worked,
            "memory": max(0, (peak_memory() or 0) - base),
        }
        return result

    tasks = stage("reading", lambda: read_tasks(study, None))
    stage("hashing", lambda: [task.hash for task in tasks.values()])
    (run,) = runs(study)

    def prepared() -> StudyInputs:
        inputs = StudyInputs(study, tasks, None, None, cache=folder / "cache")
        inputs.encoders.keep_tokenizer(run.arm.encoder, model.tokenizer)
        inputs.prepare([run])
        return inputs

    assert stage("tokenising", prepared).tokens.made
    inputs = stage("opening", prepared)
    assert not inputs.tokens.made
    stage("building", lambda: build_model(specification(run, tasks), inputs.places, seed=1))
    record = stage("training", lambda: run_once(run, inputs, folder / "out", lambda *_: None))
    assert record.status == "finished", record
    cost = record.cost
    tokens = sum(entry.about["tokens"] for entry in inputs.tokens.cache.entries())
    cached = sum(entry.bytes for entry in inputs.tokens.cache.entries())
    return {
        "rows": sum(len(task.train.rows) for task in tasks.values()), "tokens": tokens, "cached": cached, "base": base,
        "stages": found, "tokens_per_second": cost.tokens_per_second,
        "training_clock": cost.seconds["training"],
    }  # fmt: skip


# ---- The process that starts the others ----


def measured(folder: Path, rows: int, tasks: int, words: int, threads: int) -> dict[str, Any]:
    """The figures for so many tasks with so many rows of so many words."""
    here = folder / f"{rows}-{tasks}-{words}"
    here.mkdir()
    write_table(here / "reported.csv", REPORTED, words, seed=0)
    for number in range(1, tasks + 1):
        write_table(here / f"train{number}.csv", rows, words, seed=number)
    parts = "".join(TASK.format(number=number) for number in range(1, tasks + 1))
    text = STUDY.format(steps=STEPS, batch=BATCH, model=folder / "model", tasks=parts)
    (here / "study.toml").write_text(text, encoding="utf-8")
    limits = {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    parallel = {"TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}
    command = [sys.executable, __file__, "--measure", str(here), "--threads", str(threads)]
    done = subprocess.run(command, env=os.environ | limits | parallel, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return {"tasks": tasks, "words": words, "rows_per_task": rows, **json.loads(done.stdout.splitlines()[-1])}


def exponent(rows: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log(seconds) over log(rows)."""
    return float(np.polyfit(np.log(rows), np.log(seconds), 1)[0])


def summary(by_rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the measurements over rows say."""
    rows = [one["rows"] for one in by_rows]
    preparing = [sum(one["stages"][stage]["seconds"] for stage in STAGES[:3]) for one in by_rows]
    each = [seconds / count for seconds, count in zip(preparing, rows, strict=True)]
    return {
        "exponents": {stage: exponent(rows, [one["stages"][stage]["seconds"] for one in by_rows]) for stage in STAGES},
        "exponent_of_preparing": exponent(rows, preparing),
        "microseconds_per_row": [1e6 * one for one in each],
        "memory": max(stage["memory"] for one in by_rows for stage in one["stages"].values()),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; the first to the left."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.ljust(w) if not at else cell.rjust(w) for at, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def page(results: dict[str, Any]) -> str:
    """The figures for a person."""
    mib = 2**20

    def cells(one: dict[str, Any]) -> list[str]:
        found = [one["stages"][stage] for stage in STAGES]
        return [f"{stage['seconds']:.2f} s {stage['memory'] / mib:5.0f} MiB" for stage in found]

    by_rows = [[f"{one['rows']:,}", *cells(one), f"{one['cached'] / 1e6:.1f} MB"] for one in results["rows"]]
    by_tasks = [
        [str(one["tasks"]), *cells(one), f"{one['stages']['building']['seconds']:.2f} s"] for one in results["tasks"]
    ]
    by_words = [[str(one["words"]), f"{one['tokens_per_second']:,.0f}"] for one in results["words"]]
    found = results["summary"]
    slopes = ", ".join(f"{stage} {slope:.2f}" for stage, slope in found["exponents"].items())
    each = ", ".join(f"{one:.1f}" for one in found["microseconds_per_row"])
    return "\n".join([
        f"{results['processor']}, {results['threads']} thread(s), Python {results['python']}", "",
        "Rows of one task (processor seconds, peak memory above the process with its model); training is a run of "
        f"{results['steps']} steps with its model and its scores", "",
        table(["rows", *STAGES, "on disk"], by_rows), "",
        f"Exponent of time over rows: {slopes}; reading, hashing and tokenising together "
        f"{found['exponent_of_preparing']:.3f}.",
        f"Microseconds a row for these three: {each}. Peak memory of all: {found['memory'] / mib:.0f} MiB.", "",
        f"Tasks of {results['tasks'][0]['rows_per_task']:,} rows each, trained jointly", "",
        table(["tasks", *STAGES, "building"], by_tasks), "",
        "Words a text: tokens trained on per second", "", table(["words", "tokens/s"], by_words),
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Small sizes, well under a minute.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--measure", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.threads)))
        return
    sizes, tasks, words = (QUICK_SIZES, QUICK_TASKS, QUICK_WORDS) if options.quick else (SIZES, TASKS, WORDS)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_encoder(folder / "model")

        def one(rows: int, number: int = 1, length: int = 12) -> dict[str, Any]:
            print(f"{time.monotonic() - started:6.0f} s  {rows:,} rows, {number} tasks, {length} words",
                  file=sys.stderr, flush=True)  # fmt: skip
            return measured(folder, rows, number, length, options.threads)

        results: dict[str, Any] = {
            **provenance(),
            "processor": platform.processor() or platform.machine(), "python": platform.python_version(),
            "threads": options.threads, "steps": STEPS, "batch_size": BATCH,
            "rows": [one(size) for size in sizes],
        }  # fmt: skip
        results["tasks"] = [results["rows"][0] if number == 1 else one(sizes[0], number) for number in tasks]
        results["words"] = [one(sizes[0], 1, length) for length in words]
    results["summary"] = summary(results["rows"])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(page(results))


if __name__ == "__main__":
    main()
