"""The bag-of-words network on 50,000 reviews, against scikit-learn's MLPClassifier on the same sparse matrix.

    python benchmarks/bag_of_words.py [--hub FOLDER] [--reviews 50000] [--rounds 3] [--threads 1] [--json FILE]

Each contestant is a process of its own, and they take turns. `manyheads` does what `manyheads run` does: it reads the
data, looks for the words, makes the tokens (with an empty cache), trains, scores 5,000 other reviews, and saves the
model. `scikit-learn` gets the same tokens as a sparse matrix of 0 and 1, and trains the same network (one hidden layer
of 64 sigmoid units) in as many epochs with the same optimizer (Adam), learning rate and batch size (its own defaults).
Training alone is timed. Memory is the peak of the whole process, less what it held when everything was imported.

Reviews are made up, unless --hub names a mirror of the Hub with stanfordnlp/imdb: 230 words on average, drawn by Zipf's
law from 100,000, of which each leans a little towards one of the two classes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine_and_table import command, table, write_figures

TYPES, LENGTH, LEANING, HELD_OUT = 100_000, 230, 0.2, 5_000
EPOCHS, WIDTH, BATCH, RATE = 5, 64, 200, 1e-3
CONTESTANTS = ("manyheads", "scikit-learn")
MADE_UP = 'name = "table", train = "train.csv", validation = "held_out.csv"'
STUDY = """
seeds  = [1]
budget = {{ epochs = {epochs} }}
[encoder]
name  = "bag_of_words"
width = {width}
[training]
batch_size    = {batch}
learning_rate = {rate}
optimizer     = {{ name = "adamw", weight_decay = 0.0 }}
schedule      = "constant"
warmup        = 0.0
clip          = 0.0
[tasks.reviews]
dataset = {{ {dataset} }}
head    = {{ name = "classification", max_length = 4000, dropout = 0.0 }}
[arms.alone]
models = "one per task"
"""


def write_reviews(folder: Path, reviews: int, held_out: int = HELD_OUT, types: int = TYPES) -> None:
    """Made-up reviews, as many of either class: one file to train on, one to score."""
    rng = np.random.default_rng(0)
    syllables = [first + second for first in "bdfgklmnprst" for second in "aeiou"]
    words = np.array([_written(number, syllables) for number in range(types)])
    leaning = rng.normal(scale=LEANING, size=types)
    shares = [np.exp(side * leaning / 2) / np.arange(1, types + 1) for side in (-1, 1)]
    cumulative = [each.cumsum() / each.sum() for each in shares]
    for name, number in (("train", reviews), ("held_out", held_out)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8") as file:
            file.write("text,label\n")
            for row in range(number):
                drawn = np.searchsorted(cumulative[row % 2], rng.random(max(1, rng.poisson(LENGTH))))
                file.write(f"{' '.join(words[np.minimum(drawn, types - 1)])},{'ny'[row % 2]}\n")


def _written(number: int, syllables: Sequence[str]) -> str:
    number, rest = divmod(number, len(syllables))
    return syllables[rest] + (_written(number - 1, syllables) if number else "")


# ---- In a process of its own ----


def measure(contestant: str, folder: Path, hub: Path | None) -> dict[str, Any]:
    """One contestant's scores, seconds and memory on the study in a folder."""
    from sklearn import neural_network  # noqa: F401  (imported by neither while it is measured)

    from manyheads.study.parser import read_study
    from manyheads.study.steps import runs
    from manyheads.study.tasks import read_tasks
    from manyheads.training.device import forget_peak_memory, keep_freed_memory, peak_memory
    from manyheads.training.inputs import StudyInputs
    from manyheads.training.run import run_once

    study = read_study(folder / "study.toml")
    forget_peak_memory()
    base, began = peak_memory() or 0, time.perf_counter()
    tasks = read_tasks(study, hub)
    (run,) = runs(study)
    inputs = StudyInputs(study, tasks, hub, None, cache=folder / f"cache-{contestant}")
    words = len(inputs.encoders.learned(run.arm.encoder))
    inputs.prepare([run])
    preparing = time.perf_counter() - began
    keep_freed_memory()
    peaks = [peak_memory() or 0]
    if contestant == "manyheads":
        record = run_once(run, inputs, folder / "out", lambda *_: None)  # which forgets the peak before it
        assert record.status == "finished", record
        seconds, scores = record.cost.seconds["training"], record.scores["reviews"]
        epochs = record.cost.epochs["reviews"]
    else:
        seconds, scores, epochs = fitted(inputs, words)
    rows = len(tasks["reviews"].train.rows)
    return {
        "reviews": rows, "words": words, "epochs": epochs, "preparing": preparing, "seconds": seconds,
        "scores": {name: scores[name] for name in ("accuracy", "f1", "auc")},
        "memory": max(*peaks, peak_memory() or 0) - base,
    }  # fmt: skip


def fitted(inputs: Any, words: int) -> tuple[float, dict[str, float], int]:
    """scikit-learn's network on the tokens of a study: seconds of training, scores, epochs."""
    from sklearn import metrics
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    (one, gold), (other, other_gold) = (matrix(inputs, split, words) for split in ("train", "reported"))
    network = MLPClassifier(
        (WIDTH,), activation="logistic", alpha=0.0, batch_size=BATCH, learning_rate_init=RATE, max_iter=EPOCHS,
        n_iter_no_change=EPOCHS, random_state=1,
    )  # fmt: skip
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # five epochs were asked for
        network.fit(one, gold)
    seconds = time.perf_counter() - began
    chance = network.predict_proba(other)[:, 1]
    scores = {
        "accuracy": metrics.accuracy_score(other_gold, chance > 0.5),
        "f1": metrics.f1_score(other_gold, chance > 0.5),
        "auc": metrics.roc_auc_score(other_gold, chance),
    }
    return seconds, {name: float(value) for name, value in scores.items()}, network.n_iter_


def matrix(inputs: Any, split: str, words: int) -> tuple[Any, np.ndarray]:
    """A split's tokens as a sparse matrix of a row for each review and a column for each word, and its labels."""
    from scipy.sparse import csr_matrix

    from manyheads.data.batches import batch_of

    examples = next(found for key, found in inputs.tokens.examples.items() if key[:2] == ("reviews", split))
    batch = batch_of("reviews", examples, range(len(examples)))
    starts = np.cumsum([0, *batch.tokens.lengths])
    ones = np.ones(len(batch.tokens.ids), np.float32)
    return csr_matrix((ones, batch.tokens.ids.numpy(), starts), (len(examples), words)), batch.targets.numpy()


# ---- The process that starts the others ----


def run(contestant: str, folder: Path, hub: Path | None, threads: int) -> dict[str, Any]:
    """The figures of one contestant, from a process of its own."""
    limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    place = [] if hub is None else ["--hub", str(hub.absolute())]
    called = [sys.executable, __file__, "--measure", contestant, "--folder", str(folder), *place]
    done = subprocess.run(called, env=os.environ | limits, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def report(results: Mapping[str, Any]) -> str:
    """The table, in Markdown, from all rounds."""
    rows = []
    slowest = statistics.median(one["seconds"] for one in results["rounds"]["scikit-learn"])
    for name, rounds in results["rounds"].items():
        seconds, last = statistics.median(one["seconds"] for one in rounds), rounds[-1]
        rows.append([
            name, f"{seconds:.1f}", f"{last['reviews'] * last['epochs'] / seconds:,.0f}", f"{slowest / seconds:.1f}",
            *(f"{100 * last['scores'][name]:.2f}" for name in ("accuracy", "f1", "auc")),
            f"{max(one['memory'] for one in rounds) / 2**20:,.0f}", len(rounds),
        ])  # fmt: skip
    one = results["rounds"]["manyheads"][-1]
    header = ["", "training, s", "reviews/s", "x scikit-learn", "accuracy", "F1", "AUC", "memory, MiB", "rounds"]
    note = (
        f"{one['reviews']:,} reviews, {one['words']:,} words, {one['epochs']:.0f} epochs. Reading the reviews, finding "
        f"the words and making the tokens took {one['preparing']:.1f} s more, once for all runs of a study."
    )
    return f"{table(header, rows)}\n\n{note}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub", type=Path, help="Take IMDB from here, datasets in the layout of the Hub.")
    parser.add_argument("--reviews", type=int, default=50_000, help="How many to make up.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="More than the cores that are free slow both down.")
    parser.add_argument("--json", type=Path, help="Write all figures to this file.")
    parser.add_argument("--measure", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.folder, options.hub)))
        return
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    dataset = 'name = "imdb"' if options.hub else MADE_UP
    text = STUDY.format(epochs=EPOCHS, width=WIDTH, batch=BATCH, rate=RATE, dataset=dataset)
    for number in range(options.rounds):
        for name, found in rounds.items():
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "study.toml").write_text(text, encoding="utf-8")
                if not options.hub:
                    write_reviews(Path(folder), options.reviews)
                found.append(run(name, Path(folder), options.hub, options.threads))
            print(f"round {number + 1}: {name}, {found[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    results = {"threads": options.threads, "rounds": rounds}
    print(f"{command()}\n\n{report(results)}")
    if options.json:
        write_figures(options.json, results)


if __name__ == "__main__":
    main()
