"""The bars of crossed heads."""

from collections.abc import Sequence

import numpy as np

from manyheads.analyses._crossed_answers import Score
from manyheads.report import drawing
from manyheads.report.drawing import BAND, INK, MUTED, ROW, SERIES, Figure
from manyheads.report.templating import clean

LONGEST = 32
COLOURS = {"own": MUTED, "crossed": SERIES[0], "probe": SERIES[1]}
HEADING = 56


def crossed_figure(panels: Sequence[tuple[str, str, Sequence[Score], float]], names: Sequence[Sequence[str]]) -> Figure:
    """The accuracy of each row as a bar from 0, with its interval, and the majority rate as a line.

    :param panels: Whose texts, whose head, the scores, the majority rate.
    :param names: Of each panel's rows.
    """
    with drawing.house_look():
        height = sum((ROW + 8) * (len(rows) + 1) + HEADING for _, _, rows, _ in panels) + 14
        sheet, top = drawing.new_sheet(height), 0.0
        for (texts, head, rows, most), labels in zip(panels, names, strict=True):
            tall = (ROW + 8) * (len(rows) + 1)
            title = f"{_short(texts)}, answered by the head of {_short(head)}"
            axes = drawing.panel(sheet, title, top + 4, tall, left=216, right=54)
            values = [*(score.accuracy.value for score in rows), most]
            drawing.rows(axes, [*labels, "always the same class"], [f"{100 * value:.1f}" for value in values])
            axes.margins(x=0)
            axes.yaxis.grid(visible=False)
            for at, score in enumerate(rows):
                axes.barh(at, 100 * score.accuracy.value, height=0.56, color=COLOURS[score.row.kind], alpha=0.55)
                low, high = score.accuracy.interval() or (score.accuracy.value, score.accuracy.value)
                axes.plot([100 * max(0, low), 100 * min(1, high)], [at, at], color=INK, linewidth=1.6)
            axes.axvline(100 * most, color=INK, linewidth=1, linestyle=drawing.DASHES[1])
            axes.barh(len(rows), 100 * most, height=0.56, color=BAND)
            axes.set_xlim(0, 100)
            axes.set_xticks(np.arange(0, 101, 25))
            top += tall + HEADING
        axes.set_xlabel("accuracy × 100, 95 % interval over seeds and texts")
        reading = (
            "Each bar is the accuracy on a task's reported texts, its line the 95 % interval. Grey: the task's own "
            "head. Blue: the head of the other task, which has seen no text of this one. Orange: a new linear head, "
            "trained for this task on the other task's encoder, which stays as it is. The dashed line is what it "
            "takes to say the most frequent class always."
        )
        told = [
            f"{texts}, {label.replace(chr(10), ' ')}: {100 * score.accuracy.value:.1f}"
            for (texts, _, rows, _), labels in zip(panels, names, strict=True)
            for score, label in zip(rows, labels, strict=True)
        ]
        title = "Texts answered by another task's head"
        return drawing.finish(sheet, "crossed", title, reading, f"{title}. {'; '.join(told)}.")


def _short(name: str) -> str:
    name = clean(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
