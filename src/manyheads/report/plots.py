"""Results as figures: scores, differences, sweeps, losses, and what each arm was trained on."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from manyheads.core.atomic_files import write_whole
from manyheads.report import drawing
from manyheads.report.drawing import DASHES, INK, MUTED, PAPER, RAMP, ROW, SERIES, Figure
from manyheads.report.templating import clean
from manyheads.results.numbers import count, points
from manyheads.results.run_record import StepRecord
from manyheads.results.schema import RunResult, Score, StudyResults

Steps = Sequence[StepRecord]
"""Of one run."""
VERDICTS = {
    "helps": ("^", SERIES[0]),
    "hurts": ("v", SERIES[1]),
    "no difference": ("o", MUTED),
    "cannot tell": ("o", PAPER),
}


def figures(results: StudyResults, out: Path) -> list[Figure]:
    """Every figure that the results, and the steps recorded in the folder `out`, have something for."""
    with drawing.house_look():
        runs = {arm: _runs(out, about.runs) for arm, about in results.arms.items()}
        drawn = (
            _scores(results),
            _differences(results),
            _sweep(results),
            _losses(results, runs),
            _shares(results, runs),
        )
    return [figure for figure in drawn if figure]


def write(drawn: Sequence[Figure], out: Path) -> None:
    """Write the figures to `out/figures`, each a file."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for figure in drawn:
        write_whole(out / "figures" / f"{figure.name}.svg", figure.svg)


# ---- what the figures show -------------------------------------------------------------------------------------------


def _label(results: StudyResults, arm: str, width: int = 21) -> str:
    """An arm's name in at most two lines; the middle goes first, since swept arms differ at the end."""
    text = clean(results.label(arm))
    text = text if len(text) < 2 * width else f"{text[: width - 3]}… {text[-width + 3 :]}"
    return "\n".join(textwrap.wrap(text, width)[:2])


def _title(results: StudyResults, task: str) -> str:
    return f"{task}, {results.tasks[task].metric} × 100"


def _colours(results: StudyResults) -> dict[str, tuple[str, Any]]:
    """Each arm's colour and dashes: ink for the baseline, a ramp over a sweep's values, the palette for the rest."""
    arms, baseline = results.arms, results.study.baseline
    swept = [arm for arm, about in arms.items() if about.sweep]
    plain = [arm for arm in arms if arm not in swept and arm != baseline]
    ramp = {arm: (RAMP[round(i * (len(RAMP) - 1) / max(1, len(swept) - 1))], "-") for i, arm in enumerate(swept)}
    palette = {arm: (SERIES[i % len(SERIES)], DASHES[i // len(SERIES) % len(DASHES)]) for i, arm in enumerate(plain)}
    return {**palette, **ramp, baseline: (INK, DASHES[1])}


def _runs(out: Path, runs: Sequence[RunResult]) -> list[Steps]:
    """The steps of each finished run of an arm."""
    found = [out / run.path / "metrics.jsonl" for run in runs if run.status == "finished"]
    return [_steps(metrics.read_bytes()) for metrics in found if metrics.is_file()]


def _steps(content: bytes) -> Steps:
    """The steps of a run; none if its file is damaged: figures can be without it."""
    try:
        steps = [StepRecord.read(line) for line in content.splitlines() if line]
    except (ValueError, RecursionError):
        return []
    whole = all(step.losses.keys() <= step.examples.keys() for step in steps)
    return steps if whole and all(0 <= one < 2**40 for step in steps for one in step.examples.values()) else []


def _curve(runs: Sequence[Steps], task: str) -> tuple[np.ndarray, np.ndarray]:
    """A task's loss after so many of its examples, in at most 150 points, mean over the runs that trained it."""
    trained = [[step for step in steps if task in step.losses] for steps in runs]
    seen = [np.cumsum([step.examples[task] for step in steps]) for steps in trained]
    x = np.concatenate([np.zeros(0), *seen])
    y = np.array([step.losses[task] for steps in trained for step in steps], float)
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    if not len(x):
        return x, y
    bins = min(150, max(map(len, trained)))
    place = np.minimum((x / x.max() * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    mean = np.bincount(place, y, bins) / np.maximum(count, 1)
    return ((np.arange(bins) + 0.5) * x.max() / bins)[count > 0], mean[count > 0]


def _smooth(values: np.ndarray) -> np.ndarray:
    """Means over windows that shrink toward both ends, so that a steep beginning stays where it is."""
    sums, at = np.concatenate([[0], np.cumsum(values)]), np.arange(len(values))
    reach = np.minimum(np.minimum(at, len(values) - 1 - at), len(values) // 20)
    return (sums[at + reach + 1] - sums[at - reach]) / (2 * reach + 1)


# ---- the figures -----------------------------------------------------------------------------------------------------


def _scores(results: StudyResults) -> Figure | None:
    scores, colours = results.headline_scores(), _colours(results)
    panels = {task: [arm for arm in results.arms if (arm, task) in scores] for task in results.tasks}
    panels = {task: arms for task, arms in panels.items() if arms}
    sheet, top, alt = drawing.new_sheet(sum(ROW * len(arms) + 68 for arms in panels.values())), 0.0, []
    for task, arms in panels.items():
        axes = drawing.panel(sheet, _title(results, task), top, ROW * len(arms))
        _level(axes, scores.get((results.study.baseline, task)), upright=True)
        for row, arm in enumerate(arms):
            seeds = [100 * score for score in scores[arm, task].seeds.values() if score is not None]
            axes.plot(seeds, [row] * len(seeds), "|", color=MUTED, markersize=11, markeredgewidth=1)
            score = scores[arm, task]
            drawing.whisker(axes, row, score.mean, score.interval, "o", colours[arm][0])
        values = [points(scores[arm, task].mean) for arm in arms]
        drawing.rows(axes, [_label(results, arm) for arm in arms], values)
        alt.append(f"{task}: " + ", ".join(f"{arm} {value}" for arm, value in zip(arms, values, strict=True)))
        top += ROW * len(arms) + 68
    reading = (
        "Dot: mean over seeds. Line: 95 % interval. Thin strokes: single seeds. Grey band: the baseline. "
        "The axes do not begin at 0, and each task has its own."
    )
    alt_text = "Mean score of each arm with its interval. " + ". ".join(alt) + "."
    return drawing.finish(sheet, "scores", "Scores", reading, alt_text) if scores else None


def _differences(results: StudyResults) -> Figure | None:
    found = results.headline_comparisons()
    groups = {task: [arm for arm in results.arms if (arm, task) in found] for task in results.tasks}
    order = [(task, arm) for task, arms in groups.items() if arms for arm in ("", *arms)]
    if not order:
        return None
    sheet = drawing.new_sheet(ROW * len(order) + 50)
    axes = drawing.panel(sheet, "", -26, ROW * len(order), right=150)
    axes.axvline(0, color=INK, linewidth=1)
    notes = []
    for row, at in enumerate(order):
        entry = found.get((at[1], at[0]))
        notes.append(f"{points(entry.difference, signed=True)}  {entry.verdict}" if entry else "")
        if entry:
            drawing.whisker(axes, row, entry.difference, entry.interval, *VERDICTS[entry.verdict])
    drawing.rows(axes, [_label(results, arm) if arm else clean(task) for task, arm in order], notes)
    axes.set_xlabel("difference to the baseline × 100")
    reading = (
        "Right of 0 is better than the baseline. Line: 95 % interval of the difference, paired by "
        "seed. ▲ helps, ▼ hurts, ● no difference, ○ cannot tell."
    )
    said = [f"{arm} on {task}: {note}" for (task, arm), note in zip(order, notes, strict=True) if note]
    alt = "Difference of each arm to the baseline. " + "; ".join(said) + "."
    return drawing.finish(sheet, "differences", "Differences to the baseline", reading, alt)


def _sweep(results: StudyResults) -> Figure | None:
    scores = results.headline_scores()
    sweeps: dict[str, dict[str, Any]] = {}
    for arm, about in results.arms.items():
        if about.sweep:
            sweeps.setdefault(about.sweep.key, {})[arm] = about.sweep.value
    panels = [(k, task) for k in sweeps for task in results.tasks if any((arm, task) in scores for arm in sweeps[k])]
    sheet, alt = drawing.new_sheet(212 * len(panels)), []
    for i, (name, task) in enumerate(panels):
        axes = drawing.panel(sheet, _title(results, task), 212 * i, 130, left=40, right=128)
        axes.set_xlabel(clean(name))
        places = zip(_places(axes, list(sweeps[name].values())), sweeps[name], strict=True)
        found = ((x, arm, scores.get((arm, task))) for x, arm in places)
        line = sorted((x, one.mean, arm, one) for x, arm, one in found if one and one.mean is not None)
        _line(axes, [x for x, *_ in line], [one for *_, one in line])
        _named_level(axes, results, scores.get((results.study.baseline, task)))
        alt.append(f"{task}: " + ", ".join(f"{arm} {points(mean)}" for _, mean, arm, _ in line))
    reading = "Line: mean over seeds. Shade: 95 % interval. Grey band: the baseline. The axes do not begin at 0."
    alt_text = "Score against the swept value, a panel for each task. " + ". ".join(alt) + "."
    return drawing.finish(sheet, "sweep", "Scores over the swept value", reading, alt_text) if panels else None


def _places(axes: Axes, values: Sequence[Any]) -> list[float]:
    """Where swept values stand on the x axis: numbers at themselves, anything else side by side."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    places = list(map(float, values if numbers else range(len(values))))
    if numbers and min(places) > 0 and max(places) / min(places) >= 50:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(places, [clean(value)[:12] for value in values])
    return places


def _line(axes: Axes, x: Sequence[float], scores: Sequence[Score]) -> None:
    means = [one.mean or 0 for one in scores]
    bounds = [one.interval or (mean, mean) for one, mean in zip(scores, means, strict=True)]
    low, high = [100 * bound[0] for bound in bounds], [100 * bound[1] for bound in bounds]
    axes.fill_between(x, low, high, color=RAMP[4], alpha=0.2, linewidth=0)
    axes.plot(x, [100 * mean for mean in means], "o-", color=RAMP[4], linewidth=2, markersize=6)


def _level(axes: Axes, score: Score | None, *, upright: bool) -> None:
    if score:
        drawing.level(axes, score.mean, score.interval, upright=upright)


def _named_level(axes: Axes, results: StudyResults, score: Score | None) -> None:
    _level(axes, score, upright=False)
    if score and score.mean is not None:
        note = f"{_label(results, results.study.baseline, 18)}\n{points(score.mean)}"
        place = axes.get_yaxis_transform()
        axes.text(1.03, 100 * score.mean, note, transform=place, va="center", linespacing=1.15, size=12.5)


def _losses(results: StudyResults, runs: Mapping[str, Sequence[Steps]]) -> Figure | None:
    colours = _colours(results)
    curves = {(arm, task): _curve(runs[arm], task) for arm in results.arms for task in results.tasks}
    curves = {place: curve for place, curve in curves.items() if len(curve[0]) > 1}
    arms = [arm for arm in results.arms if any(place[0] == arm for place in curves)]
    tasks = [task for task in results.tasks if any(place[1] == task for place in curves)]
    sheet, alt = drawing.new_sheet(drawing.key_height(len(arms)) + 216 * len(tasks)), []
    drawing.key(sheet, [(_label(results, arm, 34), *colours[arm]) for arm in arms])
    for i, task in enumerate(tasks):
        axes = drawing.panel(
            sheet, f"{task}, training loss", drawing.key_height(len(arms)) + 216 * i, 140, left=40, right=24
        )
        for arm, (x, y) in ((arm, curves[arm, task]) for arm in reversed(arms) if (arm, task) in curves):
            axes.plot(x, y, color=colours[arm][0], linewidth=0.8, alpha=0.28)
            axes.plot(x, _smooth(y), color=colours[arm][0], linewidth=2, linestyle=colours[arm][1])
            alt.append(f"{arm} on {task} ends near {_smooth(y)[-1]:.2g}")
        heights = np.concatenate([curves[place][1] for place in curves if place[1] == task])
        axes.set(xlim=(0, None), ylim=(min(0, heights.min()), 1.05 * heights.max()))
        axes.set_xlabel(f"examples of {clean(task)} seen")
        axes.xaxis.set_major_formatter(lambda x, _: count(x))
    reading = (
        "Mean over seeds, smoothed; the faint line is the same unsmoothed. Arms are compared where they have seen "
        "equally many examples of the task, not after equally many steps."
    )
    alt_text = "Training loss of each task, a line for each arm. " + "; ".join(alt) + "."
    return drawing.finish(sheet, "losses", "Training losses", reading, alt_text) if tasks else None


def _shares(results: StudyResults, runs: Mapping[str, Sequence[Steps]]) -> Figure | None:
    several = [arm for arm, about in results.arms.items() if about.models == "joint" and len(about.tasks) > 1]
    arms = [arm for arm in several if any(runs[arm])]
    tasks = [task for task in results.tasks if any(task in results.arms[arm].tasks for arm in arms)]
    sheet, alt = drawing.new_sheet(drawing.key_height(len(tasks)) + 126 * len(arms) + 24), []
    colours = [SERIES[i % len(SERIES)] for i in range(len(tasks))]
    drawing.key(sheet, [(clean(task), colour, None) for task, colour in zip(tasks, colours, strict=True)])
    for i, arm in enumerate(arms):
        top, title = drawing.key_height(len(tasks)) + 126 * i, _label(results, arm, 60).replace("\n", " ")
        axes = drawing.panel(sheet, title, top, 72, left=52, right=24)
        steps, seen = _seen(runs[arm], tasks)
        share = 100 * seen / np.maximum(seen.sum(0), 1)
        edges = np.linspace(0, steps, share.shape[1] + 1)
        axes.stackplot(edges, np.column_stack([share, share[:, -1]]), step="post", colors=colours, alpha=0.75)
        axes.set(xlim=(0, steps), ylim=(0, 100), yticks=[0, 50, 100], yticklabels=["0 %", "50 %", "100 %"])
        axes.set_xlabel("step" if i == len(arms) - 1 else "")
        whole = 100 * seen.sum(1) / max(seen.sum(), 1)
        alt.append(f"{arm}: " + ", ".join(f"{task} {share:.0f} %" for task, share in zip(tasks, whole, strict=True)))
    reading = "Each task's share of the examples, over stretches of the training; mean over seeds."
    alt_text = "Share of each task in the examples over the steps. " + "; ".join(alt) + "."
    return drawing.finish(sheet, "shares", "What each arm was trained on", reading, alt_text) if arms else None


def _seen(runs: Sequence[Steps], tasks: Sequence[str]) -> tuple[int, np.ndarray]:
    """How many steps, and the examples of each task [task, stretch] in at most 30 stretches of them."""
    steps = max(map(len, runs))
    seen = np.zeros((len(tasks), max(1, min(30, steps // (4 * len(tasks))))))
    for n, step in ((n, step) for run in runs for n, step in enumerate(run)):
        seen[:, n * seen.shape[1] // steps] += [step.examples.get(task, 0) for task in tasks]
    return steps, seen
