"""Do the verdicts keep their word? Simulated studies of which the truth is known, compared as real ones are.

    python benchmarks/simulated_studies.py [--studies 1000] [--seed 0] [--write docs/results/comparison.md]

No model is trained. An answer is right if a latent value is above zero:

    arm's skill + difficulty of the item + what the arm does to the item + luck of the seed + luck of the seed on the
    item.

Seeds are paired: half the variance of their luck is shared by all arms. The truth is the difference between the arms'
expected scores over all seeds and all items, from the normal distribution function, not from the simulation.
"""

import argparse
import datetime
import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy
from scipy.optimize import brentq
from scipy.special import ndtr, stdtrit

from manyheads.core.values import Measure
from manyheads.results.intervals import Spread, holm, resample, spread
from manyheads.results.verdicts import HELPS, HURTS, NO_DIFFERENCE, judge

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
PARTIAL = 0.3  # the width of latent values that earn part of the F1 of an answer
POSITIVE = 0.3  # the share of the positive class where the metric is Matthews' correlation


@dataclass(frozen=True)
class Task:
    """A kind of test set.

    :param start: The baseline's expected score.
    :param parts: Variances of the latent value, which sum to 1: item, arm x item, seed x item, and the same three for
        clusters.
    """

    metric: str
    start: float
    items: int
    parts: tuple[float, float, float, float, float, float]

    def score(self, skill: float | np.ndarray) -> np.ndarray:
        """The expected score of a run with this skill, over all items."""
        if self.metric == "squad_f1":
            steps = (np.arange(400) + 0.5) / 400
            return ndtr(np.asarray(skill)[..., None] - PARTIAL * steps).mean(-1)
        right = ndtr(skill)
        if self.metric == "accuracy":
            return right
        predicted = POSITIVE * right + (1 - POSITIVE) * (1 - right)
        both = POSITIVE * right
        return (both - predicted * POSITIVE) / np.sqrt(predicted * (1 - predicted) * POSITIVE * (1 - POSITIVE))

    def expected(self, skill: float, luck: float) -> float:
        """The expected score over all seeds."""
        return float(self.score(skill + luck * NODES) @ WEIGHTS)

    def skill(self, score: float, luck: float) -> float:
        """The skill whose expected score is this."""
        return float(brentq(lambda skill: self.expected(skill, luck) - score, -4, 6))


PLAIN = (0.90, 0.03, 0.07, 0.0, 0.0, 0.0)
PASSAGES = (0.70, 0.02, 0.05, 0.15, 0.06, 0.02)
ACCURACY = Task("accuracy", 0.85, 2000, PLAIN)
MATTHEWS = Task("matthews", 0.60, 2000, PLAIN)
SQUAD = Task("squad_f1", 0.75, 2000, PASSAGES)


def with_items(task: Task, items: int) -> Task:
    return Task(task.metric, task.start, items, task.parts)


def passages(rng: np.random.Generator, items: int) -> np.ndarray:
    """The cluster of each item: passages with 1 to 19 questions, 10 on average."""
    sizes = rng.integers(1, 20, items)
    return np.repeat(np.arange(items), sizes)[:items]


def simulate(
    rng: np.random.Generator, task: Task, effects: Sequence[float], seeds: int, seed_sd: float
) -> tuple[list[list[Measure]], np.ndarray | None]:
    """Arms' and seeds' answers to one test set; the first arm is the baseline, `effects` are the others' true gains.

    :param seed_sd: The standard deviation of a run's expected score over seeds.
    """
    arms, items = len(effects) + 1, task.items
    base = task.skill(task.start, 0.0)
    luck = seed_sd / float((task.score(base + 0.01) - task.score(base - 0.01)) / 0.02)
    skills = np.array([task.skill(task.start + effect, luck) for effect in (0.0, *effects)])
    item, arm_item, seed_item, cluster, arm_cluster, seed_cluster = np.sqrt(task.parts)
    latent = skills[:, None, None] + item * rng.standard_normal(items)
    latent = latent + arm_item * rng.standard_normal((arms, 1, items))
    latent = latent + seed_item * rng.standard_normal((arms, seeds, items))
    shared, own = rng.standard_normal((1, seeds, 1)), rng.standard_normal((arms, seeds, 1))
    latent += luck * math.sqrt(0.5) * (shared + own)
    groups = None
    if cluster:
        groups = passages(rng, items)
        count = groups.max() + 1
        of_cluster = cluster * rng.standard_normal(count) + arm_cluster * rng.standard_normal((arms, 1, count))
        latent += (of_cluster + seed_cluster * rng.standard_normal((arms, seeds, count)))[..., groups]
    kind = "matthews" if task.metric == "matthews" else "mean"
    return [[Measure(kind, run) for run in arm] for arm in _answers(rng, task, latent)], groups


def _answers(rng: np.random.Generator, task: Task, latent: np.ndarray) -> np.ndarray:
    """[arms, seeds, items, k] the items of the metric."""
    if task.metric == "squad_f1":
        return np.clip(latent / PARTIAL, 0, 1)[..., None]
    right = latent > 0
    if task.metric == "accuracy":
        return right[..., None].astype(float)
    gold = rng.random(task.items) < POSITIVE
    return np.stack([np.where(right, gold, ~gold), np.broadcast_to(gold, right.shape)], axis=-1).astype(float)


COVERED = tuple(
    (with_items(task, items), seeds, seed_sd)
    for task in (ACCURACY, MATTHEWS, SQUAD)
    for items, seed_sd in ((500, 0.01), (2000, 0.003), (2000, 0.01))
    for seeds in (3, 5, 10)
)
LARGE = ((with_items(ACCURACY, 10_000), 5, 0.005),)
FEW_SEEDS = tuple((with_items(ACCURACY, 10_000), seeds, 0.01) for seeds in (3, 5))
"""Large test sets and noisy training: what is unknown is unknown because of the seeds."""


@dataclass
class Coverage:
    """How often intervals hold the true difference, in percent."""

    ours: float
    satterthwaite: float
    percentile: float
    seeds_alone: float
    items_alone: float
    independent: float | None
    half_width: float


def coverage(
    rng: np.random.Generator,
    task: Task,
    seeds: int,
    seed_sd: float,
    *,
    studies: int,
    resamples: int,
    effect: float = 0.01,
) -> Coverage:
    """Simulate studies of one arm against the baseline and count the intervals that hold the true difference."""
    names = ("ours", "satterthwaite", "percentile", "seeds", "items", "independent")
    hits: dict[str, list[bool]] = {name: [] for name in names}
    halves = []
    for _ in range(studies):
        arms, groups = simulate(rng, task, [effect], seeds, seed_sd)
        scores, resampled = _differences(arms, groups, resamples)
        found = spread(scores, resampled, _units(task, groups))
        assert found is not None
        off = abs(found.value - effect)
        halves.append(found.half_width())
        hits["ours"].append(off <= halves[-1])
        hits["satterthwaite"].append(off <= satterthwaite(found))
        hits["items"].append(off <= 1.96 * math.sqrt(found.items_only))
        hits["seeds"].append(off <= Spread(found.value, seeds, found.units, found.between, 0, 0).half_width())
        drawn = np.take_along_axis(resampled, rng.integers(0, seeds, resampled.shape), axis=1).mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        hits["percentile"].append(low <= effect <= high)
        if groups is not None:
            blind = spread(*_differences(arms, None, resamples), task.items)
            assert blind is not None
            hits["independent"].append(off <= blind.half_width())
    share = {name: 100 * float(np.mean(values)) if values else None for name, values in hits.items()}
    return Coverage(*share.values(), 100 * float(np.mean(halves)))


def satterthwaite(found: Spread) -> float:
    """Half the interval with Satterthwaite's degrees of freedom for the sum of both variances."""
    a, b = found.between / found.seeds, found.shared
    freedom = (a + b) ** 2 / (a**2 / (found.seeds - 1) + b**2 / (found.units - 1))
    return -float(stdtrit(freedom, 0.025)) * math.sqrt(a + b)


def _differences(arms: list[list[Measure]], groups: np.ndarray | None, resamples: int) -> tuple[np.ndarray, np.ndarray]:
    scores, resampled = resample([run for arm in arms for run in arm], groups, resamples=resamples)
    k = len(arms[0])
    return scores[k:] - scores[:k], resampled[:, k:] - resampled[:, :k]


def _units(task: Task, groups: np.ndarray | None) -> int:
    return task.items if groups is None else int(groups.max()) + 1


@dataclass
class Claims:
    """What a number of studies said, in percent.

    :param family: Studies with at least one false helps or hurts.
    :param single: Comparisons with p < 0.05 before Holm's correction although nothing is there.
    :param helps: Comparisons with a planted gain that are called so.
    :param none: Comparisons called no difference.
    :param too_small: Comparisons whose `missable` is below the true difference.
    """

    family: float
    single: float
    helps: float | None
    none: float
    too_small: float


STUDY = (with_items(ACCURACY, 872), with_items(MATTHEWS, 1043), with_items(SQUAD, 2000))
"""Three tasks with test sets as large as those of SST-2 and CoLA, and a part of SQuAD's."""


def claims(
    rng: np.random.Generator, seeds: int, seed_sd: float, *, studies: int, resamples: int,
    arms: int = 4, effect: float = 0.0, tasks: Sequence[Task] = STUDY,
) -> Claims:  # fmt: skip
    """Simulate studies of several arms and tasks; every arm gains `effect` on the first task, else nothing."""
    family, single, gains, none, too_small = [], [], [], [], []
    for _ in range(studies):
        found, truth = [], []
        for task in tasks:
            true = effect if task is tasks[0] else 0.0
            runs, groups = simulate(rng, task, [true] * arms, seeds, seed_sd)
            scores, resampled = resample([run for arm in runs for run in arm], groups, resamples=resamples)
            for arm in range(1, arms + 1):
                mine = slice(arm * seeds, (arm + 1) * seeds)
                found.append(
                    spread(
                        scores[mine] - scores[:seeds], resampled[:, mine] - resampled[:, :seeds], _units(task, groups)
                    )
                )
                truth.append(true)
        p = [of.p() for of in found]
        verdicts = [judge(of, corrected, 0.01) for of, corrected in zip(found, holm(p), strict=True)]
        wrong = [v == HURTS or (v == HELPS and not true) for v, true in zip(verdicts, truth, strict=True)]
        family.append(any(wrong))
        single += [value < 0.05 for value, true in zip(p, truth, strict=True) if not true]
        gains += [v == HELPS for v, true in zip(verdicts, truth, strict=True) if true]
        none += [v == NO_DIFFERENCE for v in verdicts]
        too_small += [of.missable() < abs(true) for of, true in zip(found, truth, strict=True)]
    share = [100 * float(np.mean(values)) if values else None for values in (family, single, gains, none, too_small)]
    return Claims(*share)


# ---- the report ------------------------------------------------------------------------------------------------------


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def coverage_table(
    rng: np.random.Generator, cells: Sequence[tuple[Task, int, float]], studies: int, say: Callable[[str], None]
) -> str:
    header, rows = [], []
    for task, seeds, seed_sd in cells:
        found = coverage(rng, task, seeds, seed_sd, studies=studies, resamples=500)
        row = {
            "metric": task.metric,
            "items": str(task.items),
            "sd of seeds": f"{100 * seed_sd:.1f}",
            "seeds": str(seeds),
            "**covered**": _cell(found.ours),
            "half width": f"{found.half_width:.2f}",
            "Satterthwaite": _cell(found.satterthwaite),
            "percentile bootstrap": _cell(found.percentile),
            "seeds alone (t)": _cell(found.seeds_alone),
            "items alone": _cell(found.items_alone),
            "clusters ignored": _cell(found.independent),
        }
        header = list(row)
        rows.append(list(row.values()))
        say(" ".join(rows[-1]))
    return _table(header, rows)


def claims_table(rng: np.random.Generator, studies: int, say: Callable[[str], None]) -> str:
    header, rows = [], []
    for effect in (0.0, 0.02):
        for seeds, seed_sd in ((3, 0.003), (3, 0.01), (5, 0.003), (5, 0.01), (10, 0.005)):
            found = claims(rng, seeds, seed_sd, studies=studies, resamples=500, effect=effect)
            cells = {
                "planted gain": f"{100 * effect:.0f}",
                "seeds": str(seeds),
                "sd of seeds": f"{100 * seed_sd:.1f}",
                "**studies with a false verdict**": _cell(found.family),
                "p < 0.05 without an effect": _cell(found.single),
                "planted gain called helps": _cell(found.helps),
                "called no difference": _cell(found.none),
                "truth above `missable`": _cell(found.too_small),
            }
            header = list(cells)
            rows.append(list(cells.values()))
            say(" ".join(rows[-1]))
    return _table(header, rows)


PAGE = """# Do the verdicts keep their word?

Simulated studies with a known truth, {date}. Made by

    {command}

with Python {python}, numpy {numpy}, scipy {scipy}, seed {seed}, {studies} studies per row, 500 resamples each. No model
is trained: `benchmarks/simulated_studies.py` says how answers are simulated. All figures but counts of seeds and items
are in percent or points (Matthews' correlation times 100). *sd of seeds* is the standard deviation of a run's expected
score over seeds. With {studies} studies a share of 95 % is known to ±{error:.1f} %.

## False verdicts

Each study has 4 arms beside the baseline and 3 tasks (accuracy on 872 items, Matthews' correlation on 1,043, F1 of
answers on 2,000 questions in passages), so 12 claims. At most 5 % of the studies may say *helps* or *hurts* where that
is false. With a planted gain, all arms gain that much on the first task and nothing on the others.

{claims}

With 3 seeds a verdict is rare: the first of 12 claims needs p < 0.0042, for which a t distribution with 2 degrees of
freedom asks for 15 standard errors. That is the price of 3 seeds and 12 claims; *seeds_needed* says what would do.

## Coverage of the 95 % intervals

One arm against the baseline, a planted difference of 1 point. **covered** is what manyheads reports; the columns after
it are what is often done instead: Satterthwaite's degrees of freedom, the percentile bootstrap over seeds and items, a
t interval over seeds that takes the test set for the world, a bootstrap over items that takes these seeds for all
seeds, and our interval with the questions on a passage taken as independent.

{coverage}

The percentile bootstrap counts twice that seeds differ in which items they get right, so that it is too wide where the
test set is small. Where training is noisy and the test set large, it is too narrow:

{few}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, default=Path(__file__).parents[1] / "docs/results/comparison.md")
    options = parser.parse_args()
    started, rng = time.monotonic(), np.random.default_rng(options.seed)

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {line}", file=sys.stderr, flush=True)

    tables = {
        "claims": claims_table(rng, options.studies, say),
        "coverage": coverage_table(rng, (*COVERED, *LARGE), options.studies, say),
        "few": coverage_table(np.random.default_rng(options.seed + 1), FEW_SEEDS, options.studies, say),
    }
    page = PAGE.format(
        date=datetime.date.today().isoformat(), seed=options.seed, studies=f"{options.studies:,}",
        command=f"python benchmarks/simulated_studies.py --studies {options.studies} --seed {options.seed}",
        python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__,
        error=196 * math.sqrt(0.95 * 0.05 / options.studies), **tables,
    )  # fmt: skip
    options.write.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
