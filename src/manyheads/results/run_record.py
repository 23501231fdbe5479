"""What a run writes about itself: record.json, the lines of metrics.jsonl, and what it is, kept with each checkpoint.

Writers and readers use these models, and `docs/outputs.md` describes them. Files of older formats are read: see
`formats.py`.
"""

import errno
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from manyheads.core.atomic_files import halted, write_whole
from manyheads.core.printable import private
from manyheads.core.sealed import SEAL, sealed_text
from manyheads.metrics.resampled import KINDS
from manyheads.results.formats import COST_IN_FORMAT_1, FORMAT, in_this_format, renamed, with_added
from manyheads.results.schema import Count, Name, Number, Part, SealedFile, Sha256

RECORD, METRICS = "record.json", "metrics.jsonl"

Kind = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$")]


class _Given(Part):
    """Keys that were not given are not written; unknown ones are kept, so that they are compared."""

    model_config = ConfigDict(extra="allow")

    @model_serializer(mode="wrap")
    def _only_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}


# ---- What a run is ---------------------------------------------------------------------------------------------------


class Method(_Given):
    """A member of a family with every setting.

    :param source: A hash of its file, of a method from a `--code` folder.
    :param learned: A hash of what an encoder took from the training texts before it was built.
    :param weights: SHA-256 of the file that an encoder's weights were read from. Not recorded before format 3.
    """

    name: str
    settings: dict[str, JsonValue]
    source: str | None = None
    learned: str | None = None
    weights: str | None = None


class TaskSettings(_Given):
    """A task as a run trains it: `report` is the split whose scores are reported."""

    dataset: Method
    head: Method
    examples: int
    batch_size: int
    report: str


class RunSettings(_Given):
    """Everything that makes a run what it is. The same settings mean the same run.

    :param models: `joint`, or `one per task` for a run of one task alone, which has no sampling, weighting or sharing.
    """

    seed: int
    models: str
    encoder: Method
    training: dict[str, JsonValue]
    budget: dict[str, JsonValue]
    tasks: dict[Name, TaskSettings]
    sampling: Method | None = None
    weighting: Method | None = None
    sharing: Method | None = None


class Fingerprint(_Given):
    """What else the bits depend on. Runs with the same settings and fingerprint are the same, bit for bit.

    :param versions: Of python and of the packages that compute.
    :param plain: Whether transformers' own modules computed, and not our faster ones.
    """

    versions: dict[str, str]
    threads: int
    device: str
    precision: str
    processor: str
    cores: int | None
    plain: bool = False


class Identity(Part):
    """What a run is and where it was done, kept with each of its checkpoints.

    :param data: Task -> hash of its data.
    """

    format: int = FORMAT
    version: str
    settings: RunSettings
    fingerprint: Fingerprint
    data: dict[str, str]


# ---- record.json -----------------------------------------------------------------------------------------------------


class FileDigest(Part):
    """A file as it was written; `size` in bytes."""

    size: Count
    sha256: Sha256


class RunCost(Part):
    """What a run cost.

    :param examples: Task -> examples trained on; `epochs`, `tokens` and `shares` (of the batches) likewise.
    :param seconds: Phase -> seconds.
    :param peak_memory: Bytes; None where the system does not say.
    :param padding: Tokens computed beside the real ones.
    :param flops: Floating-point operations of the encoder for the real tokens, forward and backward.
    :param peak_flops_per_second: Of this machine's matrix products, at the run's precision and threads.
    """

    steps: Count
    examples: dict[str, Count]
    epochs: dict[str, Number]
    tokens: dict[str, Count]
    shares: dict[str, Number]
    seconds: dict[str, Number]
    parameters: Count
    peak_memory: Count | None
    tokens_per_second: Number
    padding: Count
    flops: Number
    flops_per_second: Number
    peak_flops_per_second: Number


class TaskMetrics(Part):
    """The metrics of a task: metric -> how items become a score, and the split that is reported."""

    headline: str
    kinds: dict[str, Kind]
    split: str | None

    @model_validator(mode="after")
    def _headline_has_a_kind(self) -> Self:
        if self.headline not in self.kinds:
            raise ValueError(f"the headline metric {self.headline} has no kind")
        return self


class DataSummary(Part):
    """A task's data.

    :param train: How many examples; `reported` likewise.
    :param dropped: Reason -> how many rows were left out.
    :param truncated: Word pieces that were cut off, in both splits.
    :param positive: The class that f1 and auc are about; format 2 does not say it, and then it is the last of two.
    :param encoding: Split -> word pieces `truncated`, of how many examples (`examples_cut`), the `pieces` left, the
        share of `unknown` ones among them, and what the head counts.
    """

    dataset: str | None = None
    head: str | None = None
    train: Count | None = None
    reported: Count | None = None
    split: str | None = None
    labels: list[str] | None = None
    positive: str | None = None
    dropped: dict[str, Count] = Field({})
    truncated: Count = 0
    warnings: list[str] = Field([])
    encoding: dict[str, dict[str, JsonValue]] = Field({})
    hash: str | None = None


class RunHeader(SealedFile):
    """record.json, as far as finished and failed runs have the same keys.

    :param format: In which the file was written; read back, older ones speak the words of this one.
    :param notes: What happened on the way, such as where the run was taken up again.
    """

    format: int = FORMAT
    arm: str
    seed: int
    tasks: list[str]
    version: str
    settings: RunSettings
    fingerprint: Fingerprint
    notes: list[str] = Field([])


class FinishedRecord(RunHeader):
    """record.json of a run that finished.

    :param scores: Task -> metric -> score; None if it is undefined.
    :param official: Task -> further figures of its official script.
    :param files: Path below the run's folder -> what was written there.
    """

    status: Literal["finished"] = "finished"
    scores: dict[Name, dict[str, Number | None]]
    metrics: dict[str, TaskMetrics]
    official: dict[str, dict[str, JsonValue]] = Field({})
    data: dict[str, DataSummary]
    files: dict[str, FileDigest] = Field({})
    cost: RunCost

    @model_validator(mode="after")
    def _scores_are_described(self) -> Self:
        for task in self.scores:
            if task not in self.metrics or task not in self.data:
                raise ValueError(f"the task {task} has scores, but no metrics or no data")
        return self


class FailedRecord(RunHeader):
    """record.json of a run that failed; `reason` in one line."""

    status: Literal["failed"] = "failed"
    reason: Annotated[str, Field(min_length=1)]
    traceback: str | None = None


RunRecord = FinishedRecord | FailedRecord


def model_of(content: Mapping[str, JsonValue]) -> type[FinishedRecord] | type[FailedRecord]:
    """Which of the two a record.json should be."""
    return FinishedRecord if content.get("status") == "finished" else FailedRecord


def write_record(folder: Path, record: RunRecord) -> None:
    """Write what became of a run; last of all its files, so that it never speaks of one that is not there.

    :raises HaltedError: If the disk takes no more.
    """
    try:
        write_whole(folder / RECORD, sealed_text(private(record.model_dump(exclude={SEAL}))))
    except OSError as error:
        raise halted(error, error.errno or errno.EIO, folder) from error


def read_record(folder: Path) -> RunRecord:
    """The record of the run in this folder, which is there and whole."""
    content = in_this_format(json.loads((folder / RECORD).read_text("utf-8")))
    return model_of(content).model_validate(content)


def record_hash(folder: Path) -> str:
    """What tells a run's record from any other that is or was in this folder; "" if there is none."""
    try:
        return hashlib.sha256((folder / RECORD).read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""


# ---- metrics.jsonl ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class StepRecord:
    """What one update of the parameters did: a line of metrics.jsonl. A task that it did not train does not appear.

    :param losses: Task -> loss, mean over its batch.
    :param weights: Task -> weight, if the weighting has any to show.
    :param examples: Task -> examples in this step.
    :param tokens: Task -> real (non-padding) tokens in this step.
    :param padding: Tokens computed beside the real ones.
    :param flops: Floating-point operations of the encoder for the real tokens, forward and backward.
    :param seconds: Wall time of the step.
    :param learning_rate: Of the shared parameters, in this step.
    """

    step: int
    losses: dict[str, float]
    weights: dict[str, float]
    examples: dict[str, int]
    tokens: dict[str, int]
    padding: int
    flops: float
    seconds: float
    learning_rate: float

    def line(self) -> str:
        """This step as a line of metrics.jsonl."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: bytes) -> "StepRecord":
        """The step of a line, in whichever format it was written."""
        return _STEP.validate_python(renamed(json.loads(line), COST_IN_FORMAT_1))


_STEP = TypeAdapter(StepRecord)


def comparable(settings: RunSettings, written: int) -> dict[str, JsonValue]:
    """Settings that were written in some format, as this one would have written them.

    Those of a record have ~ in place of the user's folder, and so have these.
    """
    return with_added(private(settings.model_dump()), written)
