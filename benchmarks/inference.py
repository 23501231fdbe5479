"""What answering costs when several heads ask about the same texts: one model with four heads, or four models.

    python benchmarks/inference.py [--texts 2000] [--rounds 5] [--precision fp32 bf16] [--json FILE]

Four classifications of the same texts (sentences of SST-2, CoLA, MNLI and MRPC in equal parts; made-up ones where the
folder of datasets is missing) with MiniLM, 6 layers. *from tokens*: `evaluate.predict` on texts that were tokenised
before. *from texts*: tokenising too, and, for manyheads, 512 texts at a time as `manyheads predict` reads them. The
encoder's weights are the same in all models, the heads' as well; the answers are checked to be the same.

transformers: an `AutoModel` with a linear layer for each task, texts sorted by length, batches of 64 padded to their
longest, `torch.inference_mode`; from texts each model tokenises for itself. pipeline: `transformers.pipeline` with
batches of 32, in the order of the texts. All take turns within each round; figures are medians over rounds, the first
of which does not count.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import disable_progress_bars
from machine_and_table import command, table, write_figures
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline
from transformers.utils import logging

from manyheads import registry
from manyheads.core.values import Places
from manyheads.encoders.pretrained import resolve
from manyheads.inference import CHUNK, answers
from manyheads.training.loop import autocast
from manyheads.training.model import MultiTaskModel, build_model
from manyheads.training.prediction import predict

HUB = Path(__file__).resolve().parents[2] / "shared" / "hub"
SOURCES = ("sst2", "cola", "mnli", "mrpc")
TASKS = ("tone", "grammar", "stance", "style")
LABELS = ("no", "yes")
LENGTH = 128
ONE_PASS, ONE_HEAD = "manyheads, 4 heads in one pass", "manyheads, 1 head"
FOUR, THEIRS, PIPELINES = "manyheads, 4 models", "transformers, 4 models", "pipeline, 4 models"
Answers = list[list[str]]
"""The labels of each task's answers; tasks that were not asked are left out."""


def texts(number: int, hub: Path) -> list[str]:
    """Sentences of four tasks of GLUE by turns, or of the small world."""
    if hub.is_dir():
        sources = [
            registry.load("datasets", "glue")(Places(hub, hub), subset=name).read("train").rows for name in SOURCES
        ]
        each = -(-number // len(sources))
        columns = [rows.select(range(each))["text"] for rows in sources]
        return [text for row in zip(*columns, strict=True) for text in row][:number]
    made = registry.load("datasets", "small_world")(Places(Path()), subset="film_sentiment", size=number).read("train")
    return list(made.rows["text"])


def model_for(tasks: Sequence[str], encoder: str) -> MultiTaskModel:
    """The same encoder and the same heads, whichever tasks are asked for."""
    head = {"head": {"name": "classification", "settings": {"max_length": LENGTH}}, "labels": list(LABELS)}
    specification = {
        "encoder": {"name": "pretrained", "settings": {"model": encoder}},
        "sharing": {"name": "hard", "settings": {}},
        "tasks": dict.fromkeys(tasks, head),
    }
    return build_model(specification, Places(Path()), seed=0).eval()


class Separate(nn.Module):
    """One model for one task as one writes it with transformers: an encoder and a linear layer on [CLS].

    :param output: The linear layer.
    """

    def __init__(self, folder: str, output: nn.Linear) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder)
        self.output = output
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.eval()

    def forward(self, **inputs: Tensor) -> Tensor:
        return self.output(self.encoder(**inputs).last_hidden_state[:, 0])

    def tokens(self, given: Sequence[str]) -> list[list[int]]:
        return self.tokenizer(list(given), truncation=True, max_length=LENGTH)["input_ids"]

    def labels(self, tokens: Sequence[list[int]], precision: str) -> list[str]:
        """The label of each text, in order."""
        found = [""] * len(tokens)
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        for at in range(0, len(order), 64):
            chunk = order[at : at + 64]
            inputs = self.tokenizer.pad({"input_ids": [tokens[index] for index in chunk]}, return_tensors="pt")
            with torch.inference_mode(), autocast(precision):
                shares = torch.softmax(self(**inputs).float(), dim=-1)
            for index, best in zip(chunk, shares.argmax(-1).tolist(), strict=True):
                found[index] = LABELS[best]
        return found


def contestants(given: Sequence[str], precision: str, encoder: str) -> dict[str, dict[str, Callable[[], Answers]]]:
    """What is timed, from tokens and from texts."""
    together, alone = model_for(TASKS, encoder), {task: model_for([task], encoder) for task in TASKS}
    rows = [{"id": str(index), "text": text} for index, text in enumerate(given)]
    encoded = together.head(TASKS[0]).encode(rows, together.tokenizer)
    folder = resolve(encoder, Places(Path()))
    theirs = [Separate(folder, alone[task].head(task).output) for task in TASKS]
    tokens = theirs[0].tokens(given)
    pipelines = [_pipeline(folder) for _ in TASKS]

    def asked(model: MultiTaskModel, tasks: Sequence[str]) -> Answers:
        found = predict(model, dict.fromkeys(tasks, encoded), precision)
        return [[answer["label"] for answer in found[task]] for task in tasks]

    def answered(model: MultiTaskModel, tasks: Sequence[str]) -> Answers:
        chunks = [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
        found = [line for chunk in chunks for line in answers(model, tasks, chunk, precision)]
        return [[(line[task] if len(tasks) > 1 else line)["label"] for line in found] for task in tasks]

    def piped(one: Any) -> list[str]:
        with torch.inference_mode(), autocast(precision):
            return [found["label"] for found in one(list(given), truncation=True, max_length=LENGTH)]

    first = TASKS[0]
    return {
        "tokens": {
            ONE_HEAD: lambda: asked(alone[first], [first]),
            ONE_PASS: lambda: asked(together, TASKS),
            FOUR: lambda: [asked(alone[task], [task])[0] for task in TASKS],
            THEIRS: lambda: [one.labels(tokens, precision) for one in theirs],
        },
        "texts": {
            ONE_HEAD: lambda: answered(alone[first], [first]),
            ONE_PASS: lambda: answered(together, TASKS),
            FOUR: lambda: [answered(alone[task], [task])[0] for task in TASKS],
            THEIRS: lambda: [one.labels(one.tokens(given), precision) for one in theirs],
            PIPELINES: lambda: [piped(one) for one in pipelines],
        },
    }


def _pipeline(folder: str) -> Any:
    """A text classification with a random head, as transformers offers it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(LABELS)).eval()
    return pipeline("text-classification", model=model, tokenizer=tokenizer, batch_size=32, device="cpu")


def measure(given: Sequence[str], precision: str, encoder: str, rounds: int) -> dict[str, Any]:
    """Seconds of every round, the warm-up left out, and how far the answers agree with those of one pass."""
    timed = contestants(given, precision, encoder)
    seconds: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in found} for kind, found in timed.items()}
    agreement: dict[str, float] = {}
    for number in range(rounds + 1):
        for kind, found in timed.items():
            answered = {}
            for name, do in found.items():
                began = time.perf_counter()
                answered[name] = do()
                if number:
                    seconds[kind][name].append(time.perf_counter() - began)
            agreement |= _agreement(kind, answered)
        print(f"{precision}: round {number} of {rounds} done", file=sys.stderr, flush=True)
    return {"texts": len(given), "seconds": seconds, "agreement": agreement}


def _agreement(kind: str, answered: Mapping[str, Answers]) -> dict[str, float]:
    """The share of labels that are those of one pass; the pipelines have heads of their own."""
    found = {}
    for name, labels in answered.items():
        if name != PIPELINES:
            pairs = [
                (a, b)
                for one, other in zip(labels, answered[ONE_PASS], strict=False)
                for a, b in zip(one, other, strict=True)
            ]
            found[f"{name}, from {kind}"] = sum(a == b for a, b in pairs) / len(pairs)
    return found


def report(results: Mapping[str, Any]) -> str:
    """The tables, in Markdown."""
    rows = []
    for precision, found in results.items():
        medians = {
            kind: {name: statistics.median(rounds) for name, rounds in each.items()}
            for kind, each in found["seconds"].items()
        }
        for name in medians["texts"]:
            cells: list[str | None] = [name, precision]
            for kind in ("tokens", "texts"):
                taken = medians[kind].get(name)
                if taken is None:
                    cells += [None, None, None]
                    continue
                one, four = medians[kind][ONE_HEAD], medians[kind][FOUR]
                cells += [f"{1000 * taken:,.0f}", f"{taken / one:.2f}", f"{four / taken:.2f}"]
            rows.append(cells)
    columns = [
        "", "", "from tokens, ms", "x 1 head", "faster than 4 models", "from texts, ms", "x 1 head",
        "faster than 4 models",
    ]  # fmt: skip
    least = min(share for found in results.values() for share in found["agreement"].values())
    texts_ = next(iter(results.values()))["texts"]
    note = f"{texts_:,} texts. At least {100 * least:.2f} % of the labels are those of the one pass."
    return f"{table(columns, rows)}\n\n{note}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"])
    parser.add_argument("--hub", type=Path, default=HUB, help="datasets in the layout of the Hub")
    parser.add_argument("--encoder", default="minilm", help="a package's, or a folder in Hugging Face's format")
    parser.add_argument("--quick", action="store_true", help="twenty texts, one round: does it run?")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if options.quick:
        options.texts, options.rounds, options.precision = 20, 1, ["fp32"]
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    disable_progress_bars()
    given = texts(options.texts, options.hub)
    results = {precision: measure(given, precision, options.encoder, options.rounds) for precision in options.precision}
    print(f"{command()}\n\n{report(results)}")
    if options.json:
        write_figures(options.json, results)


if __name__ == "__main__":
    main()
