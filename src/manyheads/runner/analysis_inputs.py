"""The finished runs of a study, read back from its folder for the analyses: records, predictions, data, models."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from manyheads.analyses import FinishedRun
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.values import Answer, Encoded, Table
from manyheads.data.batches import stored
from manyheads.heads import Head
from manyheads.results.records import AGAIN, CHANGED, FINISHED, Record, damage, predictions
from manyheads.results.run_record import FileDigest
from manyheads.results.schema import StudyResults
from manyheads.study.spec import Study
from manyheads.study.tasks import TaskData, head_of
from manyheads.training.device import precision
from manyheads.training.model import MultiTaskModel, open_model
from manyheads.training.model_files import CARD, FOLDER, LEFT_OUT
from manyheads.training.prediction import predict


class RunsOnDisk:
    """The `analyses.StudyRuns` of a study's folder.

    :param out: The folder.
    :param results: The comparison of the arms.
    :param records: Of all runs of the study, finished or not.
    :param code: The folder of `--code`.
    """

    def __init__(
        self,
        out: Path,
        study: Study,
        tasks: Mapping[str, TaskData],
        results: StudyResults,
        records: Sequence[Record],
        code: Path | None = None,
    ) -> None:
        self.out, self.study, self.results = out, study, results
        self._tasks, self._code = tasks, code
        self._finished = [
            FinishedRun(one.arm, one.seed, tuple(one.result.data), one.path, one.result)
            for one in records
            if one.status == FINISHED
        ]
        self._last: tuple[str, MultiTaskModel] | None = None

    def finished(self, arm: str = "", task: str = "") -> list[FinishedRun]:
        return [run for run in self._finished if arm in ("", run.arm) and (not task or task in run.tasks)]

    def answers(self, run: FinishedRun, task: str) -> list[Answer]:
        path = predictions(self.out, run.path, task)
        data = path.read_bytes()
        _check(path, len(data), hashlib.sha256(data).hexdigest(), run.record.files.get(f"predictions/{task}.jsonl"))
        return [json.loads(line) for line in data.splitlines()]

    def table(self, task: str, split: Literal["reported", "train"] = "reported") -> Table:
        given = self._tasks[task]
        table = given.train if split == "train" else given.reported
        if table is None:
            raise StudyError([Problem(f"tasks.{task}", "is not scored, and has no reported split")])
        return table

    def labels(self, task: str) -> tuple[str, ...] | None:
        return self._tasks[task].train.labels

    def head(self, task: str) -> Head:
        return head_of(self._tasks[task].task, self._tasks[task].train.labels, self._code)

    def model(self, run: FinishedRun) -> MultiTaskModel:
        if self._last is None or self._last[0] != run.path:
            self._last = None  # two at once may not fit into memory
            folder = self.out / run.path / "model"
            own = {name: one for name, one in run.record.files.items() if name.startswith(f"{FOLDER}/")}
            own.pop(f"{FOLDER}/{CARD}", None)
            if (folder / LEFT_OUT).is_file():
                own = {}  # opening it says so
            if found := damage(self.out / run.path, own):
                where = self.out / run.path
                raise StudyError([Problem(str(where / name), what, "", AGAIN) for name, what in found.items()])
            self._last = (run.path, open_model(folder, self._code, verify=not own))
        return self._last[1]

    def encoded(self, run: FinishedRun, task: str, table: Table) -> Sequence[Encoded]:
        model = self.model(run)
        return stored(model.head(task), table, model.tokenizer)

    def predict(self, run: FinishedRun, task: str, table: Table) -> list[Answer]:
        gold = self.model(run).head(task).gold
        asked = [name for name in table.rows.column_names if name not in gold]
        examples = self.encoded(run, task, replace(table, rows=table.rows.select_columns(asked), labelled=False))
        kind = precision(str(run.record.settings.training["precision"]))
        return predict(self.model(run), {task: examples}, kind)[task]


def _check(path: Path, size: int, digest: str, written: FileDigest | None) -> None:
    """Refuse a file that is not the one that the run's record names.

    :param written: What it was when it was written.
    """
    if written is None or (size, digest) != (written.size, written.sha256):
        found = f"{size:,} bytes, sha256 {shown(digest[:12])}"
        raise StudyError([Problem(str(path), CHANGED, found, AGAIN)])
