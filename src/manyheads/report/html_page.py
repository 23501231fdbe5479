"""Results as one HTML page that opens without a network: answer, verdicts, figures, and what stands behind them.

The page is `templates/page.html`; here is what its templates ask for.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import JsonValue

from manyheads.core.atomic_files import write_whole
from manyheads.report import plots
from manyheads.report.drawing import PALETTE, Figure, coloured
from manyheads.report.templating import TEMPLATES, template_source
from manyheads.results.numbers import alike, gain, p_value, points, share
from manyheads.results.schema import AnalysisFigure, AnalysisTable, MarkedText, StudyResults, Verdict

FOLDED_FROM = 160
"""Characters; a longer text is folded to its beginning, or to what stands around its mark."""
WIDE_FROM = 60
"""Characters; a longer text gets a wide column."""


def write(results: StudyResults, out: Path, figures: Sequence[Figure] | None = None, notes: Sequence[str] = ()) -> Path:
    """Write `out/report.html`, whole or not at all. Figures that are drawn already need not be drawn again."""
    write_whole(out / "report.html", render(results, out, figures, notes))
    return out / "report.html"


def render(results: StudyResults, out: Path, figures: Sequence[Figure] | None = None, notes: Sequence[str] = ()) -> str:
    """The page. The same results, with the same files in the folder `out`, give it byte by byte again.

    :param notes: What is wrong with the folder; stands among the warnings.
    """
    script, comparisons = f"\n{template_source('page.js')}", results.headline_comparisons()
    claims = list(comparisons.values())
    tally = Counter(entry.verdict for entry in claims)
    finished = {
        name: set(results.study.seeds) - {run.seed for run in arm.runs if run.status != "finished"}
        for name, arm in results.arms.items()
    }
    page = TEMPLATES.get_template("page.html").render(
        results=results,
        study=results.study,
        figures=plots.figures(results, out) if figures is None else figures,
        policy=_policy(script),
        style=PALETTE + template_source("style.css"),
        script=script,
        scores=results.headline_scores(),
        comparisons=comparisons,
        all_comparisons={(one.arm, one.task, one.metric): one for one in results.comparisons},
        claims=claims,
        tally=[(verdict, tally[verdict]) for verdict in get_args(Verdict) if verdict in tally],
        noise={entry.task: entry.noise for entry in claims if entry.noise is not None},
        finished=finished,
        paths={(name, run.seed, run.task): run.path for name, arm in results.arms.items() for run in arm.runs},
        positive=any(about.positive for about in results.tasks.values()),
        warnings=[
            *(("the folder", line) for line in notes),
            *((task, line) for task, about in results.tasks.items() for line in about.warnings),
        ],
        toml=toml,
        column_formats=column_formats,
        excerpt=excerpt,
        figure_source=lambda figure: figure_source(figure, out),
    )
    return page.lstrip()


def _policy(script: str) -> str:
    """Nothing is loaded, and no script runs but ours, so that even a text that was not escaped could do no harm."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def toml(settings: Mapping[str, JsonValue], name: str = "") -> str:
    """Settings as one would write them in a study file; small tables stay on one line."""
    lines, tables = [], []
    for key, value in settings.items():
        line = f"{key} = {_inline(value)}"
        deep = isinstance(value, Mapping) and any(isinstance(part, Mapping) for part in value.values())
        if isinstance(value, Mapping) and value and (len(line) > 100 or (deep and not name.count("."))):
            tables.append(toml(value, f"{name}.{key}" if name else str(key)))
        else:
            lines.append(line)
    own = "\n".join([f"[{name}]", *lines] if name and lines else lines)
    return "\n\n".join(part for part in (own, *tables) if part)


def _inline(value: JsonValue) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_inline(part)}' for key, part in value.items())} }}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value, ensure_ascii=False)


# ---- what analyses found ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FigureSource:
    """A figure's file as an address that holds all of it; or why it cannot be shown.

    A browser treats an image so given as a picture: nothing that a file from elsewhere holds can run, load anything,
    or touch the page around it.
    """

    data: str = ""
    problem: str = ""


def figure_source(figure: AnalysisFigure, out: Path) -> FigureSource:
    """An analysis's figure from the study's folder, if its file is the one that the results speak of."""
    path = out / figure.file
    try:
        content = path.read_bytes() if path.is_file() else None
    except OSError as error:
        return FigureSource(problem=f"{figure.file} cannot be read ({error.strerror})")
    if content is None:
        return FigureSource(problem=f"{figure.file} is not there")
    if hashlib.sha256(content).hexdigest() != figure.sha256:
        return FigureSource(problem=f"{figure.file} has changed since it was drawn")
    svg = coloured(content.decode("utf-8", "replace"))
    return FigureSource(f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}")


@dataclass(frozen=True, slots=True)
class ColumnFormat:
    """How a column shows its values: numbers all with as many decimals as the largest of them needs.

    :param head: The class of its head, which is that of its first cell.
    """

    title: str
    kind: str
    show: Callable[[float], str]
    numeric: bool
    head: str


_SHOW: dict[str, Callable[[float], str]] = {"points": points, "gain": gain, "share": share, "chance": p_value}


def column_formats(table: AnalysisTable) -> list[ColumnFormat]:
    """A format for each column of a table that has rows."""
    formats = []
    for column, values in zip(table.columns, zip(*table.rows, strict=True), strict=True):
        numeric = any(isinstance(value, int | float) for value in values)
        if isinstance(first := values[0], str | MarkedText):
            head = "text" if excerpt(first).long and column.kind != "verdict" else ""
        else:
            head = "number" if numeric else ""
        formats.append(ColumnFormat(column.title, column.kind, _SHOW.get(column.kind) or alike(values), numeric, head))
    return formats


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text with a mark, which may be empty; a long one is cut, and `whole` then has all of it.

    :param long: Whether it needs a wide column.
    :param sort: What its column is sorted by.
    """

    before: str
    marked: str
    after: str
    whole: "Excerpt | None" = None
    long: bool = False
    sort: str = ""


def excerpt(value: str | MarkedText) -> Excerpt:
    """A cell's text, cut to what stands around its mark if it is long."""
    text, start, end = (value, 0, 0) if isinstance(value, str) else (value.text, value.start, value.end)
    end = max(start, end)
    whole = Excerpt(text[:start], text[start:end], text[end:], None, len(text) > WIDE_FROM, text[:80])
    if len(text) <= FOLDED_FROM:
        return whole
    first = max(0, min(start - FOLDED_FROM // 3, len(text) - FOLDED_FROM))
    last = first + FOLDED_FROM
    before, after = "…" if first else "", "…" if last < len(text) else ""
    before, after = f"{before}{text[first:start]}", f"{text[end:last]}{after}"
    return Excerpt(before, text[start : min(end, last)], after, whole, whole.long, whole.sort)
