"""Which examples two arms answer differently, consistently over the seeds, and what they have in common.

Which answers are fixed and which are broken, as the examples of section 5 of "MtDNN" on SQuAD 2.0 show it, but all of
them and counted. What chance alone would change follows McNemar, "Note on the sampling error of the difference between
correlated proportions or percentages", Psychometrika 12, 1947, https://doi.org/10.1007/BF02295996, over several seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.analyses import Analysis, Column, Finding, Grid, Material, Value
from manyheads.analyses._changed_answers_checks import chosen, problems, shared
from manyheads.analyses._changes import ADDITIVE, Changes, contributions
from manyheads.analyses._changes_figure import Row, group_figure
from manyheads.analyses._examples import answer_of, grouped, ordered, together
from manyheads.core.problems import Problem, StudyError, counted, unknown_names
from manyheads.heads import Head


@dataclass(frozen=True)
class _Compared:
    """Two arms on one task.

    :param answers: Of the one arm and of the other, for each seed, as the runs wrote them.
    :param groups: What the examples are grouped by -> the group of each.
    """

    task: str
    metric: str
    changes: Changes
    answers: tuple[list[list[dict[str, Any]]], list[list[dict[str, Any]]]]
    rows: Any
    head: Head
    groups: Mapping[str, Sequence[str]]

    @property
    def clusters(self) -> list[str] | None:
        lines = self.answers[0][0]
        return [line["cluster"] for line in lines] if "cluster" in lines[0] else None

    @property
    def words(self) -> tuple[str, str]:
        """What an answer became: right or wrong, or just better or worse where there is something between."""
        values = np.concatenate([self.changes.before, self.changes.after])
        return ("fixed", "broken") if np.isin(values, (0, 1)).all() else ("improved", "worsened")


class ChangedAnswers(Analysis):
    """An example is fixed if it is answered better in more than half more of the seeds than it is answered worse.

    Seeds are compared in pairs. With b seeds in which an example is answered better by the second arm and w in which
    it is answered worse, it changed consistently if |b - w| > seeds / 2. If the arms differed by chance alone, the
    signs of its b + w changes would be tosses of a fair coin; that tells how many consistent changes chance would give,
    and which share of those that are there is more than chance ("sure").

    The metric is the task's headline if its score is a sum over examples (accuracy, exact, F1 of spans), else the
    first other metric that is; so what is gained and what is lost add up to the difference of the scores.

    :param arms: Two arms, the one to compare with first; needed if the study has more than two.
    :param tasks: Which tasks; all that both arms train, by default.
    :param metrics: Another metric for a task, such as `{ squad = "exact" }`.
    :param shown: How many examples of each task the report shows; the files hold every example that changed.
    """

    def __init__(
        self,
        *,
        arms: Sequence[str] = (),
        tasks: Sequence[str] = (),
        metrics: dict[str, str] | None = None,
        shown: int = 60,
    ) -> None:
        self.arms, self.tasks, self.metrics, self.shown = arms, tasks, metrics or {}, shown

    @classmethod
    def problems(cls, plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
        return problems(plan, settings, where)

    def find(self, material: Material) -> Finding:
        before, after = pair = chosen(material.plan, self.arms)
        names = [material.plan["arms"][arm].get("label") or arm for arm in pair]
        found, left_out = [], []
        for task in self.tasks or shared(material.plan, pair):
            one = self._compared(material, task, pair)
            (left_out if isinstance(one, str) else found).append(one)
        title = f"Answers that changed: {names[0]} → {names[1]}"
        if not found:
            return Finding(title, f"Nothing can be said of {before} and {after}: {'; '.join(left_out)}.", [])
        parts: list[Any] = [_reading(found[0].changes.seeds), *(f"Left out: {why}." for why in left_out)]
        parts += [_counts(found, names), _sureness(found)]
        for one in found:
            groups = _groups(one)
            parts += [group_figure(one.task, one.metric, groups)] if groups else []
            parts += [_group_table(one, groups, names)] if groups else []
            parts.append(self._examples(one, names, folded=len(found) > 1))
        return Finding(title, _sentence(found, names[1]), parts)

    def _compared(self, material: Material, task: str, arms: Sequence[str]) -> _Compared | str:
        """Both arms' answers; or why there is nothing to compare."""
        runs = [{run.seed: run for run in material.runs(arm, task)} for arm in arms]
        seeds = [seed for seed in material.plan["seeds"] if all(seed in of_arm for of_arm in runs)]
        if not seeds:
            return f"no seed of both arms finished on {task}"
        kinds = runs[0][seeds[0]].record["metrics"][task]["kinds"]
        if problem := unknown_names([self.metrics[task]] if task in self.metrics else [], kinds, f"metrics.{task}"):
            raise StudyError(problem)
        headline = runs[0][seeds[0]].record["metrics"][task]["headline"]
        wanted = [self.metrics[task]] if task in self.metrics else [headline, *kinds]
        answers = [[material.answers(of_arm[seed], task) for seed in seeds] for of_arm in runs]
        rows, head = material.table(task).rows, material.head(task)
        for metric in (name for name in wanted if kinds[name] in ADDITIVE):
            each = [[contributions(lines, metric) for lines in of_arm] for of_arm in answers]
            weights = each[0][0][1]
            if all((other == weights).all() for of_arm in each for _, other in of_arm):
                parts = [np.stack([scores for scores, _ in of_arm]) for of_arm in each]
                changes = Changes(parts[0], parts[1], weights)
                groups = grouped(rows, head)
                return _Compared(task, metric, changes, (answers[0], answers[1]), rows, head, groups)
        return f"no metric of {task} is a sum over its examples ({', '.join(wanted)})"

    def _examples(self, one: _Compared, names: Sequence[str], folded: bool) -> Grid:
        """Every example that changed, the most consistent first."""
        changes, rows, head = one.changes, one.rows, one.head
        changed = np.flatnonzero(changes.better + changes.worse)
        order = sorted(changed.tolist(), key=lambda at: (-abs(changes.net[at]), -abs(changes.gains[at]), at))
        headings = list(head.show_example(rows[0]))
        columns = [
            headings[0], "Right answer", *names, "Change", *headings[1:], "Better in", "Worse in",
            Column("Sure", "share"), Column("Gain", "gain"), *one.groups, "id",
        ]  # fmt: skip
        sure = {(level, sign): changes.sure(level, sign) for level in range(1, changes.seeds + 1) for sign in (1, -1)}
        lines = []
        for at in order:
            row, net = rows[at], int(changes.net[at])
            told = [
                together([head.show_answer(answer_of(lines[at]), row) for lines in of_arm]) for of_arm in one.answers
            ]
            words = one.words[0] if net > 0 else one.words[1] if net < 0 else "changed both ways"
            words = words if abs(net) >= changes.most or not net else f"sometimes {words}"
            texts = list(head.show_example(row).values())
            rest = [int(changes.better[at]), int(changes.worse[at]), sure.get((abs(net), 1 if net > 0 else -1))]
            rest += [float(changes.gains[at]), *(groups[at] for groups in one.groups.values()), str(row["id"])]
            gold = head.show_gold(one.answers[0][0][at]["gold"], row)
            lines.append([texts[0], gold, *told, words, *texts[1:], *rest])
        title = f"{one.task}: the answers that changed in any seed, the most consistent first"
        return Grid(f"examples-{one.task}"[:64], columns, lines, _ANSWERS, shown=self.shown, title=title, folded=folded)


_ANSWERS = (
    "Better in and worse in: how many seeds. Sure: which share of the examples that changed at least so consistently "
    "is more than chance. Where the seeds of an arm answer differently, the most frequent answers stand there with in "
    "how many of them (×2)."
)


def _reading(seeds: int) -> str:
    """What counts as a change."""
    if seeds == 1:
        return (
            "One seed of each arm: what differs may be due to that seed alone. An example counts as changed if its "
            "answer became better or worse."
        )
    return (
        f"The arms are compared seed by seed. An example counts as changed if its answer became better in at least "
        f"{seeds // 2 + 1} more of the {seeds} seeds than it became worse, or the other way round."
    )


def _sentence(found: Sequence[_Compared], name: str) -> str:
    """The counts of up to three tasks; the others are in the table."""
    told = []
    for one in found[:3]:
        changes = one.changes
        words = ("fixes", "breaks") if one.words[0] == "fixed" else ("improves", "worsens")
        fixed, broken = (changes.count(changes.most, sign) for sign in (1, -1))
        told.append(
            f"{words[0]} {fixed:,} and {words[1]} {broken:,} of the {counted(len(changes.weights), 'answer')} to "
            f"{one.task} (chance alone: about {_about(changes.by_chance(changes.most))} each)"
        )
    seeds = found[0].changes.seeds
    over = "With one seed" if seeds == 1 else f"Consistently over {seeds} seeds"
    more = f"; {counted(len(found) - 3, 'more task')} in the table" if len(found) > 3 else ""
    return f"{over}, “{name}” {'; it '.join(told)}{more}."


def _about(number: float) -> str:
    return f"{number:,.0f}" if number >= 9.5 or number == int(number) else f"{number:.1f}"


def _counts(found: Sequence[_Compared], names: Sequence[str]) -> Grid:
    """Each task's scores, and what is gained and lost between them."""
    rows: list[list[Value]] = []
    for one in found:
        changes, interval = one.changes, one.changes.interval(one.clusters)
        scores = [float(part.sum()) / (changes.seeds * changes.total) for part in (changes.before, changes.after)]
        rows.append([
            one.task, one.metric, len(changes.weights), changes.count(changes.most, 1),
            changes.count(changes.most, -1), changes.by_chance(changes.most), *scores, changes.gained(),
            -changes.lost(), changes.difference(), *(interval or (None, None)),
        ])  # fmt: skip
    columns = [
        "Task", "Metric", "Examples", "Fixed", "Broken", "By chance", *(Column(name, "points") for name in names),
        Column("Gained", "gain"), Column("Lost", "gain"), Column("Difference", "gain"), Column("from", "gain"),
        Column("to", "gain"),
    ]  # fmt: skip
    note = (
        "Fixed and broken count the examples that changed consistently; by chance alone there would be about so many "
        "of each. Scores, gains and losses are times 100 and means over the seeds; gained and lost add up to the "
        "difference, which has a 95 % interval."
    )
    return Grid("counts", columns, rows, note, title="What was gained and what was lost")


def _sureness(found: Sequence[_Compared]) -> Grid:
    """How many examples changed how consistently, against chance."""
    rows: list[list[Value]] = []
    for one in found:
        changes = one.changes
        for level in range(changes.seeds, 0, -1):
            counts = [changes.count(level, sign) for sign in (1, -1)]
            sure = [changes.sure(level, sign) for sign in (1, -1)]
            rows.append([one.task, level, counts[0], counts[1], changes.by_chance(level), *sure])
    columns = [
        "Task", "Seeds, at least", "Fixed", "Broken", "By chance, each", Column("Sure: fixed", "share"),
        Column("Sure: broken", "share"),
    ]  # fmt: skip
    note = (
        "By chance: how many would change so consistently, in each direction, if it were a toss of a coin which arm "
        "answers better under a seed. Sure: which share of the examples is more than that."
    )
    return Grid("sure", columns, rows, note, title="How sure: consistent changes against chance", folded=True)


def _groups(one: _Compared) -> list[Row]:
    """Each group's part in the difference."""
    found, clusters = [], one.clusters
    for by, names in one.groups.items():
        for name in ordered(by, names):
            inside = np.array(names) == name
            part = one.changes.part(inside)
            of_part = None if clusters is None else [clusters[at] for at in np.flatnonzero(inside)]
            found.append(Row(by, name, part, part.interval(of_part)))
    return found


def _group_table(one: _Compared, groups: Sequence[Row], names: Sequence[str]) -> Grid:
    rows: list[list[Value]] = []
    for row in groups:
        part, interval = row.changes, row.interval or (None, None)
        total = part.seeds * part.total
        scores = [float(each.sum()) / total if total else None for each in (part.before, part.after)]
        difference = part.difference() if total else None
        counts = [part.count(part.most, sign) for sign in (1, -1)]
        rows.append([row.by, row.name, len(part.weights), *scores, difference, *interval, *counts])
    columns = [
        "By", "Group", "Examples", *(Column(name, "points") for name in names), Column("Difference", "gain"),
        Column("from", "gain"), Column("to", "gain"), "Fixed", "Broken",
    ]  # fmt: skip
    note = (
        "With 95 % intervals over seeds and examples. They are not corrected for how many groups there are: expect one "
        "in twenty to miss."
    )
    title = f"{one.task}: {one.metric} in groups of examples"
    return Grid(f"groups-{one.task}"[:64], columns, rows, note, title=title, folded=True)
