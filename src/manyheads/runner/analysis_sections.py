"""The section of an analysis as results.json has it, and its tables and figures as files."""

import hashlib
import math
import re
from collections.abc import Sequence

import numpy as np

from manyheads.analyses import Column, DataTable, Section, Value
from manyheads.core.values import HighlightedText
from manyheads.report.drawing import Figure
from manyheads.report.tables import TextTable
from manyheads.results.schema import Analysis, AnalysisFigure, AnalysisTable, AnalysisText, MarkedText, TableColumn

LONGEST = 1_000
"""Characters of a text in the page; the file has all of them."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def section_entry(name: str, section: Section) -> tuple[Analysis, dict[str, bytes]]:
    """An analysis' entry in results.json, and its files: path in the study's folder -> content.

    :raises ValueError: If the section is not as the contract has it.
    """
    if not section.title or not section.finding:
        raise ValueError("a section has a title and opens with a sentence")
    parts: list[AnalysisText | AnalysisTable | AnalysisFigure] = []
    files: dict[str, bytes] = {}
    _check_names([part.name for part in section.parts if isinstance(part, DataTable)])
    _check_names([part.name for part in section.parts if isinstance(part, Figure)])
    for part in section.parts:
        if isinstance(part, str):
            parts.append(AnalysisText(text=part))
        elif isinstance(part, Figure):
            path, content = f"figures/{name}-{part.name}.svg", part.svg.encode("utf-8", errors="replace")
            files[path] = content
            parts.append(_figure(part, path, hashlib.sha256(content).hexdigest()))
        else:
            path = f"analyses/{name}/{part.name}.csv" if part.csv else None
            parts.append(_table(part, path))
            if path:
                files[path] = _csv(part).encode("utf-8", errors="replace")
    return Analysis(name=name, title=section.title, finding=section.finding, failed=None, parts=parts), files


def failed_entry(name: str, reason: str) -> Analysis:
    """The entry of an analysis that failed."""
    return Analysis(name=name, title=name.replace("_", " ").capitalize(), finding="", failed=reason, parts=[])


def _check_names(names: Sequence[str]) -> None:
    for at, name in enumerate(names):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a table or a figure, for files are called after them")
        if name.lower() in {other.lower() for other in names[:at]}:
            raise ValueError(f"two tables, or two figures, are called {name!r}")


def _figure(figure: Figure, path: str, sha256: str) -> AnalysisFigure:
    shown = {"title": figure.title, "alt": figure.alt, "reading": figure.reading}
    return AnalysisFigure.model_validate({"name": figure.name, **shown, "file": path, "sha256": sha256})


def _table(table: DataTable, path: str | None) -> AnalysisTable:
    columns = [column if isinstance(column, Column) else Column(column) for column in table.columns]
    if any(len(row) != len(columns) for row in table.rows):
        raise ValueError(f"table {table.name}: a row is not as wide as the {len(columns)} columns")
    return AnalysisTable(
        name=table.name,
        title=table.title,
        folded=table.folded,
        note=table.note,
        csv=path,
        total=len(table.rows),
        columns=[TableColumn(title=column.title, kind=column.kind) for column in columns],
        rows=[[_json_value(value) for value in row] for row in table.rows[: table.shown]],
    )


def _json_value(value: Value) -> MarkedText | str | int | float | None:
    """None for numbers that are not finite; long texts are cut."""
    if isinstance(value, HighlightedText):
        return _excerpt(value)
    value = _plain(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _plain(value: Value) -> Value:
    """A number of numpy's as one of Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _excerpt(whole: HighlightedText) -> MarkedText:
    """The text around the highlighted part, if all of it is too long."""
    text, start, end = whole.text, whole.start, whole.end
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"a mark from {start} to {end} is not inside a text of {len(text)} characters")
    first = max(0, min(start - LONGEST // 2, len(text) - LONGEST))
    last = first + LONGEST
    before, after = "…" if first else "", "…" if last < len(text) else ""
    inside = [min(max(at - first, 0), LONGEST) + len(before) for at in (start, end)]
    return MarkedText(text=f"{before}{text[first:last]}{after}", start=inside[0], end=inside[1])


def _csv(table: DataTable) -> str:
    header = [column.title if isinstance(column, Column) else column for column in table.columns]
    return TextTable("", header, [[_csv_value(value) for value in row] for row in table.rows]).csv()


def _csv_value(value: Value) -> str:
    if isinstance(value, HighlightedText):
        return value.text
    return "" if value is None else str(_plain(value))
