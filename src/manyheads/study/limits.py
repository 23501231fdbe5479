"""How large a study may be: what is more is refused before anything is laid out, with the number and the limit.

A run keeps a record of each step in memory, and an epoch of a schedule is laid out whole: five million steps are some
gigabytes, and at ten steps a second six days.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from manyheads.core.problems import Problem, StudyError, counted
from manyheads.study.spec import MOST_STEPS, Arm, Study
from manyheads.study.steps import extent, of_arm, sampling_of

MOST_RUNS = 10_000
MOST_SCORES = 100_000
"""Of all runs together: a score for each task of a run."""
MOST_ENCODERS = 100
"""Different ones, settings included. Each is opened for the plan, and has tokens of its own."""


def run_problems(arms: Mapping[str, Arm], seeds: int) -> list[Problem]:
    """What is wrong with how many runs a study has. Known before any data is read."""
    runs = seeds * sum(len(arm.tasks) if arm.alone else 1 for arm in arms.values())
    scores = seeds * sum(len(arm.tasks) for arm in arms.values())
    what, remedy = f"a study has at most {MOST_RUNS:,} runs", "Use fewer of them, or several studies."
    if runs > MOST_RUNS:
        found = f"{runs:,} of {counted(len(arms), 'arm')} and {counted(seeds, 'seed')}"
        return [Problem("seeds", what, found, remedy)]
    if scores > MOST_SCORES:
        what = f"a study trains at most {MOST_SCORES:,} tasks in all its runs"
        return [Problem("seeds", what, f"{scores:,} in {runs:,} runs", remedy)]
    encoders = len({arm.encoder.key for arm in arms.values()})
    if encoders > MOST_ENCODERS:
        what = f"a study has at most {MOST_ENCODERS} encoders, their settings included"
        return [Problem("arms", what, f"{encoders:,}", "Sweep fewer of their settings.")]
    return []


def check_steps(study: Study, examples: Mapping[str, int], code: Path | None) -> None:
    """See that every run, and every epoch of its schedule, can be laid out.

    :param examples: How many training examples each task has.
    :raises StudyError: With each arm that is too long.
    """
    problems: list[Problem] = []
    for arm in study.arms.values():
        for run in of_arm(arm, study.seeds[0]):
            epoch = sampling_of(run, study, examples, code).expected_steps()
            if epoch > MOST_STEPS:
                what = f"an epoch has at most {MOST_STEPS:,} steps"
                remedy = "Set `sampling` so that an epoch ends sooner, or a larger training.batch_size."
                problems.append(Problem(f"arms.{arm.name}.sampling", what, f"about {_many(epoch)}", remedy))
            elif (steps := extent(run, study, examples, code).steps) > MOST_STEPS:
                kind, amount = arm.budget.given
                what, remedy = f"a run has at most {MOST_STEPS:,} steps", "Choose a smaller budget."
                found = f"about {_many(steps)}, of {kind} = {amount:g}"
                problems.append(Problem(f"arms.{arm.name}.budget", what, found, remedy))
    if problems:
        raise StudyError(list(dict.fromkeys(problems)))


def _many(steps: float) -> str:
    """A number of steps, however large, in a few signs."""
    return f"{steps:,.0f}" if steps < 1e15 else f"{steps:.3g}" if math.isfinite(steps) else "more than can be counted"
