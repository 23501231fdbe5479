"""What an analysis found, as plain values for results.json, and its tables as files."""

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Any

from manyheads.analyses import Column, Finding, Grid, Marked
from manyheads.report.drawing import Figure
from manyheads.report.tables import TextTable

LONGEST = 1_000
"""Characters of a text in the page; the file has all of them."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def told(name: str, finding: Finding) -> tuple[dict[str, Any], dict[str, bytes]]:
    """An analysis's entry in results.json, and its files by their path in the study's folder.

    :raises ValueError: If the finding is not as the contract has it.
    """
    parts: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for part in finding.parts:
        if isinstance(part, str):
            parts.append({"kind": "text", "text": part})
            continue
        _check_name(
            part.name, [one for one in parts if one["kind"] == ("table" if isinstance(part, Grid) else "figure")]
        )
        if isinstance(part, Figure):
            file, svg = f"figures/{name}-{part.name}.svg", part.svg.encode()
            parts.append(_figure(part, file, hashlib.sha256(svg).hexdigest()))
            files[file] = svg
            continue
        path = f"analyses/{name}/{part.name}.csv" if part.csv else None
        parts.append(_table(part, path))
        if path:
            files[path] = _csv(part).encode("utf-8", errors="replace")
    if not finding.title or not finding.finding:
        raise ValueError("a finding has a title and opens with a sentence")
    entry = {"name": name, "title": finding.title, "finding": finding.finding, "failed": None, "parts": parts}
    return entry, files


def lost(name: str, reason: str) -> dict[str, Any]:
    """The entry of an analysis that failed."""
    return {"name": name, "title": name.replace("_", " ").capitalize(), "finding": "", "failed": reason, "parts": []}


def _check_name(name: str, others: Sequence[dict[str, Any]]) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a table or a figure, for files are called after them")
    if name.lower() in {other["name"].lower() for other in others}:
        raise ValueError(f"two tables, or two figures, are called {name!r}")


def _figure(figure: Figure, file: str, sha256: str) -> dict[str, Any]:
    return {
        "kind": "figure", "name": figure.name, "title": figure.title, "alt": figure.alt, "reading": figure.reading,
        "file": file, "sha256": sha256,
    }  # fmt: skip


def _table(grid: Grid, path: str | None) -> dict[str, Any]:
    columns = [column if isinstance(column, Column) else Column(column) for column in grid.columns]
    if any(len(row) != len(columns) for row in grid.rows):
        raise ValueError(f"table {grid.name}: a row is not as wide as the {len(columns)} columns")
    return {
        "kind": "table", "name": grid.name, "title": grid.title, "folded": grid.folded, "note": grid.note,
        "csv": path, "total": len(grid.rows),
        "columns": [{"title": column.title, "kind": column.kind} for column in columns],
        "rows": [[_value(value) for value in row] for row in grid.rows[: grid.shown]],
    }  # fmt: skip


def _value(value: Any) -> Any:
    """As JSON has it: null for what is not finite, long texts cut."""
    if isinstance(value, Marked):
        return _excerpt(value)
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _excerpt(marked: Marked) -> dict[str, Any]:
    """What stands around the mark, if the text is too long."""
    text, start, end = marked.text, marked.start, marked.end
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"a mark from {start} to {end} is not inside a text of {len(text)} characters")
    first = max(0, min(start - LONGEST // 2, len(text) - LONGEST))
    last = first + LONGEST
    before, after = "…" if first else "", "…" if last < len(text) else ""
    inside = [min(max(at - first, 0), LONGEST) + len(before) for at in (start, end)]
    return {"text": f"{before}{text[first:last]}{after}", "start": inside[0], "end": inside[1]}


def _csv(grid: Grid) -> str:
    header = [column.title if isinstance(column, Column) else column for column in grid.columns]
    return TextTable("", header, [[_raw(value) for value in row] for row in grid.rows]).csv()


def _raw(value: Any) -> str:
    if isinstance(value, Marked):
        return value.text
    value = value.item() if hasattr(value, "item") else value
    return "" if value is None else str(value)
