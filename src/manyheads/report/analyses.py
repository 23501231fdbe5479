"""The part of the report that says what the analyses found."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from manyheads.report.drawing import points
from manyheads.report.markup import Cell, chance, chip, few, fold, gain, link, note, share, table, text

FOLDED_FROM = 160
"""Characters; a longer text is folded to its beginning, or to what stands around its mark."""
WIDE_FROM = 60
"""Characters; a longer text gets a wide column."""
_SHOW: dict[str, Callable[[float], str]] = {"points": points, "gain": gain, "share": share, "chance": chance}


def sections(results: Mapping[str, Any]) -> str:
    """A section for each analysis."""
    return "\n".join(map(_section, results.get("analyses", ())))


def links(results: Mapping[str, Any]) -> str:
    """The links to them, for the table of contents."""
    return " ".join(
        f'<a href="#analysis-{text(one["name"])}">{text(one["title"])}</a>' for one in results.get("analyses", ())
    )


def notice(results: Mapping[str, Any]) -> str:
    """A line for the top of the page, if an analysis failed."""
    failed = [one for one in results.get("analyses", ()) if one["failed"]]
    told = ", ".join(f'<a href="#analysis-{text(one["name"])}">{text(one["title"])}</a>' for one in failed)
    return f'<p class="notice">Failed: {told}.</p>' if failed else ""


def _section(entry: Mapping[str, Any]) -> str:
    name = entry["name"]
    said = f'<p class="answer">{text(entry["finding"])}</p>'
    if entry["failed"]:
        said = f'<p class="notice">This analysis failed: {text(entry["failed"])}</p>'
    body = "\n".join(_part(name, part) for part in entry["parts"])
    title = f'<section id="analysis-{text(name)}" class="analysis">\n<h2>{text(entry["title"])}</h2>'
    return f"{title}\n{said}\n{body}\n</section>"


def _part(analysis: str, part: Mapping[str, Any]) -> str:
    if part["kind"] == "text":
        return f"<p>{text(part['text'])}</p>"
    if part["kind"] == "figure":
        return note(f"Figure: {text(part['file'])}.")
    columns = list(zip(*part["rows"], strict=True)) if part["rows"] else []
    shows = [_shown_as(column["kind"], values) for column, values in zip(part["columns"], columns, strict=False)]
    rows = [[show(value) for show, value in zip(shows, row, strict=True)] for row in part["rows"]]
    heads = [text(column["title"]) for column in part["columns"]]
    title = part["title"] or part["name"]
    shown = table(title, heads, rows, name=f"analysis-{text(analysis)}-{text(part['name'])}")
    body = (shown or note("There is nothing to show.")) + _below(part)
    if part["folded"]:
        return fold(f"{text(title)} <small>{few(part['total'], 'row')}</small>", body)
    return f"<h3>{text(title)}</h3>\n{body}" if part["title"] else body


def _below(part: Mapping[str, Any]) -> str:
    """What one has to know to read a table, and where the rest of it is."""
    left, csv = part["total"] - len(part["rows"]), part["csv"]
    said = [text(part["note"])] if part["note"] else []
    said += [f"{few(left, 'more row')} {'is' if left == 1 else 'are'} left out here."] if left > 0 else []
    if csv and part["rows"]:
        said += [f"{'All rows' if left > 0 else 'As a file'}: {link(csv, '')}."]
    return note(" ".join(said)) if said else ""


def _shown_as(kind: str, values: Sequence[Any]) -> Callable[[Any], Cell]:
    """How a column shows its values: numbers all with as many decimals as the largest of them needs."""
    show = _SHOW.get(kind) or _number(values)
    numeric = any(isinstance(value, int | float) for value in values)

    def cell(value: Any) -> Cell:
        if isinstance(value, int | float):
            return Cell(show(value), value, "number")
        if value is None:
            return Cell("–", None, "number" if numeric else "")
        if kind == "verdict":
            return Cell(chip(value), value)
        words = value if isinstance(value, str) else value["text"]
        return Cell(_words(value), words[:80], "text" if len(words) > WIDE_FROM else "")

    return cell


def _number(values: Sequence[Any]) -> Callable[[float], str]:
    floats = [abs(value) for value in values if isinstance(value, float)]
    largest = max(floats, default=0.0)
    decimals = 0 if not floats else 3 if largest == 0 else min(4, max(1, 2 - math.floor(math.log10(largest))))

    def show(value: float) -> str:
        if isinstance(value, int) and not floats:
            return f"{value:,}".replace("-", "−")
        return f"{value:,.{decimals}f}".replace("-", "−")

    return show


def _words(value: str | Mapping[str, Any]) -> str:
    """A text, or one with a mark. A long one is folded."""
    whole, start, end = (value, 0, 0) if isinstance(value, str) else (value["text"], value["start"], value["end"])
    if len(whole) <= FOLDED_FROM:
        return _with_mark(whole, start, end)
    first = max(0, min(start - FOLDED_FROM // 3, len(whole) - FOLDED_FROM))
    last = first + FOLDED_FROM
    short = _with_mark(whole[first:last], start - first, min(end, last) - first)
    around = f"{'…' if first else ''}{short}{'…' if last < len(whole) else ''}"
    inside = _with_mark(whole, start, end)
    return f'<details class="long"><summary>{around}</summary><div>{inside}</div></details>'


def _with_mark(whole: str, start: int, end: int) -> str:
    if start >= end:
        return text(whole)
    return f"{text(whole[:start])}<mark>{text(whole[start:end])}</mark>{text(whole[end:])}"
