"""One task's texts through another task's head: what a head knows of texts that it was not trained on.

The question and the figure are those of Adam K, "Multi-task learning: what is it, how does it work and why does it
work?", GumGum Tech Blog, 2022, https://medium.com/gumgum-tech, section "Cross-task performance". Added are intervals,
and the controls without which the figure cannot be read.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from manyheads.analyses import Analysis, Column, DataTable, Section, StudyRuns, Value
from manyheads.analyses._crossed_answers import Crosser, Panel, Score, majority, refusal, scores
from manyheads.analyses._crossed_heads_checks import crossings
from manyheads.core.settings import NotNegativeInt
from manyheads.report import drawing
from manyheads.report.drawing import BAND, INK, MUTED, ROW, SERIES, Figure
from manyheads.report.templating import clean, shortened
from manyheads.results.numbers import points
from manyheads.study.spec import Study


class CrossedHeads(Analysis):
    """The head of task B answers the reported texts of task A, in the models of B alone and in the joint models of
    both. The controls are

    - the head of A itself, alone and in the joint models: the best to be expected;
    - the majority rate, which needs no model. An accuracy below it, or below chance, does not show that nothing was
      learned, for the output of B may only be shifted: the area under the ROC curve (AUC) does not depend on the
      threshold, and the share of answers that are the second class shows a shift;
    - a linear probe: logistic regression on the frozen encoder of B alone, fitted to training texts of A. It shows what
      the encoder holds about A. If a joint model's crossed head does better than that, its heads are aligned, but it
      need not have learned more: a joint encoder has seen texts of A, which that of B alone has not.

    :param arms: Which arms; all, by default.
    :param tasks: Which tasks; by default all with a `classification` head that an arm trains jointly.
    :param by_order: Whether tasks whose classes have different names are crossed too, matching classes by their order.
    :param probed: How many training texts a probe is fitted to, drawn at random; 0 for no probes.
    """

    def __init__(
        self,
        *,
        arms: Sequence[str] = (),
        tasks: Sequence[str] = (),
        by_order: bool = False,
        probed: NotNegativeInt = 10_000,
    ) -> None:
        self.arms, self.tasks, self.by_order, self.probed = arms, tasks, by_order, probed

    def analyse(self, runs: StudyRuns) -> Section:
        title, study = "Heads crossed", runs.study
        labels = {task: runs.labels(task) or () for task in study.scored}
        order, pairs, remarks = list(labels), [], []
        for pair in crossings(study, self.arms, self.tasks):
            why = refusal(labels, pair, self.by_order)
            if why is None:
                pairs.append(pair)
            elif order.index(pair[0]) < order.index(pair[1]):
                remarks.append(f"Not crossed: {why}")
        crosser = Crosser(runs, self.probed)
        crosser.read(self.arms or list(study.arms), pairs)
        panels = [panel for texts, head in pairs if (panel := _panel(crosser, texts, head))]
        if not panels:
            why = " ".join(remarks) or "No run of two such tasks has finished."
            return Section(title, f"No head can be given another task's texts. {why}", [])
        matched = [(one, other) for one, other in pairs if labels[one] != labels[other] and labels[one] < labels[other]]
        remarks += [f"{_class_names(labels, pair)} are taken for the same, in this order." for pair in matched]
        parts = [_READING, *remarks, crossed_figure(panels, study), _table(panels, study)]
        return Section(title, _sentence(panels, study), parts)


_READING = (
    "An accuracy near or below the majority rate need not mean that a head knows nothing of the other task's texts: "
    "its threshold may be off. AUC tells whether it puts the texts in the right order. And a joint encoder has seen "
    "the texts of both tasks, so that its crossed heads show how alike the tasks' directions are, not how well it "
    "works on texts of a new kind."
)


def _panel(crosser: Crosser, texts: str, head: str) -> Panel | None:
    """None if no run with the other task's head has finished."""
    rows = [
        row
        for kind in ("own", "crossed", "probe")
        for row in crosser.rows.values()
        if row.texts == texts and row.kind == kind and row.head == (texts if kind == "own" else head)
    ]
    if not any(row.kind == "crossed" for row in rows):
        return None
    arms, gold = crosser.runs.study.arms, crosser.gold(texts)
    fitting = [row for row in rows if arms[row.arm].alone or head in arms[row.arm].tasks]
    return Panel(texts, head, scores(fitting, gold, crosser.clusters(texts)), majority(gold))


def _class_names(labels: Mapping[str, Sequence[str]], pair: tuple[str, str]) -> str:
    return " and ".join(f"the classes of {task} ({', '.join(labels[task])})" for task in pair).capitalize()


_ANSWERED_BY = {"own": "its own head", "crossed": "the other head", "probe": "a probe on the other's encoder"}


def _table(panels: Sequence[Panel], study: Study) -> DataTable:
    rows: list[list[Value]] = []
    for panel in panels:
        for score in panel.scores:
            who = (panel.texts, panel.head, _ANSWERED_BY[score.row.kind], clean(study.arms[score.row.arm].title))
            accuracy = (score.accuracy.value, *(score.accuracy.interval() or (None, None)))
            auc = (score.auc, *(score.auc_interval or (None, None)))
            rows.append([*who, *accuracy, *auc, score.second, panel.majority, len(score.row.seeds)])
    columns = ["Texts of", "Crossed with", "Answered by", "Arm"]
    columns += [Column(title, "points") for title in ("Accuracy", "from", "to", "AUC", "from ", "to ")]
    columns += [Column("Says the second class", "share"), Column("Majority", "points"), "Seeds"]
    note = (
        "Times 100, means over the seeds with 95 % intervals over seeds and texts. Where the two kinds of classes are "
        "about as frequent and a head almost always says the same one, its threshold is off."
    )
    return DataTable("crossed", columns, rows, note, title="Crossed heads and their controls")


def _sentence(panels: Sequence[Panel], study: Study) -> str:
    """For each direction the crossed heads, the majority rate and the probe."""
    sentences = []
    for panel in panels:
        crossed = [
            f"{points(score.accuracy.value)} % with “{clean(study.arms[score.row.arm].title)}”"
            + (f" (AUC {points(score.auc)})" if score.auc is not None else "")
            for score in panel.scores
            if score.row.kind == "crossed"
        ]
        probes = [score for score in panel.scores if score.row.kind == "probe"]
        probed = f"; a probe on that encoder gets {points(probes[0].accuracy.value)} %" if probes else ""
        sentences.append(
            f"Of the texts of {panel.texts} the head of {panel.head} gets {' and '.join(crossed)} right, where the "
            f"majority is {points(panel.majority)} %{probed}."
        )
    return " ".join(sentences)


# ---- the figure ------------------------------------------------------------------------------------------------------

LONGEST = 32
COLOURS = {"own": MUTED, "crossed": SERIES[0], "probe": SERIES[1]}
HEADING = 56


def crossed_figure(panels: Sequence[Panel], study: Study) -> Figure:
    """The accuracy of each row as a bar from 0, with its interval, and the majority rate as a dashed line."""
    with drawing.house_look():
        heights = [(ROW + 8) * (len(panel.scores) + 1) for panel in panels]
        sheet, top, descriptions = drawing.new_sheet(sum(heights) + HEADING * len(panels) + 14), 0.0, []
        for panel, height in zip(panels, heights, strict=True):
            title = f"{shortened(panel.texts, LONGEST)}, answered by the head of {shortened(panel.head, LONGEST)}"
            axes = drawing.panel(sheet, title, top + 4, height, left=216, right=54)
            names = [_row_name(score, study) for score in panel.scores]
            values = [*(score.accuracy.value for score in panel.scores), panel.majority]
            drawing.rows(axes, [*names, "always the same class"], list(map(points, values)))
            axes.margins(x=0)
            axes.yaxis.grid(visible=False)
            for at, (score, name) in enumerate(zip(panel.scores, names, strict=True)):
                value = score.accuracy.value
                axes.barh(at, 100 * value, height=0.56, color=COLOURS[score.row.kind], alpha=0.55)
                low, high = score.accuracy.interval() or (value, value)
                axes.plot([100 * max(0, low), 100 * min(1, high)], [at, at], color=INK, linewidth=1.6)
                descriptions.append(f"{panel.texts}, {name.replace(chr(10), ' ')}: {points(value)}")
            axes.axvline(100 * panel.majority, color=INK, linewidth=1, linestyle=drawing.DASHES[1])
            axes.barh(len(panel.scores), 100 * panel.majority, height=0.56, color=BAND)
            axes.set_xlim(0, 100)
            axes.set_xticks(np.arange(0, 101, 25))
            top += height + HEADING
        axes.set_xlabel("accuracy × 100, 95 % interval over seeds and texts")
        reading = (
            "Each bar is the accuracy on a task's reported texts, its line the 95 % interval. Grey: the task's own "
            "head. Blue: the head of the other task, which has seen no text of this one. Orange: a new linear head, "
            "trained for this task on the other task's encoder, which stays as it is. The dashed line is what it "
            "takes to say the most frequent class always."
        )
        title = "Texts answered by another task's head"
        return drawing.finish(sheet, "crossed", title, reading, f"{title}. {'; '.join(descriptions)}.")


def _row_name(score: Score, study: Study) -> str:
    """Two short lines: the head and the arm."""
    row = score.row
    names = {"own": "own head", "crossed": f"head of {row.head}", "probe": f"probe on encoder of {row.head}"}
    return f"{names[row.kind][:30]}\n{clean(study.arms[row.arm].title)[:28]}"
