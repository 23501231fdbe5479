"""The results of a study that never ran: three tasks, a baseline, a joint arm and a sweep, with a failure and a gap.

`results()` is what results.json holds, for a test to change; `study_results()` is the same as read back.
"""

import json
import math
import random
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from manyheads.results.schema import StudyResults

SEEDS = [1, 2, 3]
BASELINE = {("sst2", "accuracy"): 0.913, ("mnli", "accuracy"): 0.842, ("squad", "f1"): 0.881, ("squad", "exact"): 0.809}
HEADLINE = {"sst2": "accuracy", "mnli": "accuracy", "squad": "f1"}
TRAIN = {"sst2": 67_349, "mnli": 392_662, "squad": 87_362}
SWEPT = [0.2, 0.35, 0.5, 0.65, 0.8]
QUESTION = "Do sentiment, inference and question answering help each other when they share an encoder?"
FAILED = ("weighted-0.8", 3)
KEYWORDS = {"one per task", "joint", "finished", "failed", "helps", "hurts", "no difference", "cannot tell"}


def gain(arm: str, task: str) -> float:
    """What an arm truly adds on a task."""
    if arm == "alone":
        return 0.0
    if arm == "joint":
        return {"sst2": 0.011, "mnli": -0.001, "squad": -0.019}[task]
    weight = float(arm.split("-")[1])
    return {"sst2": 0.012 - 0.03 * weight**2, "mnli": 0.002 - 0.02 * weight**3, "squad": -0.03 + 0.036 * weight}[task]


def arms() -> dict[str, dict[str, Any]]:
    shown: dict[str, dict[str, Any]] = {
        "alone": {"label": "one model per task", "models": "one per task", "sweep": None, "settings": {}},
        "joint": {
            "label": "joint, proportional",
            "models": "joint",
            "sweep": None,
            "settings": {"sampling": {"name": "proportional"}},
        },
    }
    for value in SWEPT:
        shown[f"weighted-{value}"] = {
            "label": f"weighted, squad {value}",
            "models": "joint",
            "sweep": {"key": "sampling.weights.squad", "value": value},
            "settings": {
                "sampling": {
                    "name": "weighted",
                    "weights": {"sst2": 0.1, "mnli": round(0.9 - value, 2), "squad": value},
                }
            },
        }
    for arm, about in shown.items():
        about["description"] = "Each task has an encoder of its own." if arm == "alone" else ""
        about["tasks"] = list(HEADLINE)
        models = [(seed, task) for seed in SEEDS for task in (HEADLINE if arm == "alone" else [None])]
        about["runs"] = [run(arm, seed, task) for seed, task in models]
        about["cost"] = cost(arm)
    return shown


def run(arm: str, seed: int, task: str | None) -> dict[str, Any]:
    lost = (arm, seed) == FAILED
    return {
        "seed": seed, "task": task, "status": "failed" if lost else "finished",
        "reason": "the loss of squad became NaN at step 412" if lost else None,
        "path": "/".join(filter(None, [arm, str(seed), task])),
    }  # fmt: skip


def cost(arm: str) -> dict[str, Any]:
    steps = 51_300 if arm == "alone" else 51_296
    weights = {"sst2": 0.123, "mnli": 0.717, "squad": 0.16}
    if arm.startswith("weighted"):
        squad = float(arm.split("-")[1])
        weights = {"sst2": 0.1, "mnli": 0.9 - squad, "squad": squad}
    examples = {task: round(32 * steps * weight) for task, weight in weights.items()}
    return {
        "steps": steps,
        "examples": examples,
        "epochs": {task: n / TRAIN[task] for task, n in examples.items()},
        "tokens": {task: n * {"sst2": 24, "mnli": 39, "squad": 167}[task] for task, n in examples.items()},
        "shares": weights,
        "seconds": {"setup": 14.2, "train": 7_812.4 if arm == "alone" else 7_655.0, "evaluate": 121.9},
        "parameters": 331_000_000 if arm == "alone" else 110_500_000,
        "peak_memory": 9_812_344_832,
        "tokens_per_second": 21_904.3,
    }


def scores() -> list[dict[str, Any]]:
    rng, entries = random.Random(7), []
    for arm in arms():
        for (task, metric), start in BASELINE.items():
            values = {
                str(seed): start + gain(arm, task) + rng.gauss(0, 0.0025) for seed in SEEDS if (arm, seed) != FAILED
            }
            entries.append(score(arm, task, metric, values))
        entries.append(score(arm, "sst2", "matthews", {str(seed): 0.826 + rng.gauss(0, 0.004) for seed in SEEDS}))
    entries[-1] |= {"mean": None, "sd": None, "interval": None, "undefined": "every prediction is the same class"}
    entries[-1]["seeds"] = {"1": None, "2": None}
    return entries


def score(arm: str, task: str, metric: str, values: dict[str, float]) -> dict[str, Any]:
    mean = sum(values.values()) / len(values)
    sd = math.sqrt(sum((value - mean) ** 2 for value in values.values()) / (len(values) - 1))
    return {
        "arm": arm, "task": task, "metric": metric, "headline": HEADLINE[task] == metric, "mean": mean, "seeds": values,
        "sd": sd, "interval": [mean - 0.006, mean + 0.0055], "undefined": None,
    }  # fmt: skip


def comparisons(scored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    base = {(entry["task"], entry["metric"]): entry for entry in scored if entry["arm"] == "alone"}
    return [
        comparison(entry, base[entry["task"], entry["metric"]])
        for entry in scored
        if entry["arm"] != "alone" and entry["mean"] is not None
    ]


def comparison(entry: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    difference, half = entry["mean"] - base["mean"], 0.0052
    p = min(1.0, math.erfc(abs(difference) / half * 1.96 / math.sqrt(2)))
    sure = (6 * p if entry["headline"] else p) < 0.05
    unsure = "cannot tell" if abs(difference) > 0.0035 else "no difference"
    verdict = ("helps" if difference > 0 else "hurts") if sure else unsure
    return {
        "arm": entry["arm"], "task": entry["task"], "metric": entry["metric"], "headline": entry["headline"],
        "difference": difference, "interval": [difference - half, difference + half], "p": p,
        "p_holm": min(1.0, 6 * p) if entry["headline"] else None, "verdict": verdict,
        "sentence": f"{entry['arm']} on {entry['task']}: {verdict} ({100 * difference:+.1f} points).",
        "noise": base["sd"], "missable": 0.0071, "seeds_needed": 7 if verdict == "cannot tell" else None,
        "seeds": len(entry["seeds"]),
    }  # fmt: skip


def tasks() -> dict[str, dict[str, Any]]:
    about = {
        "sst2": ("classification", "glue, sst2", ["accuracy", "matthews"], 872, None, {}, 0),
        "mnli": ("classification", "glue, mnli", ["accuracy"], 9_815, None, {"no gold label (-)": 185}, 42),
        "squad": ("span", "squad", ["f1", "exact"], 10_570, 2_067, {"the answer is not at its offset": 227}, 1_204),
    }
    warnings = {"sst2": ["train.tsv: 412 texts hold markup such as <br /><br />; it is kept as text."], "squad": []}
    return {
        task: {
            "head": head, "dataset": dataset, "metric": HEADLINE[task], "metrics": metrics, "split": "validation",
            "items": items, "clusters": clusters, "train": TRAIN[task], "dropped": dropped, "truncated": truncated,
            "warnings": warnings.get(task, []),
        }
        for task, (head, dataset, metrics, items, clusters, dropped, truncated) in about.items()
    }  # fmt: skip


def results() -> dict[str, Any]:
    scored = scores()
    return {
        "format": 2,
        "version": "0.1.0",
        "study": {
            "name": "three_tasks",
            "question": QUESTION,
            "command": "manyheads run studies/three_tasks.toml --data ../shared/hub",
            "baseline": "alone",
            "seeds": SEEDS,
            "settings": {
                "question": QUESTION,
                "seeds": SEEDS,
                "baseline": "alone",
                "budget": {"epochs": 3},
                "encoder": {"name": "pretrained", "model": "bert-base-uncased", "dropout": 0.1},
                "training": {
                    "batch_size": 32,
                    "learning_rate": 3e-05,
                    "optimizer": {"name": "adamw", "weight_decay": 0.01},
                    "warmup": 0.1,
                },
                "tasks": {
                    task: {"dataset": {"name": about["dataset"]}, "head": {"name": about["head"]}}
                    for task, about in tasks().items()
                },
                "arms": {arm: {"models": about["models"], **about["settings"]} for arm, about in arms().items()},
            },
        },
        "answer": "Partly. Sharing one encoder helps sst2 by 0.9 points, leaves mnli as it is and costs squad 2.1 "
        "points of F1; giving squad four fifths of the batches wins that back and loses the gain on sst2.",
        "tasks": tasks(),
        "arms": arms(),
        "scores": scored,
        "comparisons": comparisons(scored),
        "failed": [
            {"arm": FAILED[0], "seed": FAILED[1], "task": None, "reason": "the loss of squad became NaN at step 412"}
        ],
        "fingerprints": [
            {
                "versions": {"python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0", "manyheads": "0.1.0"},
                "threads": 2,
                "device": "cpu",
                "precision": "float32",
                "processor": "Intel Xeon 2.60 GHz",
            }
        ],
    }


def study_results(given: dict[str, Any] | None = None) -> StudyResults:
    """The results as read back, of what a test made of them."""
    return StudyResults.model_validate(results() if given is None else given)


def write_metrics(out: Path, steps: int = 900) -> None:
    """Write the metrics.jsonl of every run: one model per task for the baseline, one per seed for the other arms."""
    for arm, about in arms().items():
        for seed in SEEDS:
            rng = random.Random(f"{arm}{seed}")
            shares = cost(arm)["shares"]
            for folder in shares if arm == "alone" else [""]:
                path = out / arm / str(seed) / folder / "metrics.jsonl"
                path.parent.mkdir(parents=True, exist_ok=True)
                own = {folder: 1.0} if folder else shares
                count = round(steps * shares[folder]) if folder else steps
                path.write_text("".join(json.dumps(line) + "\n" for line in lines(own, rng, count, about["models"])))


def lines(shares: dict[str, float], rng: random.Random, steps: int, models: str) -> list[dict[str, Any]]:
    seen, made = dict.fromkeys(shares, 0), []
    for step in range(steps):
        task = rng.choices(list(shares), list(shares.values()))[0]
        seen[task] += 1
        start, floor = {"sst2": (0.69, 0.12), "mnli": (1.1, 0.4), "squad": (4.6, 0.9)}[task]
        floor += 0.06 if models == "joint" else 0
        loss = (floor + (start - floor) * math.exp(-seen[task] / 40)) * rng.uniform(0.8, 1.2)
        made.append({
            "step": step, "losses": {task: loss}, "weights": {}, "examples": {task: 32}, "tokens": {task: 32 * 40},
            "padding": 0, "flops": 1e9, "seconds": 0.15, "learning_rate": 3e-5,
        })  # fmt: skip
    return made


def hostile(value: Any, mark: str = "<script>alert('x')</script>\"&") -> Any:
    """The same results with `mark` at the end of every text and every name that data can bring in, throughout alike.

    Names of arms and tasks could not be so in results that were read: the page must not rely on it.
    """
    known = {key for key in _keys(results()) if key not in {*arms(), *tasks()}} | KEYWORDS
    return _marked(value, mark, known)


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for part in value.values() for key in _keys(part)}
    return {key for part in value for key in _keys(part)} if isinstance(value, list) else set()


def _marked(value: Any, mark: str, known: set[str]) -> Any:
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _marked(part, mark, known) for name, part in value})
    if isinstance(value, str):
        return value if value in known else value + mark
    if isinstance(value, dict):
        return {_marked(key, mark, known): _marked(part, mark, known) for key, part in value.items()}
    return [_marked(part, mark, known) for part in value] if isinstance(value, list) else value
