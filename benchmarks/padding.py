"""What computing with padding costs: steps of training packed, and under `MANYHEADS_PLAIN=1`, in turns.

    python benchmarks/padding.py --model minilm --rounds 15

A step holds a batch of short texts and one of questions with their contexts (the small world), as in the quickstart.
Printed are medians over the rounds, and the ratio of the two, in processor time of one thread, which other work on the
machine lengthens less than the time of the clock.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from manyheads.core.values import Places
from manyheads.data.batches import TrainingData, encoded, vocabulary
from manyheads.datasets.small_world import SmallWorld
from manyheads.study.spec import AdamW
from manyheads.training.model import MultiTaskModel, build_model
from manyheads.training.optimizer import optimizer_for

TASKS = {
    "food": ("food_sentiment", "classification", {"max_length": 64}),
    "asked": ("questions", "span", {"max_length": 128, "stride": 48, "max_question": 32}),
}
WAYS = {"packed": "", "padded": "1"}


def built(model: str, size: int) -> tuple[MultiTaskModel, dict[str, TrainingData], torch.optim.Optimizer]:
    """A model, its data and an optimizer, as a run has them under the switch that is set now."""
    tables = {
        task: SmallWorld(Places(Path()), subset=subset, size=400).read("train") for task, (subset, *_) in TASKS.items()
    }
    tasks = {
        task: {"head": {"name": head, "settings": settings}, "labels": tables[task].labels}
        for task, (_, head, settings) in TASKS.items()
    }
    choice = {"name": "pretrained", "settings": {"model": model}}
    made = build_model(
        {"encoder": choice, "sharing": {"name": "hard", "settings": {}}, "tasks": tasks}, Places(Path()), seed=1
    )
    data = {
        task: TrainingData(task, encoded(made.head(task), table, made.tokenizer), size, 1)
        for task, table in tables.items()
    }
    made.narrow(np.unique(np.concatenate([vocabulary(one.examples) for one in data.values()])))
    return made.train(), data, optimizer_for(made, torch.nn.Module(), AdamW(), 1e-4)


def main() -> None:
    """Measure, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    torch.set_num_threads(1)
    contestants = {}
    for way, switch in WAYS.items():
        os.environ["MANYHEADS_PLAIN"] = switch
        contestants[way] = built(given.model, given.batch_size)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    padding = dict.fromkeys(WAYS, 0)
    real = 0
    for round in range(given.rounds + 1):
        for way, (model, data, optimizer) in contestants.items():
            step = {task: one.batch(round) for task, one in data.items()}
            torch.manual_seed(round)
            began = time.process_time()
            torch.stack(list(model(step).values())).sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if round:  # the first sets things up
                seconds[way].append(time.process_time() - began)
                padding[way] += model.work(step)[0]
                real += sum(sum(batch.tokens.lengths) for batch in step.values()) * (way == "packed")
    for way, times in seconds.items():
        share = padding[way] / (padding[way] + real)
        print(f"{way}: {statistics.median(times) * 1e3:.0f} ms a step, {share:.0%} of its tokens padding")
    ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
    print(f"padded takes {statistics.median(ratios):.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
