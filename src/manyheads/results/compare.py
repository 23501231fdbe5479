"""Records become differences: every arm against the baseline, with intervals, tests and verdicts, in results.json."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from manyheads.core.atomic_files import write_whole
from manyheads.core.problems import StudyError
from manyheads.core.values import TRAIN, Measure
from manyheads.metrics.resampled import undefined
from manyheads.results.intervals import Spread, holm, resample, spread
from manyheads.results.reader import RESULTS
from manyheads.results.records import FINISHED, Record, cost, differences, predictions, read_answers, read_records
from manyheads.results.run_record import DataSummary
from manyheads.results.schema import (
    ArmResult,
    Comparison,
    FailedRun,
    RunResult,
    Score,
    StudyOutline,
    StudyResults,
    TaskResult,
    json_value,
)
from manyheads.results.verdicts import CANNOT_TELL, HELPS, HURTS, answer, judge, seeds_needed, sentence

MARGIN = 0.01
RESAMPLES = 10_000
_AGREE = 1e-6  # records hold the scores as well; they must be those of the answers


@dataclass(frozen=True)
class Scored:
    """One task's scores, on its test set and on the resamples of it that all arms and seeds share.

    :param headline: The metric that claims are made about.
    :param scores: (metric, arm, seed) -> score; nan if undefined.
    :param resampled: (metric, arm, seed) -> [resamples].
    :param reasons: (metric, arm, seed) -> why the score is undefined.
    :param units: How many clusters, or else items.
    """

    task: str
    headline: str
    metrics: Sequence[str]
    items: int
    clusters: int | None
    scores: Mapping[tuple[str, str, int], float]
    resampled: Mapping[tuple[str, str, int], np.ndarray]
    reasons: Mapping[tuple[str, str, int], str]
    warnings: Sequence[str]

    @property
    def units(self) -> int:
        return self.clusters or self.items

    def seeds(self, metric: str, arm: str) -> list[int]:
        """The seeds of an arm that finished, whether the score is defined or not."""
        return [seed for name, other, seed in self.scores if (name, other) == (metric, arm)]

    def defined(self, metric: str, arm: str) -> list[int]:
        return [seed for seed in self.seeds(metric, arm) if math.isfinite(self.scores[metric, arm, seed])]

    def columns(self, metric: str, arm: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """[k] scores and [resamples, k]."""
        keys = [(metric, arm, seed) for seed in seeds]
        return np.array([self.scores[key] for key in keys]), np.stack([self.resampled[key] for key in keys], axis=1)


def compare(out: Path, study: StudyOutline, *, margin: float = MARGIN, resamples: int = RESAMPLES) -> StudyResults:
    """Compare the runs of a study and write `results.json`. Runs without a record, or that failed, are shown as such.

    :param margin: A difference is called none if nothing larger than this could have been missed.
    :raises StudyError: If two runs were not scored on the same items, or predictions are not as they were written.
    """
    results = compared(out, study, margin=margin, resamples=resamples)
    write_results(out, results)
    return results


def compared(out: Path, study: StudyOutline, *, margin: float = MARGIN, resamples: int = RESAMPLES) -> StudyResults:
    """The same, and nothing is written."""
    found = read_records(out, study)
    scored = {task: _scored(out, task, found, resamples) for task in study.tasks}
    comparisons = _comparisons(study, scored, margin)
    lost = [run for run in found if run.status != FINISHED]
    tasks = {task: _task_result(task, about, scored[task], found) for task, about in study.tasks.items()}
    on_train = [task for task, about in tasks.items() if about.split == TRAIN]
    return StudyResults(
        version=study.version,
        study=study.study,
        tasks=tasks,
        arms={name: _arm_result(arm, [run for run in found if run.arm == name]) for name, arm in study.arms.items()},
        answer=answer(study.study.question, comparisons, on_train),
        scores=[
            _score(of_task, name, metric)
            for of_task in scored.values()
            for name, arm in study.arms.items()
            if of_task and of_task.task in arm.tasks
            for metric in of_task.metrics
        ],
        comparisons=comparisons,
        failed=[FailedRun(arm=run.arm, seed=run.seed, task=run.task, reason=json_value(run.reason)) for run in lost],
        fingerprints=_fingerprints(found),
    )


def write_results(out: Path, results: StudyResults) -> None:
    """Write `results.json`, whole or not at all."""
    content = results.model_dump(mode="json")
    write_whole(out / RESULTS, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


# ---- from records to scores ------------------------------------------------------------------------------------------


def _scored(out: Path, task: str, found: Sequence[Record], resamples: int) -> Scored | None:
    """None if no run of the task finished."""
    runs = [run for run in found if run.status == FINISHED and task in run.result.scores]
    if not runs:
        return None
    about = runs[0].result.metrics[task]
    answers = [
        read_answers(predictions(out, run.path, task), run.result.files.get(f"predictions/{task}.jsonl"))
        for run in runs
    ]
    problems = differences(answers)
    if problems:
        raise StudyError(problems)
    measures: dict[tuple[str, str, int], Measure] = {}
    for metric, kind in about.kinds.items():
        for run, of_run in zip(runs, answers, strict=True):
            measures[metric, run.arm, run.seed] = Measure(kind, of_run.items.get(metric, np.empty((0, 1))))
    reasons = {key: reason for key, measure in measures.items() if (reason := undefined(measure))}
    usable = {
        key: measure for key, measure in measures.items() if len(measure.items) and np.isfinite(measure.items).all()
    }
    groups = None
    if answers[0].clusters is not None:
        groups = np.unique(np.array(answers[0].clusters), return_inverse=True)[1]
    points, resampled = (
        resample(list(usable.values()), groups, resamples=resamples) if usable else ((), np.empty((0, 0)))
    )
    headline = about.headline
    scores = dict.fromkeys(measures, math.nan) | dict(zip(usable, map(float, points), strict=True))
    return Scored(
        task,
        headline,
        [headline, *(metric for metric in about.kinds if metric != headline)],
        len(answers[0].ids),
        None if groups is None else int(groups.max()) + 1,
        scores,
        dict(zip(usable, resampled.T, strict=True)),
        reasons,
        _disagreements(task, runs, scores),
    )


def _disagreements(task: str, runs: Sequence[Record], scores: Mapping[tuple[str, str, int], float]) -> list[str]:
    texts = []
    for run in runs:
        for metric in run.result.metrics[task].kinds:
            value, own = run.result.scores[task].get(metric), scores[metric, run.arm, run.seed]
            if (value is None) != math.isnan(own) or (value is not None and abs(value - own) > _AGREE):
                texts.append(
                    f"{run.path}: {metric} is {value} by its record and {own} by its predictions; the latter is shown"
                )
    return texts


def _score(of_task: Scored, arm: str, metric: str) -> Score:
    seeds, defined = of_task.seeds(metric, arm), of_task.defined(metric, arm)
    values = [of_task.scores[metric, arm, seed] for seed in defined]
    known = spread(*of_task.columns(metric, arm, defined), of_task.units) if defined else None
    lost = [
        f"seed {seed}: {of_task.reasons.get((metric, arm, seed), 'undefined')}" for seed in seeds if seed not in defined
    ]
    if not seeds:
        lost = ["no run finished"]
    return Score(
        arm=arm,
        task=of_task.task,
        metric=metric,
        headline=metric == of_task.headline,
        mean=statistics.fmean(values) if values else None,
        sd=statistics.stdev(values) if len(values) > 1 else None,
        seeds={seed: of_task.scores[metric, arm, seed] if seed in defined else None for seed in seeds},
        interval=known.interval() if known else None,
        undefined="; ".join(lost) or None,
    )


# ---- from scores to comparisons --------------------------------------------------------------------------------------


def _comparisons(study: StudyOutline, scored: Mapping[str, Scored | None], margin: float) -> list[Comparison]:
    baseline = study.study.baseline
    cells = [
        (of_task, name, metric)
        for of_task in scored.values()
        for name, arm in study.arms.items()
        if of_task and name != baseline and of_task.task in arm.tasks and of_task.task in study.arms[baseline].tasks
        for metric in of_task.metrics
    ]
    spreads = [_difference(of_task, arm, baseline, metric) for of_task, arm, metric in cells]
    p = [known.p() if known else None for known in spreads]
    claimed = [metric == of_task.headline for of_task, _, metric in cells]
    corrected = holm([value if claim else None for value, claim in zip(p, claimed, strict=True)])
    claims = sum(value is not None for value in corrected)
    entries = []
    for (of_task, arm, metric), known, value, adjusted, claim in zip(
        cells, spreads, p, corrected, claimed, strict=True
    ):
        verdict = judge(known, adjusted if claim else value, margin)
        missable = known.missable() if known and known.seeds > 1 and verdict not in (HELPS, HURTS) else None
        entry = Comparison(
            arm=arm,
            task=of_task.task,
            metric=metric,
            headline=claim,
            difference=known.value if known else None,
            interval=known.interval() if known else None,
            p=value,
            p_holm=adjusted,
            verdict=verdict,
            sentence="",
            noise=_score(of_task, baseline, metric).sd,
            missable=missable if missable is not None and math.isfinite(missable) else None,
            seeds_needed=seeds_needed(known, claims if claim else 1) if verdict == CANNOT_TELL else None,
            seeds=len(_pairs(of_task, arm, baseline, metric)),
        )
        told = sentence(entry, baseline, known, _why_not(of_task, arm, baseline, metric))
        entries.append(entry.model_copy(update={"sentence": told}))
    return entries


def _pairs(of_task: Scored, arm: str, baseline: str, metric: str) -> list[int]:
    others = of_task.defined(metric, baseline)
    return [seed for seed in of_task.defined(metric, arm) if seed in others]


def _difference(of_task: Scored, arm: str, baseline: str, metric: str) -> Spread | None:
    """Arm minus baseline, seed by seed, both on the same resamples of the items."""
    seeds = _pairs(of_task, arm, baseline, metric)
    if not seeds:
        return None
    mine, mine_resampled = of_task.columns(metric, arm, seeds)
    its, its_resampled = of_task.columns(metric, baseline, seeds)
    return spread(mine - its, mine_resampled - its_resampled, of_task.units)


def _why_not(of_task: Scored, arm: str, baseline: str, metric: str) -> str:
    """Why a comparison has no interval, in case it has none."""
    for name in (arm, baseline):
        if not of_task.seeds(metric, name):
            return f"no run of {name} finished"
        if not of_task.defined(metric, name):
            return f"{metric} is undefined in every run of {name}"
    if not _pairs(of_task, arm, baseline, metric):
        return "no seed has a score in both"
    return f"{metric} is undefined in too many resamples of the test set"


# ---- what else the report shows --------------------------------------------------------------------------------------


def _task_result(task: str, known: TaskResult, of_task: Scored | None, found: Sequence[Record]) -> TaskResult:
    if of_task is None:
        return known
    runs = [run.result for run in found if run.status == FINISHED and task in run.result.data]
    data = runs[0].data[task]
    warnings = [warning for run in runs for warning in run.data[task].warnings]
    seen = {
        "metric": of_task.headline,
        "metrics": list(of_task.metrics),
        "dataset": known.dataset or data.dataset,
        "split": runs[0].metrics[task].split,
        "items": of_task.items,
        "clusters": of_task.clusters,
        "warnings": json_value(list(dict.fromkeys([*warnings, *_out_of_reach(data), *of_task.warnings]))),
        **{key: getattr(data, key) for key in ("train", "truncated", "dropped", "positive")},
    }
    return TaskResult.model_validate(known.model_dump() | seen)


def _out_of_reach(data: DataSummary) -> list[str]:
    """A warning if no model could answer every question rightly, whatever it had learned."""
    share = data.encoding.get("reported", {}).get("answerable")
    if not isinstance(share, float) or share >= 1:
        return []
    rest = "the gold answers of the others are longer than max_answer, or whole in no window"
    return [f"{100 * share:.1f} % of the questions can be answered rightly at all: {rest}"]


def _arm_result(arm: ArmResult, runs: Sequence[Record]) -> ArmResult:
    ran = [
        RunResult(seed=run.seed, task=run.task, status=run.status, reason=json_value(run.reason), path=run.path)
        for run in runs
    ]
    return arm.model_copy(update={"runs": ran, "cost": cost(runs)})


def _fingerprints(found: Sequence[Record]) -> list[dict[str, JsonValue]]:
    distinct = []
    for run in found:
        fingerprint = run.content.fingerprint.model_dump() if run.content else None
        if fingerprint and fingerprint not in distinct:
            distinct.append(fingerprint)
    return json_value(distinct)
