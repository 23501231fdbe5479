"""One contestant of `training.py`, in a process of its own: trains once, and prints what it did as one line of JSON.

    python benchmarks/training_contestants.py manyheads|handwritten|tasknet|ceiling|padding [--precision bf16] ...

Who calls it is `training.py`, which says what the work is and what the figures mean, and puts what the peers import
into PYTHONPATH.
"""

import argparse
import contextlib
import importlib
import io
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from transformers.utils import logging

from manyheads import registry
from manyheads.core.tensors import Batch
from manyheads.core.values import Places
from manyheads.data.batches import TrainingData, stored, vocabulary
from manyheads.encoders._packed import Packing
from manyheads.encoders.pretrained import resolve
from manyheads.study.spec import AdamW, TrainingSettings
from manyheads.study.steps import Layout
from manyheads.training.device import keep_freed_memory, peak_flops
from manyheads.training.loop import train
from manyheads.training.model import MultiTaskModel, build_model
from manyheads.training.optimizer import optimizer_for

BATCH, LEARNING_RATE = 16, 3e-5
DATA = {
    "sst2": ("glue", {"subset": "sst2"}),
    "mnli": ("glue", {"subset": "mnli"}),
    "squad": ("squad", {}),
    "codah": ("codah", {}),
    "cola": ("glue", {"subset": "cola"}),
}
HEADS = {
    "sst2": ("classification", {"max_length": 128}),
    "mnli": ("classification", {"max_length": 128}),
    "squad": ("span", {"max_length": 384}),
    "codah": ("multiple_choice", {"max_length": 128}),
    "cola": ("classification", {"max_length": 128}),
}
REFERENCE = {"sst2": 960, "mnli": 480, "squad": 160}
"""The reference work: how many examples of each task."""
MIXED = {"squad": 160, "codah": 480, "cola": 960}
"""The second mixture, of which only the padding is counted."""


def cut(sizes: Mapping[str, int], share: float) -> dict[str, int]:
    """A share of the work, at least one example of each task."""
    return {task: max(1, round(size * share)) for task, size in sizes.items()}


# ---- manyheads ----


def prepared(
    sizes: Mapping[str, int], hub: Path, encoder: str
) -> tuple[MultiTaskModel, dict[str, TrainingData], list[str]]:
    """The model, each task's examples as tokens, and the task of each step of one pass."""
    tables = {}
    for task, size in sizes.items():
        name, settings = DATA[task]
        table = registry.load("datasets", name)(Places(hub, hub), **settings).read("train")
        rows = table.rows.select(random.Random(0).sample(range(len(table.rows)), size))
        tables[task] = replace(table, rows=rows)
    tasks = {
        task: {"head": {"name": HEADS[task][0], "settings": HEADS[task][1]}, "labels": table.labels}
        for task, table in tables.items()
    }
    specification = {
        "encoder": {"name": "pretrained", "settings": {"model": encoder}},
        "sharing": {"name": "hard", "settings": {}},
        "tasks": tasks,
    }
    model = build_model(specification, Places(Path()), seed=0)
    data = {
        task: TrainingData(task, stored(model.head(task), table, model.tokenizer), BATCH, 0)
        for task, table in tables.items()
    }
    steps = [task for task in sizes for _ in range(data[task].per_pass)]
    random.Random(0).shuffle(steps)
    return model, data, steps


def manyheads(precision: str, sizes: Mapping[str, int], hub: Path, encoder: str) -> dict[str, Any]:
    """Ours: what `manyheads run` does between tokens and trained weights."""
    keep_freed_memory()
    model, data, steps = prepared(sizes, hub, encoder)
    began = time.perf_counter()
    model.narrow(reduce(np.union1d, [vocabulary(one.examples) for one in data.values()]))
    weighting: Any = registry.load("weighting", "fixed")(list(sizes))
    optimizer = optimizer_for(model, weighting, AdamW(), LEARNING_RATE)
    settings = TrainingSettings(warmup=0.0, precision=precision)
    layout = Layout([(task,) for task in steps])
    records = list(train(model, data, layout, weighting, optimizer, seed=0, settings=settings))
    model.widen()
    seconds = time.perf_counter() - began
    tokens = sum(sum(record.tokens.values()) for record in records)
    lengths = [length for batch in batches(data, steps) for length in batch.tokens.lengths]
    config = model.sharing.encoders()[0].inner.config
    return {
        "seconds": seconds,
        "examples": sum(sum(record.examples.values()) for record in records),
        "tokens": tokens,
        "squares": sum(length**2 for length in lengths),
        "computed": tokens + sum(record.padding for record in records),
        "flops": sum(record.flops for record in records),
        "encoder": {
            "width": config.hidden_size, "inner": config.intermediate_size, "layers": config.num_hidden_layers
        },
    }  # fmt: skip


def batches(data: Mapping[str, TrainingData], steps: list[str]) -> Iterator[Batch]:
    """The batches of the steps, in order."""
    used = dict.fromkeys(data, 0)
    for task in steps:
        yield data[task].batch(used[task])
        used[task] += 1


def padding(sizes: Mapping[str, int], hub: Path, encoder: str) -> dict[str, int]:
    """What one pass over a mixture computes beside real tokens, counted and not trained.

    `filler`: tokens added to batches, as `MultiTaskModel.work` counts them; `attention`: places of the rectangles that
    attention sees; `longest` and `most`: tokens if each batch were padded to its longest sequence, or to the head's
    `max_length`.
    """
    model, data, steps = prepared(sizes, hub, encoder)
    found = dict.fromkeys(("tokens", "filler", "attention", "longest", "most"), 0)
    for batch in batches(data, steps):
        lengths = batch.tokens.lengths
        found["tokens"] += sum(lengths)
        found["filler"] += model.work({batch.task: batch})[0]
        found["attention"] += Packing.of(batch.tokens.filled().lengths, batch.tokens.ids.device).size
        found["longest"] += len(lengths) * max(lengths)
        found["most"] += len(lengths) * model.head(batch.task).max_length
    return found


# ---- the peers ----


def handwritten(
    precision: str, pad: str, sizes: Mapping[str, int], peers: Path, hub: Path, encoder: str
) -> dict[str, Any]:
    """The loop that a user would write by hand, unchanged but for where its data and its model are."""
    sys.path.insert(0, str(peers))
    peer: Any = importlib.import_module("handwritten_trainer")
    peer.SIZES, peer.HUB, peer.MODEL = dict(sizes), hub.absolute(), Path(resolve(encoder, Places(Path())))
    kept: dict[str, list[dict[str, Any]]] = {}
    features = peer.features

    def keeping(*given: Any) -> dict[str, list[dict[str, Any]]]:
        # Its main shuffles these very lists before it cuts them into batches.
        kept.update(features(*given))
        return kept

    peer.features = keeping
    said = io.StringIO()
    sys.argv = ["handwritten_trainer.py", "--pad", pad, *(["--bf16"] if precision == "bf16" else [])]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(said):
        peer.main()
    found = json.loads(said.getvalue().strip().splitlines()[-1])
    masks = {task: [row["attention_mask"] for row in rows] for task, rows in kept.items()}
    if pad == "grouped":
        masks = {task: grouped(rows) for task, rows in masks.items()}
    # Its seconds are rounded to hundredths; its rates are not.
    return {"seconds": found["real_tokens"] / found["real_tokens_per_s"], **counted(masks)}


def grouped(rows: list[list[int]]) -> list[list[int]]:
    """As the handwritten loop groups examples by length: stretches of 50 batches, each sorted, the longest first."""
    stretches = [rows[at : at + 50 * BATCH] for at in range(0, len(rows), 50 * BATCH)]
    return [row for stretch in stretches for row in sorted(stretch, key=lambda row: -len(row))]


def counted(masks: Mapping[str, list[list[int]]]) -> dict[str, int]:
    """Examples, real tokens and tokens computed, of batches of 16 that are padded to the longest of each."""
    found = dict.fromkeys(("examples", "tokens", "squares", "computed"), 0)
    for rows in masks.values():
        for at in range(0, len(rows), BATCH):
            batch = rows[at : at + BATCH]
            found["examples"] += len(batch)
            found["tokens"] += sum(map(sum, batch))
            found["squares"] += sum(sum(mask) ** 2 for mask in batch)
            found["computed"] += len(batch) * max(map(len, batch))
    return found


def tasknet(precision: str, sizes: Mapping[str, int], hub: Path, encoder: str) -> dict[str, Any]:
    """tasknet's own model, trainer and batches (https://github.com/sileod/tasknet)."""
    metrics: Any = importlib.import_module("evaluate")
    # It loads two metrics over the network when it is imported; nothing is evaluated here.
    metrics.load = lambda *_, **__: None
    peer: Any = importlib.import_module("tasknet")
    tasks = _tasknet_tasks(peer, sizes, hub)
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "model_name": resolve(encoder, Places(Path())), "learning_rate": LEARNING_RATE, "num_train_epochs": 1,
            "per_device_train_batch_size": BATCH, "eval_strategy": "no", "save_strategy": "no", "report_to": [],
            "logging_strategy": "no", "disable_tqdm": True, "use_cpu": True, "bf16": precision == "bf16",
            "output_dir": folder,
        }  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            model, trainer = peer.Model_Trainer(tasks, settings)
            computed: list[int] = []
            for one in model.task_models_list:
                one.get_submodule(peer.Model.get_encoder_attr_name(one)).register_forward_pre_hook(
                    lambda _, given, named: computed.append(named.get("input_ids", *given[:1]).numel()),
                    with_kwargs=True,
                )
            began = time.perf_counter()
            trainer.train()
            seconds = time.perf_counter() - began
    masks = {task.name: task.processed_features["train"]["attention_mask"][:] for task in tasks}
    found = counted({task: [[int(one) for one in mask] for mask in rows] for task, rows in masks.items()})
    return {"seconds": seconds, **found, "computed": sum(computed)}


def _tasknet_tasks(peer: Any, sizes: Mapping[str, int], hub: Path) -> list[Any]:
    """The same examples as the handwritten loop's, as tasknet's tasks."""

    def rows(folder: str, subset: str | None, task: str) -> datasets.DatasetDict:
        whole = datasets.load_dataset(str(hub / folder), subset, split="train")
        picked = whole.select(random.Random(0).sample(range(len(whole)), sizes[task]))
        # In memory, so that nothing is read from or written to a cache of tokens.
        taken = datasets.Dataset.from_dict(picked.to_dict(), features=picked.features)
        none = taken.select(range(0))
        return datasets.DatasetDict(train=taken, validation=none, test=none)

    def lengths(most: int) -> Any:
        return peer.tasks.fdict(padding="max_length", max_length=most, truncation=True)

    glue = "nyu-mll/glue"
    return [
        peer.Classification(
            rows(glue, "sst2", "sst2"), "sst2", s1="sentence", y="label", tokenizer_kwargs=lengths(128)
        ),
        peer.Classification(
            rows(glue, "mnli", "mnli"), "mnli", s1="premise", s2="hypothesis", y="label", tokenizer_kwargs=lengths(128)
        ),
        peer.QuestionAnswering(rows("rajpurkar/squad", None, "squad"), "squad", tokenizer_kwargs=lengths(384)),
    ]  # fmt: skip


def bound(precision: str, peers: Path) -> dict[str, float]:
    """GFLOP/s of matrix products in the encoder's shape: by the peers' script where it is, else by ours."""
    if (peers / "ceiling.py").is_file():
        sys.path.insert(0, str(peers))
        script: Any = importlib.import_module("ceiling")
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        return {"gflops": script.gflops(4096, 384, 1536, dtype)}
    return {"gflops": peak_flops(precision, 1.5) / 1e9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["manyheads", "handwritten", "tasknet", "ceiling", "padding"])
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--pad", choices=["dynamic", "grouped", "max"], default="dynamic")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--hub", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--encoder", default="minilm")
    given = parser.parse_args()
    logging.set_verbosity_error()
    datasets.disable_progress_bars()
    sizes, where = cut(REFERENCE, given.share), (given.hub, given.encoder)
    work = {
        "manyheads": lambda: manyheads(given.precision, sizes, *where),
        "handwritten": lambda: handwritten(given.precision, given.pad, sizes, given.peers.absolute(), *where),
        "tasknet": lambda: tasknet(given.precision, sizes, *where),
        "ceiling": lambda: bound(given.precision, given.peers.absolute()),
        "padding": lambda: [padding(cut(mixture, given.share), *where) for mixture in (REFERENCE, MIXED)],
    }
    print(json.dumps(work[given.kind]()))


if __name__ == "__main__":
    main()
