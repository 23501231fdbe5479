"""The shape of the JSON files that a study leaves behind, as `docs/outputs.md` has it, to read them back safely.

Keys that are not named here are let through: a newer version may have written them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from manyheads.core.problems import Problem, shown
from manyheads.core.strict_json import too_deep
from manyheads.metrics.resampled import KINDS

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Interval = Annotated[list[Number], Field(min_length=2, max_length=2)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Of an arm or a task, as `study_checks.NAME` has it: files are called after them."""
Place = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$", max_length=200)]
"""A folder in the study's own."""
Kind = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$")]
Verdict = Literal["helps", "hurts", "no difference", "cannot tell"]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Study(_Part):
    name: str
    question: str
    command: str
    baseline: str
    seeds: list[Count]
    settings: dict[str, Any]


class _Task(_Part):
    metric: str | None
    metrics: list[str]
    dataset: str | None
    head: str | None
    split: str | None
    items: Count | None
    clusters: Count | None
    train: Count | None
    truncated: Count
    dropped: dict[str, Count]
    warnings: list[str]


class _Cost(_Part):
    steps: Number
    seconds: dict[str, Number]
    examples: dict[str, Number] = {}
    epochs: dict[str, Number] = {}
    tokens: dict[str, Number] = {}
    shares: dict[str, Number] = {}
    parameters: Number | None = None
    peak_memory: Number | None = None
    tokens_per_second: Number | None = None
    padding: Number = 0
    flops_per_second: Number = 0
    peak_flops_per_second: Number | None = None


class _Sweep(_Part):
    key: str
    value: bool | Number | str | list[Any] | dict[str, Any] | None


class _Run(_Part):
    seed: Count
    task: str | None
    status: Literal["finished", "failed", "missing"]
    reason: str | None
    path: Place


class _Arm(_Part):
    label: str | None = None
    description: str | None = None
    models: str
    tasks: list[str]
    sweep: _Sweep | None = None
    settings: dict[str, Any]
    runs: list[_Run]
    cost: Annotated[dict[str, Any], Field(max_length=0)] | _Cost


class _Score(_Part):
    arm: str
    task: str
    metric: str
    headline: bool
    mean: Number | None
    sd: Number | None
    seeds: dict[str, Number | None]
    interval: Interval | None
    undefined: str | None


class Comparison(_Part):
    """An arm minus the baseline on a task; positive is better."""

    arm: str
    task: str
    metric: str
    headline: bool
    difference: Number | None
    interval: Interval | None
    p: Number | None
    p_holm: Number | None
    verdict: Verdict
    sentence: str
    noise: Number | None
    missable: Number | None
    seeds_needed: Count | None
    seeds: Count


class _Failed(_Part):
    arm: str
    seed: Count
    task: str | None
    reason: str


class AnalysisText(_Part):
    """A paragraph."""

    kind: Literal["text"]
    text: str


class AnalysisFigure(_Part):
    """A figure: an SVG file in the study's folder."""

    kind: Literal["figure"]
    name: Name
    title: str
    alt: str
    reading: str
    file: Place
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TableColumn(_Part):
    """A column's title, and how its numbers are shown."""

    title: str
    kind: Literal["", "points", "gain", "share", "chance", "verdict"]


class MarkedText(_Part):
    """A text of which the characters from `start` to before `end` are highlighted."""

    text: str
    start: Count
    end: Count


Whole = Annotated[int, Field(gt=-(2**63), lt=2**63)]


class AnalysisTable(_Part):
    """A table: the rows that the report shows, and where all of them are."""

    kind: Literal["table"]
    name: Name
    title: str
    folded: bool
    note: str
    csv: Place | None
    total: Count
    columns: list[TableColumn]
    rows: list[list[Whole | Number | str | MarkedText | None]]

    @model_validator(mode="after")
    def _wide(self) -> Self:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row is not as wide as the columns")
        return self


class Analysis(_Part):
    """What an analysis found, in results.json and in its own finding.json."""

    name: Name
    title: str
    finding: str
    failed: str | None
    parts: list[Annotated[AnalysisText | AnalysisTable | AnalysisFigure, Field(discriminator="kind")]]


class Results(_Part):
    """results.json."""

    version: str
    study: _Study
    answer: str
    tasks: dict[Name, _Task]
    arms: dict[Name, _Arm]
    scores: list[_Score]
    comparisons: list[Comparison]
    failed: list[_Failed]
    analyses: list[Analysis] = []
    fingerprint: dict[str, Any] | list[dict[str, Any]]


class _RecordCost(_Part):
    steps: Number
    examples: dict[str, Number]
    epochs: dict[str, Number]
    tokens: dict[str, Number]
    shares: dict[str, Number]
    seconds: dict[str, Number]
    parameters: Number
    peak_memory: Number
    tokens_per_second: Number
    padding: Number
    flops: Number
    flops_per_second: Number
    peak_flops_per_second: Number


class _Scored(_Part):
    headline: str
    kinds: dict[str, Kind]
    split: str | None


class _Data(_Part):
    dataset: str | None = None
    train: Count | None = None
    truncated: Count = 0
    dropped: dict[str, Count] = {}
    warnings: list[Any] = []


class Record(_Part):
    """record.json of a run that finished."""

    settings: dict[str, Any]
    scores: dict[Name, dict[str, Number | None]]
    metrics: dict[str, _Scored]
    data: dict[str, _Data]
    cost: _RecordCost

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for task in self.scores:
            if task not in self.metrics or task not in self.data:
                raise ValueError(f"the task {task} has scores, but no metrics or no data")
            if self.metrics[task].headline not in self.metrics[task].kinds:
                raise ValueError(f"the headline metric of {task} has no kind")
        return self


def unlike(shape: type[BaseModel], value: Any, where: str) -> Iterator[Problem]:
    """How a value differs from a shape."""
    if too_deep(value):
        yield Problem(where, "the JSON is nested too deeply")
        return
    try:
        shape.model_validate(value)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            at = ".".join(str(part) for part in item["loc"]) or "it"
            yield Problem(where, f"{at}: {item['msg'][0].lower()}{item['msg'][1:]}", shown(item["input"]))
