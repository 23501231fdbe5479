"""The formats of the files that runs write: their number, what it changed, and older files in the words of today.

`FORMAT` rises when a key is renamed, when a setting is added, or when a default that changes results becomes another
one.
"""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from manyheads.core.problems import shown

FORMAT = 3
COST_IN_FORMAT_1 = {
    "operations": "flops",
    "operations_per_second": "flops_per_second",
    "ceiling": "peak_flops_per_second",
}
DATA_IN_FORMAT_1 = {"clipped": "truncated", "ceiling": "answerable"}
_OF_TEXTS: dict[str, JsonValue] = {"overflow": "truncate", "stride": None, "window_pooling": "mean"}
ADDED_SETTINGS: dict[str, tuple[int, JsonValue]] = {
    "encoder=pretrained.settings.allow_missing": (3, []),
    **{
        f"tasks.*.head={head}.settings.{key}": (3, before)
        for head, own in {"classification": {"positive": ""}, "regression": {"center": 0.0, "spread": 1.0}}.items()
        for key, before in {**_OF_TEXTS, **own}.items()
    },
    "tasks.*.dataset=conll.settings.unseen": (3, "refuse"),
    **{
        f"tasks.*.dataset=table.settings.{key}": (3, before)
        for key, before in {"join": " ", "unseen": "refuse", "separator": ""}.items()
    },
}
"""Each setting that format 1 did not have: the format that brought it, and the value that says what runs did before.

A part of the key is a key of `RunSettings`, `*` for every task, or `head=span` for a head of that name:
`{"training.average": (3, 0.0), "tasks.*.head=span.settings.max_answer": (4, 30)}`.
"""


class FormatError(ValueError):
    """A file was written in a format that this version does not know."""


def known_format(content: Mapping[str, JsonValue]) -> int:
    """The format that a file says it has; 1 if it says nothing.

    :raises FormatError: If it is none that this version reads.
    """
    written = content.get("format", 1)
    if isinstance(written, int) and not isinstance(written, bool) and 1 <= written <= FORMAT:
        return written
    raise FormatError(f"was written in format {shown(written)}; this version reads 1 to {FORMAT}")


def in_this_format(content: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A record in the words of this format; `format` stays what it was.

    :raises FormatError: If a later version wrote it.
    """
    record = {**content, "format": known_format(content)}
    if record["format"] == 1:
        record["cost"] = renamed(record.get("cost"), COST_IN_FORMAT_1)
        data = record.get("data")
        record["data"] = {task: _data(about) for task, about in data.items()} if isinstance(data, dict) else data
    return record


def _data(about: JsonValue) -> JsonValue:
    """What format 1 says about a task's data."""
    about = renamed(about, DATA_IN_FORMAT_1)
    if isinstance(about, dict) and isinstance(encoding := about.get("encoding"), dict):
        about["encoding"] = {split: renamed(counts, DATA_IN_FORMAT_1) for split, counts in encoding.items()}
    return about


def renamed(value: JsonValue, names: Mapping[str, str]) -> JsonValue:
    """An object with other keys; anything else as it is."""
    return {names.get(key, key): part for key, part in value.items()} if isinstance(value, dict) else value


def with_added(settings: dict[str, JsonValue], written: int) -> dict[str, JsonValue]:
    """Settings that were written in some format, with the value "as before" for each setting that came later."""
    for path, (brought, before) in ADDED_SETTINGS.items():
        if written < brought:
            *above, last = path.split(".")
            places: list[JsonValue] = [settings]
            for part in above:
                places = [inner for place in places for inner in _inside(place, part)]
            for place in places:
                if isinstance(place, dict):
                    place.setdefault(last, before)
    return settings


def _inside(value: JsonValue, part: str) -> Iterable[JsonValue]:
    """What stands below a part of a key of `ADDED_SETTINGS`."""
    if not isinstance(value, dict):
        return []
    key, _, method = part.partition("=")
    found = value.values() if key == "*" else [value.get(key)]
    return [one for one in found if isinstance(one, dict) and method in ("", one.get("name"))]
