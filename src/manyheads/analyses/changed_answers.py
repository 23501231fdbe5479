"""Which examples two arms answer differently, consistently over the seeds, and what they have in common.

The examples of section 5 of "MtDNN" on SQuAD 2.0 show which answers are fixed and which are broken; here are all of
them, counted. What chance alone would change follows McNemar, "Note on the sampling error of the difference between
correlated proportions or percentages", Psychometrika 12, 1947, https://doi.org/10.1007/BF02295996, over several seeds.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from manyheads.analyses import Analysis, Column, DataTable, Section, StudyRuns, Value
from manyheads.analyses._changed_answers_checks import common_tasks, compared_arms
from manyheads.analyses._changed_groups import Group, group_figure, group_table, grouped, ordered
from manyheads.analyses._changes import ADDITIVE, Changes, TaskChanges, contributions
from manyheads.core.problems import StudyError, counted, unknown_names
from manyheads.core.settings import NotNegativeInt
from manyheads.core.values import Answer, Example
from manyheads.heads import Head
from manyheads.report.drawing import Figure

SHOWN = 2
"""How many different answers of the seeds of one arm a cell shows."""
BESIDE = ("id", "gold", "cluster", "items")
"""What a line of predictions holds beside the head's answer."""


class ChangedAnswers(Analysis):
    """Which answers the second arm fixes and which it breaks, consistently over the seeds.

    Seeds are compared in pairs. With b seeds in which the second arm answers an example better and w in which it
    answers it worse, the example is fixed if b - w > seeds / 2, and broken if w - b > seeds / 2. If the arms differed
    by chance alone, the signs of its b + w changes would be tosses of a fair coin; that tells how many consistent
    changes chance would give, and which share of those found is more than chance ("sure").

    The metric is the task's headline if its score is a sum over examples (accuracy, exact match, F1 of spans), else the
    first other metric that is one; so what is gained and what is lost add up to the difference of the scores.

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
        shown: NotNegativeInt = 60,
    ) -> None:
        self.arms, self.tasks, self.metrics, self.shown = arms, tasks, metrics or {}, shown

    def analyse(self, runs: StudyRuns) -> Section:
        before, after = pair = compared_arms(runs.study, self.arms)
        names = [runs.study.arms[arm].title for arm in pair]
        found, left_out = [], []
        for task in self.tasks or common_tasks(runs.study, pair):
            one = self._compared(runs, task, pair)
            (left_out if isinstance(one, str) else found).append(one)
        title = f"Answers that changed: {names[0]} → {names[1]}"
        if not found:
            return Section(title, f"Nothing can be said of {before} and {after}: {'; '.join(left_out)}.", [])
        parts: list[str | DataTable | Figure] = [_definition(found[0].changes.seeds)]
        parts += [*(f"Left out: {why}." for why in left_out), _counts(found, names), _sureness(found)]
        for one in found:
            if groups := _groups(one):
                parts += [group_figure(one.task, one.metric, groups), group_table(one.task, one.metric, groups, names)]
            parts.append(self._examples(one, names, folded=len(found) > 1))
        return Section(title, _sentence(found, names[1]), parts)

    def _compared(self, runs: StudyRuns, task: str, arms: Sequence[str]) -> TaskChanges | str:
        """Both arms' answers; or why there is nothing to compare."""
        finished = [{run.seed: run for run in runs.finished(arm, task)} for arm in arms]
        seeds = [seed for seed in runs.study.seeds if all(seed in of_arm for of_arm in finished)]
        if not seeds:
            return f"no seed of both arms finished on {task}"
        metrics = finished[0][seeds[0]].record["metrics"][task]
        kinds = metrics["kinds"]
        wanted = [self.metrics[task]] if task in self.metrics else [metrics["headline"], *kinds]
        if problem := unknown_names(wanted, kinds, f"metrics.{task}"):
            raise StudyError(problem)
        answers = [[runs.answers(of_arm[seed], task) for seed in seeds] for of_arm in finished]
        rows, head = runs.table(task).rows, runs.head(task)
        for metric in (name for name in wanted if kinds[name] in ADDITIVE):
            each = [[contributions(lines, metric) for lines in of_arm] for of_arm in answers]
            weights = each[0][0][1]
            if all((other == weights).all() for of_arm in each for _, other in of_arm):
                parts = [np.stack([scores for scores, _ in of_arm]) for of_arm in each]
                changes = Changes(parts[0], parts[1], weights)
                groups = grouped(rows, head)
                return TaskChanges(task, metric, changes, (answers[0], answers[1]), rows, head, groups)
        return f"no metric of {task} is a sum over its examples ({', '.join(wanted)})"

    def _examples(self, one: TaskChanges, names: Sequence[str], folded: bool) -> DataTable:
        """Every example that changed, the most consistent first."""
        changes, rows, head = one.changes, one.rows, one.head
        changed = np.flatnonzero(changes.better + changes.worse)
        order = sorted(changed.tolist(), key=lambda at: (-abs(changes.net[at]), -abs(changes.gains[at]), at))
        first, *others = head.show_example(rows[0])
        columns = [first, "Right answer", *names, "Change", *others, "Better in", "Worse in"]
        columns += [Column("Sure", "share"), Column("Gain", "gain"), *one.groups, "id"]
        sure = {(level, sign): changes.sure(level, sign) for level in range(1, changes.seeds + 1) for sign in (1, -1)}
        lines: list[list[Value]] = []
        for at in order:
            row, net = rows[at], int(changes.net[at])
            given = [[_shown(head, lines[at], row) for lines in of_arm] for of_arm in one.answers]
            change = one.words[0] if net > 0 else one.words[1] if net < 0 else "changed both ways"
            change = change if abs(net) >= changes.most or not net else f"sometimes {change}"
            question, *rest = head.show_example(row).values()
            seeds = int(changes.better[at]), int(changes.worse[at]), sure.get((abs(net), 1 if net > 0 else -1))
            groups = [of_each[at] for of_each in one.groups.values()]
            gold = head.show_gold(one.answers[0][0][at]["gold"], row)
            gain = float(changes.gains[at])
            lines.append([question, gold, *map(together, given), change, *rest, *seeds, gain, *groups, str(row["id"])])
        title = f"{one.task}: the answers that changed in any seed, the most consistent first"
        name = f"examples-{one.task}"[:64]
        return DataTable(name, columns, lines, _ANSWERS, shown=self.shown, title=title, folded=folded)


def _shown(head: Head, line: Answer, example: Example) -> str:
    """A line of predictions as a person reads it."""
    return head.show_answer({key: value for key, value in line.items() if key not in BESIDE}, example)


def together(answers: Sequence[str]) -> str:
    """The answers of several seeds: the most frequent first, with how often it was given."""
    counts = Counter(answers).most_common()
    if len(counts) == 1:
        return counts[0][0]
    several = [f"{answer}\N{NO-BREAK SPACE}×{count}" for answer, count in counts[:SHOWN]]
    return " / ".join(several) + (" / …" if len(counts) > SHOWN else "")


_ANSWERS = (
    "Better in and worse in: how many seeds. Sure: which share of the examples that changed at least so consistently "
    "is more than chance. Where the seeds of an arm answer differently, the most frequent answers stand there with in "
    "how many of them (×2)."
)


def _definition(seeds: int) -> str:
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


def _sentence(found: Sequence[TaskChanges], name: str) -> str:
    """The counts of up to three tasks; the others are in the table."""
    counts = []
    for one in found[:3]:
        changes = one.changes
        words = ("fixes", "breaks") if one.words[0] == "fixed" else ("improves", "worsens")
        fixed, broken = changes.consistent
        counts.append(
            f"{words[0]} {fixed:,} and {words[1]} {broken:,} of the {counted(len(changes.weights), 'answer')} to "
            f"{one.task} (chance alone: about {_about(changes.by_chance(changes.most))} each)"
        )
    seeds = found[0].changes.seeds
    over = "With one seed" if seeds == 1 else f"Consistently over {seeds} seeds"
    more = f"; {counted(len(found) - 3, 'more task')} in the table" if len(found) > 3 else ""
    return f"{over}, “{name}” {'; it '.join(counts)}{more}."


def _about(number: float) -> str:
    return f"{number:,.0f}" if number >= 9.5 or number == int(number) else f"{number:.1f}"


def _counts(found: Sequence[TaskChanges], names: Sequence[str]) -> DataTable:
    """Each task's scores, and what is gained and lost between them."""
    rows: list[list[Value]] = []
    for one in found:
        changes, interval = one.changes, one.changes.interval(one.clusters) or (None, None)
        gains = (changes.gained(), -changes.lost(), changes.difference(), *interval)
        counts = (len(changes.weights), *changes.consistent, changes.by_chance(changes.most))
        rows.append([one.task, one.metric, *counts, *changes.scores(), *gains])
    columns = [
        "Task",
        "Metric",
        "Examples",
        "Fixed",
        "Broken",
        "By chance",
        *(Column(name, "points") for name in names),
    ]
    columns += [Column(title, "gain") for title in ("Gained", "Lost", "Difference", "from", "to")]
    note = (
        "Fixed and broken count the examples that changed consistently; by chance alone there would be about so many "
        "of each. Scores, gains and losses are times 100 and means over the seeds; gained and lost add up to the "
        "difference, which has a 95 % interval."
    )
    return DataTable("counts", columns, rows, note, title="What was gained and what was lost")


def _sureness(found: Sequence[TaskChanges]) -> DataTable:
    """How many examples changed how consistently, against chance."""
    rows: list[list[Value]] = []
    for one in found:
        changes = one.changes
        for level in range(changes.seeds, 0, -1):
            counts = [changes.count(level, sign) for sign in (1, -1)]
            sure = [changes.sure(level, sign) for sign in (1, -1)]
            rows.append([one.task, level, *counts, changes.by_chance(level), *sure])
    columns = ["Task", "Seeds, at least", "Fixed", "Broken", "By chance, each"]
    columns += [Column("Sure: fixed", "share"), Column("Sure: broken", "share")]
    note = (
        "By chance: how many would change so consistently, in each direction, if it were a toss of a coin which arm "
        "answers better under a seed. Sure: which share of the examples is more than that."
    )
    return DataTable("sure", columns, rows, note, title="How sure: consistent changes against chance", folded=True)


def _groups(one: TaskChanges) -> list[Group]:
    """Each group's part in the difference."""
    found, clusters = [], one.clusters
    for by, names in one.groups.items():
        for name in ordered(by, names):
            inside = np.array(names) == name
            part = one.changes.part(inside)
            of_part = None if clusters is None else [clusters[at] for at in np.flatnonzero(inside)]
            found.append(Group(by, name, part, part.interval(of_part)))
    return found
