"""Texts whose important words are known, bags of words trained on them, and a study made of these models."""

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from made_up import study_of

from manyheads.analyses import FinishedRun
from manyheads.core.values import Places, Table
from manyheads.data.batches import TrainingData, encoded, stored
from manyheads.results.run_record import FinishedRecord, Method, RunSettings
from manyheads.training.model import MultiTaskModel, build_model

WORDS = [f"w{at:02}" for at in range(40)]


def planted(seed: int, size: int, swapped: bool = False) -> Table:
    """Texts of words that say nothing, and of three that tell the class: two for it, one against."""
    rng = np.random.default_rng(seed)
    rows = []
    for at in range(size):
        held = rng.random(40) < 0.25
        score = 1.5 * held[3] + 1.5 * held[25] - 2 * held[11] + 0.2 * rng.normal()
        text = " ".join(word for word, one in zip(WORDS, held, strict=True) if one) or "w00"
        rows.append({"id": f"r{at}", "text": text, "label": ("bad", "good")[int((score > 0.3) != swapped)]})
    return Table(datasets.Dataset.from_list(rows), ("bad", "good"))


def bag(tasks: list[str], seed: int, **encoder: Any) -> MultiTaskModel:
    head = {"name": "classification", "settings": {"dropout": 0.0, "max_length": 99}}
    plain = {
        "encoder": {"name": "bag_of_words", "settings": {"width": 8, **encoder}},
        "sharing": {"name": "hard", "settings": {}},
        "tasks": {task: {"head": head, "labels": ["bad", "good"], "columns": []} for task in tasks},
    }
    return build_model(plain, Places(Path()), seed=seed, learned=WORDS)


def trained(tables: dict[str, Table], seed: int, steps: int = 150, **encoder: Any) -> MultiTaskModel:
    model = bag(list(tables), seed, **encoder)
    data = {
        task: TrainingData(task, encoded(model.head(task), table, model.tokenizer), 32, seed)
        for task, table in tables.items()
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(steps):
        losses = model({task: of_task.batch(step) for task, of_task in data.items()})
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


class Models:
    """An `analyses.StudyRuns` with models of the test's own making.

    :param models: (arm, task or "" for all, seed) -> the model.
    """

    def __init__(self, models: dict[tuple[str, str, int], MultiTaskModel], tables: dict[str, Table], **encoder: Any):
        self.models, self.tables = models, tables
        arms = dict.fromkeys(arm for arm, _, _ in models)
        joint = [arm for arm, task, _ in models if not task]
        self.study = study_of({arm: list(tables) for arm in arms}, joint=joint)
        method = Method(**{"name": "bag_of_words", "settings": {}} | encoder)
        self.record = FinishedRecord.model_construct(settings=RunSettings.model_construct(encoder=method))

    def finished(self, arm: str = "", task: str = "") -> list[FinishedRun]:
        made = [
            FinishedRun(name, seed, tuple(self.tables) if not one else (one,), f"{name}/{one}/{seed}", self.record)
            for name, one, seed in self.models
        ]
        return [run for run in made if arm in ("", run.arm) and (not task or task in run.tasks)]

    def model(self, run: FinishedRun) -> MultiTaskModel:
        return self.models[run.arm, run.tasks[0] if self.study.arms[run.arm].alone else "", run.seed]

    def table(self, task: str, split: str = "reported") -> Table:
        return self.tables[task]

    def labels(self, task: str) -> tuple[str, ...] | None:
        return self.tables[task].labels

    def encoded(self, run: FinishedRun, task: str, table: Table) -> Any:
        return stored(self.model(run).head(task), table, self.model(run).tokenizer)
