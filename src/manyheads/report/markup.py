"""The small pieces of HTML that a report is made of. Every text that comes from data passes through `text`."""

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from manyheads.report.drawing import Figure, clean, points

SIGNS = {"helps": "↑", "hurts": "↓", "no difference": "≈", "cannot tell": "?"}
FILTER_FROM = 16  # rows; a table this long gets a box to filter it


def text(value: object) -> str:
    """Any text as HTML shows it."""
    return html.escape(clean(value))


def note(content: str) -> str:
    """A quiet paragraph."""
    return f'<p class="note">{content}</p>'


def few(n: float, one: str) -> str:
    """A number of things: 1 arm, 2 arms."""
    return f"{n:,} {one if n == 1 else one + 's'}"


def large(n: float) -> str:
    """A count as people say it: 1.64 M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if n >= size:
            return f"{n / size:.3g}\N{NO-BREAK SPACE}{unit}"
    return f"{n:,.0f}"


def span(interval: Sequence[float] | None, sign: str = "") -> str:
    """An interval of scores, times 100."""
    return f"{points(interval[0], sign)} to {points(interval[1], sign)}" if interval else "–"


def chance(p: float) -> str:
    """A p value."""
    return "&lt; 0.001" if p < 0.001 else f"{p:.3f}"


def share(part: float) -> str:
    """A part of the whole, in per cent."""
    return f"{100 * part:.1f} %"


def minutes(seconds: float) -> str:
    """Seconds as minutes."""
    return f"{seconds / 60:,.1f}"


def gain(difference: float | None) -> str:
    """A difference of scores times 100, always with its sign."""
    return "–" if difference is None else points(difference, "+")


def chip(verdict: str) -> str:
    """A verdict in words, with a sign and a colour that only repeat them."""
    kind = re.sub(r"[^a-z]+", "-", verdict)
    return f'<span class="chip {kind}"><span aria-hidden="true">{SIGNS.get(verdict, "?")}</span> {text(verdict)}</span>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, both HTML already."""
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in pairs) + "</dl>"


def fold(title: str, content: str, name: str = "") -> str:
    """Content that is folded away under its title."""
    mark = f' id="{name}"' if name else ""
    return f'<details{mark}><summary>{title}</summary><div class="folded">\n{content}\n</div></details>'


def figure(drawn: Figure) -> str:
    """A figure with its title and how to read it."""
    caption = f"<figcaption><h3>{text(drawn.title)}</h3><p>{text(drawn.reading)}</p></figcaption>"
    return f'<figure id="figure-{drawn.name}">{caption}\n{drawn.inline()}</figure>'


def items(contents: Iterable[str]) -> str:
    """A list of sentences that are HTML already."""
    return '<ul class="prose">' + "".join(f"<li>{content}</li>" for content in contents) + "</ul>"


def link(path: str, end: str = "/") -> str:
    """A path inside the study's folder as a link, if it is nothing but that.

    :param end: "" for a file.
    """
    plain = re.fullmatch(r"[A-Za-z0-9][\w.=-]*(/[A-Za-z0-9][\w.=-]*)*", path, re.ASCII)
    return f'<a href="{path}{end}">{path}</a>' if plain else f"<code>{text(path)}</code>"


def code(content: str, about: str) -> str:
    """A text in a box that scrolls by itself."""
    return f'<pre tabindex="0" role="region" aria-label="{text(about)}"><code>{text(content)}</code></pre>'


def toml(settings: Mapping[str, Any], name: str = "") -> str:
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


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_inline(part)}' for key, part in value.items())} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value, ensure_ascii=False, default=str)


class Cell(NamedTuple):
    """A cell: HTML, what to sort it by unless it is empty, and `number` if it stands at the right."""

    content: str
    sort: object = None
    kind: str = ""


def word(value: object) -> Cell:
    """A cell with a text, or nothing."""
    return Cell("–" if value is None else text(value), value)


def number(value: float | None, show: Callable[[float], str] = "{:,.0f}".format) -> Cell:
    """A cell with a number; one that is missing stays at the end however the table is sorted."""
    return Cell("–" if value is None else show(value), value, "number")


def table(
    about: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, name: str = "", stressed: int | None = None
) -> str:
    """A table in a box that scrolls sideways by itself. It can be sorted, and filtered if it is long.

    :param about: What a screen reader calls it.
    :param name: Its id; a table without one has no filter.
    :param stressed: The row that stands apart.
    """
    if not rows:
        return ""
    kinds = [cell.kind for cell in rows[0]]
    head = "".join(f'<th scope="col"{_kind(kind)}>{title}</th>' for title, kind in zip(heads, kinds, strict=True))
    body = "\n".join(
        f"<tr{_kind('baseline' if i == stressed else '')}>{_cells(row)}</tr>" for i, row in enumerate(rows)
    )
    look = _kind("sortable" if len(rows) > 2 else "") + (f' id="{name}"' if name else "")
    look += " data-filter" if name and len(rows) >= FILTER_FROM else ""
    box = f'<div class="scroll" tabindex="0" role="region" aria-label="{text(about)}">'
    return f"{box}<table{look}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _cells(row: Sequence[Cell]) -> str:
    cells = []
    for i, (content, sort, kind) in enumerate(row):
        tag, scope = ("td", "") if i else ("th", ' scope="row"')
        by = "" if sort is None else f' data-sort="{text(sort)}"'
        cells.append(f"<{tag}{scope}{_kind(kind)}{by}>{content}</{tag}>")
    return "".join(cells)
