"""What a study left behind, read back for its analyses: records, answers, data, models."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from manyheads.analyses import RunOf
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.values import GOLD, Encoded, Table
from manyheads.data.batches import stored
from manyheads.results.outline import StudyOutline
from manyheads.results.records import FINISHED, predictions, read_records
from manyheads.results.schema import StudyResults
from manyheads.study.tasks import TaskData
from manyheads.training.device import precision
from manyheads.training.model import MultiTaskModel, open_model
from manyheads.training.prediction import predict

_AGAIN = "Remove the run's folder and run the study again."


class StudyMaterial:
    """The `analyses.Material` of a study.

    :param out: The study's folder.
    :param outline: As `compare.compare` gets it.
    :param results: What `compare.compare` found.
    """

    def __init__(
        self, out: Path, outline: StudyOutline, results: StudyResults, tasks: Mapping[str, TaskData],
        code: Path | None = None,
    ) -> None:  # fmt: skip
        self.out, self.results = out, results
        self.plan: Mapping[str, Any] = asdict(outline)
        self._tasks, self._code = tasks, code
        self._runs = [
            RunOf(one.arm, one.seed, tuple(one.content["data"]), one.path, one.content)
            for one in read_records(out, outline)
            if one.status == FINISHED
        ]
        self._last: tuple[str, MultiTaskModel] | None = None

    def runs(self, arm: str = "", task: str = "") -> list[RunOf]:
        return [run for run in self._runs if arm in ("", run.arm) and (not task or task in run.tasks)]

    def answers(self, run: RunOf, task: str) -> list[dict[str, Any]]:
        path = predictions(self.out, run.path, task)
        data = path.read_bytes()
        _check(path, len(data), hashlib.sha256(data).hexdigest(), run.record["files"].get(f"predictions/{task}.jsonl"))
        return [json.loads(line) for line in data.splitlines()]

    def table(self, task: str, split: Literal["reported", "train"] = "reported") -> Table:
        given = self._tasks[task]
        table = given.train if split == "train" else given.reported
        if table is None:
            raise StudyError([Problem(f"tasks.{task}", "is not scored, and has no reported split")])
        return table

    def labels(self, task: str) -> tuple[str, ...] | None:
        return self._tasks[task].train.labels

    def model(self, run: RunOf) -> MultiTaskModel:
        if self._last is None or self._last[0] != run.path:
            self._last = None  # two at once may not fit into memory
            folder = self.out / run.path / "model"
            for path in sorted(folder.glob("*.safetensors")):
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                _check(path, path.stat().st_size, digest, run.record["files"].get(f"model/{path.name}"))
            self._last = (run.path, open_model(folder, self._code))
        return self._last[1]

    def encoded(self, run: RunOf, task: str, table: Table) -> Sequence[Encoded]:
        model = self.model(run)
        return stored(model.head(task), table, model.tokenizer)

    def predict(self, run: RunOf, task: str, table: Table) -> list[dict[str, Any]]:
        asked = [name for name in table.rows.column_names if name not in GOLD]
        examples = self.encoded(run, task, replace(table, rows=table.rows.select_columns(asked), labelled=False))
        kind = precision(run.record["settings"]["training"]["precision"])
        return predict(self.model(run), {task: examples}, kind)[task]


def _check(path: Path, size: int, digest: str, written: Mapping[str, Any] | None) -> None:
    """Refuse a file that is not the one that the run's record speaks of."""
    if written is None or (size, digest) != (written.get("size"), written.get("sha256")):
        found = f"{size:,} bytes, sha256 {shown(digest[:12])}"
        raise StudyError([Problem(str(path), "has changed since the run wrote it", found, _AGAIN)])
