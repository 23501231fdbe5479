"""A model, data and a loop small enough for tests: two tasks on the tiny encoder."""

from pathlib import Path
from typing import Any

import torch

from manyheads import registry
from manyheads.core.values import Places
from manyheads.data.batches import TrainingData, encoded
from manyheads.datasets.small_world import SmallWorld
from manyheads.results.run_record import StepRecord
from manyheads.study.spec import SGD, Adamax, AdamW, TrainingSettings
from manyheads.study.steps import Layout
from manyheads.training.loop import train
from manyheads.training.model import MultiTaskModel, build_model
from manyheads.training.optimizer import optimizer_for

OPTIMIZERS = {"adamw": AdamW, "adamax": Adamax, "sgd": SGD}
HEADS = {
    "food": ("food_sentiment", "classification", {"max_length": 48, "dropout": 0.0}, ["negative", "positive"]),
    "film": ("film_sentiment", "classification", {"max_length": 48, "dropout": 0.0}, ["negative", "positive"]),
    "asked": ("questions", "span", {"max_length": 96, "stride": 24, "max_question": 24}, None),
}


class World:
    """Builds the same model and data again and again.

    :param tiny: The folder of the tiny encoder.
    """

    def __init__(self, tiny: Path, tasks: tuple[str, ...] = ("food", "film"), *, dropout: float = 0.0, **sharing: Any):
        self.tiny, self.tasks, self.dropout = tiny, tasks, dropout
        self.sharing = sharing or {"name": "hard", "settings": {}}
        self.tables = {
            task: SmallWorld(Places(tiny), subset=HEADS[task][0], size=40).read("train")
            for task in tasks  # type: ignore
        }

    def model(self, seed: int = 1) -> MultiTaskModel:
        encoder = {"name": "pretrained", "settings": {"model": str(self.tiny), "dropout": self.dropout}}
        tasks = {
            task: {"head": {"name": HEADS[task][1], "settings": HEADS[task][2]}, "labels": HEADS[task][3]}
            for task in self.tasks
        }
        specification = {"encoder": encoder, "sharing": self.sharing, "tasks": tasks}
        return build_model(specification, Places(self.tiny), seed=seed)

    def data(self, model: MultiTaskModel, seed: int = 1, batch_size: int = 8) -> dict[str, TrainingData]:
        return {
            task: TrainingData(task, encoded(model.head(task), table, model.tokenizer), batch_size, seed)
            for task, table in self.tables.items()
        }

    def trained(
        self,
        steps: list[tuple[str, ...]],
        *,
        weighting: str = "fixed",
        optimizer: str = "sgd",
        learning_rate: float = 0.1,
        changes: Any = None,
        seed: int = 1,
        **settings: Any,
    ) -> tuple[MultiTaskModel, list[StepRecord]]:
        """Train along `steps` and return the model and its records."""
        model = self.model(seed)
        method: Any = registry.load("weighting", weighting)(list(self.tasks))
        rule = optimizer_for(model, method, OPTIMIZERS[optimizer](weight_decay=0.0), learning_rate)
        loop = train(
            model, self.data(model, seed), Layout(steps, changes or {}), method, rule,
            seed=seed, settings=TrainingSettings(**{"clip": 0.0, **settings}),
        )  # fmt: skip
        return model, list(loop)


def weights_of(model: MultiTaskModel, task: str = "food") -> dict[str, torch.Tensor]:
    """The encoder's weights and those of one head."""
    return {name: value for name, value in model.state_dict().items() if "_heads" not in name or f".{task}:." in name}
