"""The figures of which words matter: how well models agree, and the ranks of words in one model against another's."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes

from manyheads.analyses._agreement import across, rho
from manyheads.analyses._word_pairs import SUM, Agreement
from manyheads.metrics.resampled import ranks
from manyheads.report import drawing
from manyheads.report.drawing import INK, MUTED, ROW, SERIES, WIDTH, Figure, Sheet
from manyheads.report.templating import shortened
from manyheads.results.numbers import fixed

POINTS = 300
"""How many words of a scatter are drawn."""
PANELS = 6
"""How many scatters a figure has."""
SIDE, GAP, HEAD = 196, 60, 66
LABELLED = 3
LONGEST = 30


def agreement_figure(found: Sequence[Agreement]) -> Figure:
    """Each pair's correlation with its interval, for each score a panel."""
    panels = [(score, list(of_score)) for score, of_score in groupby(found, key=lambda one: one.score)]
    height = sum(ROW * len(rows) + 52 for _, rows in panels) + 24
    with drawing.house_look():
        sheet, top = drawing.new_sheet(height), 0.0
        for score, rows in panels:
            axes = drawing.panel(sheet, score[0].upper() + score[1:], top, ROW * len(rows), left=238, right=52)
            drawing.rows(axes, [_two_lines(one) for one in rows], [_number(one.rho.value) for one in rows])
            axes.axvline(0, color=INK, linewidth=1)
            for at, one in enumerate(rows):
                low, high = one.rho.interval or (one.rho.value, one.rho.value)
                colour, marker = (SERIES[0], "o") if one.other else (MUTED, "D")
                axes.plot([low, high], [at, at], color=colour, linewidth=2)
                axes.plot([one.rho.value], [at], marker, color=colour, markersize=8)
            lowest = min(0.0, *(one.rho.interval[0] if one.rho.interval else one.rho.value for one in found))
            axes.set_xlim(min(-0.1, lowest - 0.05), 1.05)
            top += ROW * len(rows) + 52
        axes.set_xlabel("Spearman's ρ of the ranks of words, 95 % interval")
        reading = (
            "How alike two models rank the words by each score: 1 the same order, 0 none in common. Diamonds: two "
            "seeds of the same model, the most to expect of two models. A score on which even they do not agree says "
            "nothing of what a model has learned."
        )
        title = "Do two models find the same words important?"
        every = "; ".join(f"{one.score}, {one.name}: {_number(one.rho.value)}" for one in found)
        return drawing.finish(sheet, "agreement", title, reading, f"{title} {every}.")


def scatter_figure(score: str, found: Sequence[Agreement], ceilings: Mapping[str, float]) -> Figure:
    """The ranks of words in one model against those in another, a panel for each pair, of one seed each.

    :param found: Pairs of models.
    :param ceilings: name of a model -> the correlation of two seeds of it.
    """
    drawn = found[:PANELS]
    lines = -(-len(drawn) // 2)
    with drawing.house_look():
        sheet = drawing.new_sheet(lines * (SIDE + HEAD + 46))
        tall = sheet.get_figheight() * 72
        for at, one in enumerate(drawn):
            left, top = 44 + (at % 2) * (SIDE + GAP), (at // 2) * (SIDE + HEAD + 46)
            box = (left / WIDTH, 1 - (top + HEAD + SIDE) / tall, SIDE / WIDTH, SIDE / tall)
            _panel(sheet, sheet.add_axes(box), one, (left - 40, top, tall), ceilings)
        reading = (
            f"Each point is a word, at its rank in one model (1 matters most) and in the other, of one seed each; at "
            f"most {POINTS} words of each pair are drawn, evenly over the ranks. A rising line: both models find the "
            "same words important. A cloud: they do not. A falling one: what is first for one is last for the "
            "other. Above: ρ of these words, its mean over the seeds, and that of two seeds of each model."
        )
        reading += f" {len(found) - PANELS} more pairs are in the table." if len(found) > PANELS else ""
        title = f"Ranks of words by the {score}" if score == SUM else f"Ranks of words by {score}"
        every = "; ".join(f"{one.name}: correlation {_number(one.rho.value)}" for one in drawn)
        name = "ranks-sum" if score == SUM else "ranks-gradient"
        return drawing.finish(sheet, name, title, reading, f"{title}. {every}.")


def _panel(
    sheet: Sheet, axes: Axes, one: Agreement, place: tuple[float, float, float], ceilings: Mapping[str, float]
) -> None:
    """A scatter with its heading.

    :param place: The panel's distance from the left and from the top, and the height of the sheet; in points.
    """
    left, top, tall = place
    assert one.other is not None
    pair = across(one.one.on(one.words), one.other.on(one.words))[0]
    x, y = (len(one.words) + 1 - ranks(each) for each in pair)
    chosen = np.unique(np.argsort(x)[np.linspace(0, len(x) - 1, min(POINTS, len(x))).astype(int)])
    axes.plot(x[chosen], y[chosen], "o", color=SERIES[0], markersize=3.2, alpha=0.65, markeredgewidth=0)
    last = len(one.words)
    axes.set_xlim(1 - 0.03 * last, 1.03 * last)
    axes.set_ylim(1 - 0.03 * last, 1.03 * last)
    ticks = [1, last // 2, last]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks], rotation=90, va="center")
    axes.set_xlabel(f"rank in {shortened(one.one.name, LONGEST)}", labelpad=2)
    axes.set_ylabel(f"rank in {shortened(one.other.name, LONGEST)}", labelpad=2)
    seeds = ", ".join(_number(ceilings[model.name]) for model in (one.one, one.other) if model.name in ceilings)
    first = ", ".join(shortened(one.words[at], 14) for at in np.argsort(x + y)[:LABELLED].tolist())
    correlation = f"ρ = {_number(rho(*pair))}, mean {_number(one.rho.value)}"
    ceiling = f"two seeds of a model: {seeds}" if seeds else ""
    sheet.text(left / WIDTH, 1 - (top + 14) / tall, correlation, weight="bold", size=13)
    sheet.text(left / WIDTH, 1 - (top + 33) / tall, ceiling, size=11, color=MUTED)
    sheet.text(left / WIDTH, 1 - (top + 49) / tall, f"first: {first}", size=11, color=INK)


def _two_lines(one: Agreement) -> str:
    if one.other is None:
        return f"two seeds of {shortened(one.one.name, LONGEST)}"
    return f"{shortened(one.one.name, LONGEST)}\n– {shortened(one.other.name, LONGEST)}"


def _number(value: float) -> str:
    return "undefined" if not np.isfinite(value) else fixed(value, 2)
