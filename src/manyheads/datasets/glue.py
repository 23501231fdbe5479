"""GLUE: nine tasks on one or two sentences, and its diagnostic set.

Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language Understanding", ICLR 2019,
https://arxiv.org/abs/1804.07461.
"""

from typing import ClassVar, Literal

from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import TRAIN, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import load, text_table

HUB = "nyu-mll/glue"
TEXTS = {
    "cola": ("sentence",),
    "sst2": ("sentence",),
    "mrpc": ("sentence1", "sentence2"),
    "qqp": ("question1", "question2"),
    "stsb": ("sentence1", "sentence2"),
    "mnli": ("premise", "hypothesis"),
    "qnli": ("question", "sentence"),
    "rte": ("sentence1", "sentence2"),
    "wnli": ("sentence1", "sentence2"),
    "ax": ("premise", "hypothesis"),
}


class Glue(Dataset):
    """One task of GLUE, read from https://huggingface.co/datasets/nyu-mll/glue or a mirror of it.

    Licence: each task has its own, and several state none (MRPC: non-commercial); see the card. Test splits carry no
    labels, but for mrpc; `ax` is a test split only. `stsb` is a regression from 0 to 5, all others are classifications.
    Ids are `<split>-<row>`.

    :param subset: The task.
    :param mismatched: For mnli, validate and test on genres that train does not have.
    :raises StudyError: If it is not found, or rows have no label where they must.
    """

    positive_is_last: ClassVar[bool] = True

    def __init__(
        self,
        places: Places,
        *,
        subset: Literal["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli", "ax"] = "sst2",
        mismatched: bool = False,
    ) -> None:
        super().__init__(places)
        if mismatched and subset != "mnli":
            raise StudyError([Problem("glue: mismatched", "only mnli has mismatched splits", subset, "Remove it.")])
        self.subset = subset
        self.mismatched = mismatched

    def read(self, split: str) -> Table | None:
        name = split
        if self.subset == "mnli" and split != TRAIN:
            name = f"{split}_{'mismatched' if self.mismatched else 'matched'}"
        data = load(self.places, HUB, self.subset, name)
        if data is None:
            return None
        scale = (0.0, 5.0) if self.subset == "stsb" else None
        return text_table(data, f"{HUB} {self.subset} {name}", split, TEXTS[self.subset], scale=scale)
