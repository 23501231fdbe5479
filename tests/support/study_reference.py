"""Every key that a study file may have, as a page of Markdown: from the models that check it, and methods' sources."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

from manyheads import registry
from manyheads.core.settings import Settings, hints, in_words
from manyheads.registry import Entry, described
from manyheads.study.spec import (
    SGD,
    Adamax,
    AdamW,
    ArmTable,
    Budget,
    CheckpointInterval,
    StudyTable,
    TaskTable,
    TrainingSettings,
)

TABLES: dict[str, type[Settings]] = {
    "The file itself": StudyTable,
    "`[tasks.NAME]`": TaskTable,
    "`[arms.NAME]`": ArmTable,
    "`budget`": Budget,
    "`[training]`": TrainingSettings,
    '`optimizer = { name = "adamw" }`': AdamW,
    '`optimizer = { name = "adamax" }`': Adamax,
    '`optimizer = { name = "sgd" }`': SGD,
    "`checkpoint`": CheckpointInterval,
}
OPENING = """# The study file

A study is one TOML file. What it may hold is told here, table by table, and then for each family every method that may
be named, with its settings: `weighting = { name = "fixed", weights = { sst2 = 2.0 } }`. Whatever is not listed is
refused, with the key that was probably meant, and so is a number that is not finite.

Made from the code that checks a study file, by `tests/study/test_reference.py` with `PYTHONPATH=tests/support`;
do not edit.
"""


def reference() -> str:
    """The whole page."""
    parts = [OPENING]
    for title, model in TABLES.items():
        parts += [f"## {title}\n", _prose(inspect.getdoc(model) or "") + "\n", _table(_fields(model))]
    for family in registry.FAMILIES:
        entries = [registry.describe(family, name) for name in registry.names(family)]
        parts += [f"## {family}\n"] if entries else []
        parts += [_method(entry) for entry in entries]
    return "\n".join(parts)


def _fields(model: type[Settings]) -> list[tuple[str, str, Any, str]]:
    known = {name: text for one in reversed(model.__mro__) for name, text in described(one.__doc__ or "").items()}
    kinds = {name: in_words(kind) for name, kind in hints(model).items() if name in model.model_fields}
    return [
        (name, kinds[name], field.default, known.get(name, ""))
        for name, field in model.model_fields.items()
        if name != "name"
    ]


def _method(entry: Entry) -> str:
    rows = [(one.name, one.kind, one.default, one.about) for one in entry.settings]
    table = _table(rows) if rows else "It takes no settings.\n"
    return f"### {entry.family}: `{entry.name}`\n\n{entry.summary}\n\n{table}"


def _table(rows: Iterable[tuple[str, str, Any, str]]) -> str:
    lines = ["| key | type | default | what it is |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {_shown(default)} | {text} |" for name, kind, default, text in rows]
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    """A default as TOML has it; nothing where there is none to write."""
    if default is registry.REQUIRED:
        return "required"
    if isinstance(default, Settings):
        given = {name: value for name, value in default.model_dump().items() if name in default.model_fields_set}
        inner = ", ".join(f"{name} = {_toml(value)}" for name, value in given.items())
        return f"`{{ {inner} }}`" if inner else ""
    return f"`{_toml(default)}`" if default not in (None, "", ()) else ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _prose(docstring: str) -> str:
    """A docstring without its list of parameters, as one paragraph."""
    return re.sub(r"\s+", " ", re.split(r"\n\s*:param ", docstring)[0]).strip()
