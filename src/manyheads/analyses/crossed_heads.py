"""One task's texts through another task's head: what a head knows of texts that it was not trained on.

The question and the figure are those of Adam K, "Multi-task learning: what is it, how does it work and why does it
work?", GumGum Tech Blog, 2022, https://medium.com/gumgum-tech, section "Cross-task performance"; added are intervals,
and the controls that it takes to read the figure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.analyses import Analysis, Column, Finding, Grid, Material, Value
from manyheads.analyses._crossed_answers import Crosser, Score, clusters_of, crossable, majority, scores
from manyheads.analyses._crossed_figure import crossed_figure
from manyheads.analyses._crossed_heads_checks import crossings, problems
from manyheads.core.problems import Problem
from manyheads.report.templating import clean
from manyheads.results.numbers import points

Panel = tuple[str, str, list[Score], float]
"""Whose texts, whose head, the scores, the majority rate."""


class CrossedHeads(Analysis):
    """The reported texts of task A are answered by the head of task B, in the models of B alone and in the joint models
    of both. Beside it stand

    - the head of A itself, alone and in the joint models: as good as it gets;
    - the majority rate: what needs no model. An accuracy below it, or below chance, does not say that nothing was
      learned, for B's output may only be shifted: the area under the ROC curve (AUC) does not depend on the threshold,
      and the share of answers of the second class tells a shifted one;
    - a linear probe: logistic regression on the frozen encoder of B alone, fitted to training texts of A. What it finds
      is there for A's taking, and a joint model that does better across has aligned its heads, not learned more. For a
      joint encoder has seen texts of A, which B alone has not.

    :param arms: Which arms; all, by default.
    :param tasks: Which tasks; by default all with a `classification` head that an arm trains jointly.
    :param by_order: Whether tasks whose classes have other names are crossed too, class by class in their order.
    :param probed: How many training texts a probe is fitted to, drawn at random; 0 for no probes.
    """

    reads_models = True

    def __init__(
        self,
        *,
        arms: Sequence[str] = (),
        tasks: Sequence[str] = (),
        by_order: bool = False,
        probed: int = 10_000,
    ) -> None:
        self.arms, self.tasks, self.by_order, self.probed = arms, tasks, by_order, probed

    @classmethod
    def problems(cls, plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
        return problems(plan, settings, where)

    def find(self, material: Material) -> Finding:
        title, plan = "Heads crossed", material.plan
        pairs, told = [], []
        labels = {task: material.labels(task) or () for task in plan["tasks"]}
        for pair in crossings(plan, self.arms, self.tasks):
            why = crossable(labels, pair, self.by_order)
            if why is None:
                pairs.append(pair)
            elif pair == tuple(sorted(pair, key=list(labels).index)):
                told.append(f"Not crossed: {why}")
        crosser = Crosser(material, self.probed)
        crosser.read(self.arms or list(plan["arms"]), pairs)
        panels = [panel for pair in pairs if (panel := _panel(crosser, pair))]
        if not panels:
            why = " ".join(told) or "No run of two such tasks has finished."
            return Finding(title, f"No head can be given another task's texts. {why}", [])
        named = [(one, other) for one, other in pairs if labels[one] != labels[other] and labels[one] < labels[other]]
        told += [f"{_classes(labels, pair)} are taken for the same, in this order." for pair in named]
        names = [[_name(score, plan) for score in rows] for _, _, rows, _ in panels]
        parts: list[Any] = [*told, crossed_figure(panels, names), _table(panels, plan)]
        return Finding(title, _sentence(panels, plan), [_READING, *parts])


_READING = (
    "An accuracy near or below the majority rate need not mean that a head knows nothing of the other task's texts: "
    "its threshold may be off. AUC tells whether it puts the texts in the right order. And a joint encoder has seen "
    "the texts of both tasks, so that its crossed heads show how alike the tasks' directions are, not how well it "
    "works on texts of a new kind."
)


def _panel(crosser: Crosser, pair: tuple[str, str]) -> Panel | None:
    """All that answers the texts of one task, by its own heads and those of the other."""
    texts, head = pair
    rows = [
        row
        for kind in ("own", "crossed", "probe")
        for row in crosser.rows.values()
        if row.texts == texts and row.kind == kind and row.head == (texts if kind == "own" else head)
    ]
    if not any(row.kind == "crossed" for row in rows):
        return None
    gold, table = crosser.gold(texts), crosser.material.table(texts)
    about = crosser.material.plan["arms"]
    together = [row for row in rows if about[row.arm]["models"] != "joint" or head in about[row.arm]["tasks"]]
    return texts, head, scores(together, gold, clusters_of(table.rows)), majority(gold)


def _classes(labels: Mapping[str, Sequence[str]], pair: tuple[str, str]) -> str:
    return " and ".join(f"the classes of {task} ({', '.join(labels[task])})" for task in pair).capitalize()


def _label(arm: str, plan: Mapping[str, Any]) -> str:
    return clean(plan["arms"][arm].get("label") or arm)


def _name(score: Score, plan: Mapping[str, Any]) -> str:
    """A row's name: two short lines."""
    row, arm = score.row, _label(score.row.arm, plan)[:28]
    told = {"own": "own head", "crossed": f"head of {row.head}", "probe": f"probe on encoder of {row.head}"}
    return f"{told[row.kind][:30]}\n{arm}"


_WHAT = {"own": "its own head", "crossed": "the other head", "probe": "a probe on the other's encoder"}


def _table(panels: Sequence[Panel], plan: Mapping[str, Any]) -> Grid:
    rows: list[list[Value]] = []
    for texts, head, found, most in panels:
        for score in found:
            interval = score.accuracy.interval() or (None, None)
            of_area = score.auc_interval or (None, None)
            rows.append([
                texts, head, _WHAT[score.row.kind], _label(score.row.arm, plan), score.accuracy.value, *interval,
                score.auc, *of_area, score.second, most, len(score.row.seeds),
            ])  # fmt: skip
    columns = [
        "Texts of", "Crossed with", "Answered by", "Arm", Column("Accuracy", "points"), Column("from", "points"),
        Column("to", "points"), Column("AUC", "points"), Column("from ", "points"), Column("to ", "points"),
        Column("Says the second class", "share"), Column("Majority", "points"), "Seeds",
    ]  # fmt: skip
    note = (
        "Times 100, means over the seeds with 95 % intervals over seeds and texts. Where the two kinds of classes are "
        "about as frequent and a head almost always says the same one, its threshold is off."
    )
    return Grid("crossed", columns, rows, note, title="Crossed heads and their controls")


def _sentence(panels: Sequence[Panel], plan: Mapping[str, Any]) -> str:
    """For each direction the crossed heads, between the majority rate and the task's own head."""
    told = []
    for texts, head, found, most in panels:
        crossed = [score for score in found if score.row.kind == "crossed"]
        parts = [
            f"{points(score.accuracy.value)} % with “{_label(score.row.arm, plan)}”"
            + (f" (AUC {points(score.auc)})" if score.auc is not None else "")
            for score in crossed
        ]
        probes = [score for score in found if score.row.kind == "probe"]
        probed = f"; a probe on that encoder gets {points(probes[0].accuracy.value)} %" if probes else ""
        told.append(
            f"Of the texts of {texts} the head of {head} gets {' and '.join(parts)} right, where the majority is "
            f"{points(most)} %{probed}."
        )
    return " ".join(told)
