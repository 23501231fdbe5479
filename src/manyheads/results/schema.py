"""What results.json holds, field by field: `StudyResults`. `docs/schemas/results.schema.json` is made from it.

Keys that are not named here are let through: a newer version of the same format may have written them.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, computed_field, model_validator

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.sealed import SEAL, seal_of
from manyheads.core.strict_json import too_deep
from manyheads.core.version import __version__

FORMAT = 2
"""Of results.json. Format 1 has no key `format`; `results.reader` translates it."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Integer = Annotated[int, Field(gt=-(2**63), lt=2**63)]
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=False)]
"""A key of an object, which JSON has as text."""
Interval = Annotated[tuple[Number, Number], Field(strict=False)]
"""The low and the high end of a 95 % interval."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Of an arm or a task, as the study file may name it: files are called after them."""
RelativePath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$", max_length=200)
]
"""A file or a folder inside the study's."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Verdict = Literal["helps", "hurts", "no difference", "cannot tell"]
Models = Literal["one per task", "joint"]
Status = Literal["finished", "failed", "missing"]


class Part(BaseModel):
    """A part of a JSON file: a text is no number, and nothing is changed once it is made."""

    model_config = ConfigDict(strict=True, frozen=True)


class SealedFile(Part):
    """A file that holds a hash of all the rest of it, so that a change of a single bit is noticed."""

    @computed_field
    @property
    def seal(self) -> str:
        """A SHA-256 of everything else in the file."""
        return seal_of(self.model_dump(exclude={SEAL}))


class StudyInfo(Part):
    """What was studied."""

    name: str
    question: str
    command: str = Field(description="What does all of it again.")
    baseline: str = Field(description="The arm that the others are compared with.")
    seeds: list[Count]
    settings: dict[str, JsonValue] = Field(description="The whole study, every default written out.")


class TaskResult(Part):
    """A task: its data, and how it was scored."""

    metric: str | None = Field(default=None, description="The headline metric, which claims are made about.")
    metrics: list[str] = Field(default=[], description="All metrics, the headline first.")
    dataset: str | None = None
    head: str | None = None
    split: str | None = Field(default=None, description="The split that scores are reported on.")
    positive: str | None = Field(default=None, description="The class that f1 and auc are about.")
    items: Count | None = Field(default=None, description="Examples of that split.")
    clusters: Count | None = Field(
        default=None, description="Groups of examples that belong together, if there are such."
    )
    train: Count | None = Field(default=None, description="Training examples.")
    truncated: Count = Field(default=0, description="Word pieces cut off, in both splits.")
    dropped: dict[str, Count] = Field(default={}, description="Reason -> how many rows were left out for it.")
    warnings: list[str] = []


class Cost(Part):
    """What an arm cost: means over the seeds that finished; an arm with one model per task is summed over them."""

    steps: Number
    seconds: dict[str, Number] = Field(description="Phase -> seconds.")
    examples: dict[str, Number] = Field(default={}, description="Task -> examples trained on.")
    epochs: dict[str, Number] = Field(default={}, description="Task -> passes over its training data.")
    tokens: dict[str, Number] = Field(default={}, description="Task -> tokens trained on, padding not counted.")
    shares: dict[str, Number] = Field(default={}, description="Task -> its share of the batches, 0 to 1.")
    parameters: Number | None = None
    peak_memory: Number | None = Field(default=None, description="Bytes.")
    tokens_per_second: Number | None = None
    padding: Number = Field(default=0, description="Tokens of padding computed beside the real ones.")
    flops: Number = Field(default=0, description="Floating-point operations of the encoder for the real tokens.")
    flops_per_second: Number = 0
    peak_flops_per_second: Number | None = Field(default=None, description="Of this machine's matrix products.")


class Sweep(Part):
    """The setting that an arm varies, and its value."""

    key: str
    value: bool | Integer | Number | str | list[JsonValue] | dict[str, JsonValue] | None


class RunResult(Part):
    """A planned run and what became of it."""

    seed: Count
    task: str | None = Field(default=None, description="The task, in an arm with one model per task.")
    status: Status = "missing"
    reason: str | None = Field(default=None, description="Why it has no result, if it has none.")
    path: RelativePath


class ArmResult(Part):
    """An arm: what was done, by which runs, at which cost."""

    label: str | None = None
    description: str | None = None
    models: Models = "joint"
    tasks: list[str]
    sweep: Sweep | None = None
    settings: dict[str, JsonValue] = Field(default={}, description="What differs from the study.")
    runs: list[RunResult]
    cost: Cost | None = Field(default=None, description="Null if no seed finished.")


class Score(Part):
    """An arm's score on a task by one metric, a fraction and not a percentage."""

    arm: str
    task: str
    metric: str
    headline: bool
    mean: Number | None = Field(description="Over the seeds with a score.")
    sd: Number | None = Field(description="The standard deviation over seeds; null for one.")
    seeds: dict[Seed, Number | None] = Field(description="Seed -> score; null if it is undefined.")
    interval: Interval | None
    undefined: str | None = Field(description="Why some or all seeds have no score.")


class Comparison(Part):
    """An arm minus the baseline, paired by seed; positive is better."""

    arm: str
    task: str
    metric: str
    headline: bool
    difference: Number | None
    interval: Interval | None
    p: Number | None
    p_holm: Number | None = Field(description="Corrected for all headline comparisons; null for other metrics.")
    verdict: Verdict
    sentence: str
    noise: Number | None = Field(description="Standard deviation of the baseline over seeds.")
    missable: Number | None = Field(
        description="A difference this large could have been missed; null for helps, hurts and one seed."
    )
    seeds_needed: Count | None = Field(
        description="For `cannot tell`: how many would probably do; null if more would not, as the sentence says."
    )
    seeds: Count = Field(description="How many pairs.")


class FailedRun(Part):
    """A run without a result."""

    arm: str
    seed: Count
    task: str | None
    reason: str


class AnalysisText(Part):
    """A paragraph."""

    kind: Literal["text"] = "text"
    text: str


class AnalysisFigure(Part):
    """A figure, which lies in a file of its own."""

    kind: Literal["figure"] = "figure"
    name: Name
    title: str
    alt: str = Field(description="What a person who cannot see it is told.")
    reading: str = Field(description="How to read it.")
    file: RelativePath = Field(description="An SVG in the study's folder.")
    sha256: Sha256 = Field(description="Of the file.")


class TableColumn(Part):
    """A column's title, and how its numbers are shown."""

    title: str
    kind: Literal["", "points", "gain", "share", "chance", "verdict"]


class MarkedText(Part):
    """A text of which the characters from `start` to before `end` are marked."""

    text: str
    start: Count
    end: Count


class AnalysisTable(Part):
    """A table: the rows that the report shows, and where all of them are."""

    kind: Literal["table"] = "table"
    name: Name
    title: str
    folded: bool
    note: str
    csv: RelativePath | None = Field(description="The file with all rows.")
    total: Count = Field(description="How many rows that file has.")
    columns: list[TableColumn]
    rows: list[list[Integer | Number | str | MarkedText | None]]

    @model_validator(mode="after")
    def _as_wide_as_the_columns(self) -> Self:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row is not as wide as the columns")
        return self


class Analysis(Part):
    """What an analysis found, in results.json and in its own finding.json."""

    name: Name
    title: str
    finding: str = Field(description="One sentence.")
    failed: str | None = Field(description="Why it failed, if it did.")
    parts: list[Annotated[AnalysisText | AnalysisTable | AnalysisFigure, Field(discriminator="kind")]]


class StudyOutline(Part):
    """What is known of a study before its runs are looked at: their records fill in the rest of `tasks` and `arms`."""

    format: Literal[2] = FORMAT
    version: str = Field(default=__version__, description="Of manyheads.")
    study: StudyInfo
    tasks: dict[Name, TaskResult]
    arms: dict[Name, ArmResult]


class StudyResults(StudyOutline, SealedFile):
    """results.json: everything that the tables and the report show of a study."""

    answer: str = Field(description="To the study's question, in a sentence or two.")
    scores: list[Score]
    comparisons: list[Comparison]
    failed: list[FailedRun]
    analyses: list[Analysis] = []
    fingerprints: list[dict[str, JsonValue]] = Field(description="Of the machines that ran it, each once.")

    def headline_scores(self) -> dict[tuple[str, str], Score]:
        """(arm, task) -> the score by the task's headline metric."""
        return {(one.arm, one.task): one for one in self.scores if one.headline}

    def headline_comparisons(self) -> dict[tuple[str, str], Comparison]:
        """(arm, task) -> the comparison by the task's headline metric."""
        return {(one.arm, one.task): one for one in self.comparisons if one.headline}

    def label(self, arm: str) -> str:
        """What people call an arm."""
        return self.arms[arm].label or arm


def json_value(value: Any) -> Any:
    """As JSON has it: lists for tuples, null for what is not finite, text for keys, whole characters."""
    if isinstance(value, Mapping):
        return {str(key): json_value(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(part) for part in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return None if isinstance(value, float) and not math.isfinite(value) else value


Model = TypeVar("Model", bound=BaseModel)


def validated(shape: type[Model], value: Any, where: str) -> Model:
    """A value as the model that it should be of.

    :raises StudyError: With everything in which it differs.
    """
    if too_deep(value):
        raise StudyError([Problem(where, "the JSON is nested too deeply")])
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False):
            at = ".".join(str(part) for part in item["loc"]) or "it"
            what = f"{at}: {item['msg'][0].lower()}{item['msg'][1:]}"
            problems.append(Problem(where, what, shown(item["input"])))
        raise StudyError(problems) from error
