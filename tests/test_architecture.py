"""Who may import whom, and what there is to be little of. What no line of the layers allows is forbidden."""

import ast
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

import manyheads

SOURCE = Path(manyheads.__file__).parent
LAYERS = [
    {"core"},
    {"metrics", "registry", "encoders", "sampling", "weighting", "penalties"},
    {"datasets", "heads", "results"},
    {"sharing", "study", "data", "report"},
    {"training", "analyses"},
    {"inference", "runner", "scoring"},
    {"api", "cli", "__init__", "__main__"},
]
LAYER = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FAMILIES = {"analyses", "datasets", "encoders", "heads", "penalties", "sampling", "sharing", "weighting"}
# Beside what is below them: the package loads the version, `python -m manyheads` the commands.
ALSO = {("__main__", "cli"), ("study", "datasets._checks")}
# Where an import of ours may stand inside a function, so that what is heavy is loaded when it is needed.
DELAYED = {"__main__.py", "cli.py", "registry.py"}

FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES}


@cache
def read(path: Path) -> str:
    return path.read_text("utf-8")


parsed = cache(ast.parse)


def imported(tree: ast.AST) -> list[tuple[str, str]]:
    """(room, rest of the module's name) of every import of ours."""
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            root, *inside = name.split(".")
            if root == "manyheads" and inside:
                module = SOURCE.joinpath(*inside)
                known = module.is_dir() or module.with_suffix(".py").is_file()
                found.append((inside[0], ".".join(inside[1:] if known else inside[1:-1])))
    return found


def upward(path: Path, source: str) -> list[str]:
    """The imports of a file that the layers do not allow."""
    room, wrong = path.relative_to(SOURCE).parts[0].removesuffix(".py"), []
    for other, rest in imported(parsed(source)):
        if (room, f"{other}.{rest}" if rest else other) in ALSO or (other not in ROOMS and room == "__init__"):
            continue
        if other == room:
            if room in FAMILIES and rest and not rest.split(".")[-1].startswith("_"):
                wrong.append(f"a member of {room} imports its sibling {rest}")
        elif LAYER[other] >= LAYER[room]:
            wrong.append(f"{room} imports {other}, which is not below it")
        elif other in FAMILIES and rest:
            wrong.append(f"{room} imports the member {other}.{rest}, not the contract")
    return wrong


def test_every_room_has_its_layer():
    assert set(LAYER) >= ROOMS


def test_imports_go_downward():
    assert {str(path): wrong for path in FILES if (wrong := upward(path, read(path)))} == {}


def test_nothing_imports_in_a_circle():
    edges = {path: _modules(read(path)) - {path} for path in FILES}
    while ends := [path for path, needs in edges.items() if not needs & set(edges)]:
        for path in ends:
            del edges[path]
    assert sorted(str(path.relative_to(SOURCE)) for path in edges) == []


def _modules(source: str) -> set[Path]:
    """The files of ours that a source imports when it is imported itself."""
    found = set()
    for node in parsed(source).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "manyheads":
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                inside = SOURCE.joinpath(*name.split(".")[1:])
                found |= {path for path in (inside.with_suffix(".py"), inside / "__init__.py") if path.is_file()}
    return found


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("core/values.py", "from manyheads import registry"),
        ("metrics/resampled.py", "from manyheads.results.records import read_records"),
        ("heads/span.py", "from manyheads.sharing import Sharing"),
        ("weighting/fixed.py", "from manyheads.weighting.pcgrad import PCGrad"),
        ("results/compare.py", "from manyheads.training.model import open_model"),
        ("report/tables.py", "import manyheads.runner.progress"),
        ("study/steps.py", "from manyheads.data.batches import encoded"),
        ("training/loop.py", "from manyheads.runner.pool import execute"),
        ("analyses/transfer_matrix.py", "from manyheads.training import run"),
        ("runner/run_study.py", "from manyheads.api import Study"),
        ("inference.py", "from manyheads.heads.span import Span"),
        ("api.py", "from manyheads import cli"),
    ],
)
def test_a_forbidden_import_is_noticed(file: str, line: str):
    assert upward(SOURCE / file, read(SOURCE / file) + f"\n{line}\n") != []


def test_no_import_of_ours_is_hidden():
    for path in FILES:
        source = read(path)
        assert "TYPE_CHECKING" not in source, path
        if path.name in DELAYED:
            continue
        for node in ast.walk(parsed(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert imported(node) == [], (path, node.name)


def test_no_file_is_a_drawer():
    assert {path.stem for path in FILES} & {"utils", "helpers", "common", "base", "manager"} == set()


# What is counted, and how many there may be.
COUNTS = {
    "files at the top": 7,
    "[str, Any]": 60,
    "fmt: skip": 15,
    "companions outside heads, analyses and encoders": 0,
}


def counted(what: str, files: Iterable[Path] = FILES) -> int:
    if what == "files at the top":
        return sum(path.parent == SOURCE for path in files)
    if what.startswith("companions"):
        companions = [path for path in files if path.match("*/_*_checks.py")]
        return sum(path.parent.name not in {"heads", "analyses", "encoders"} for path in companions)
    return sum(read(path).count(what) for path in files)


@pytest.mark.parametrize("what", COUNTS)
def test_there_are_few(what: str):
    assert counted(what) <= COUNTS[what]


# ------------------------------------------------------------------------------------------- what runs without torch

HEAVY = {"torch", "transformers", "torchjd", "safetensors"}
# What `check` runs: its own modules, and what the registry loads for it without anybody importing it by name.
FOR_CHECK = [
    SOURCE / "cli.py", SOURCE / "scoring.py", SOURCE / "study" / "estimate.py", *SOURCE.glob("*/_*_checks.py"),
    *SOURCE.glob("datasets/*.py"), *SOURCE.glob("sampling/*.py"),
]  # fmt: skip


def packages_needed(files: Iterable[Path], read: Callable[[Path], str] = read) -> set[str]:
    """The third-party packages that files import when they are imported themselves, and those that they import."""
    packages, waiting, seen = set(), list(files), set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        # A module in a package runs the package first. The registry loads companions by their path, without it.
        if not path.stem.endswith("_checks") or path.parent.name == "datasets":
            waiting.append(path.with_name("__init__.py"))
        waiting += _modules(read(path))
        for node in parsed(read(path)).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            packages |= {name.split(".")[0] for name in names} - {"manyheads"}
    return packages


def test_check_needs_no_torch():
    packages = packages_needed(FOR_CHECK)
    assert {"tokenizers", "huggingface_hub", "datasets", "numpy", "pydantic"} <= packages
    assert not packages & HEAVY


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("core/encoder_info.py", "import torch"),
        ("datasets/__init__.py", "from torch import Tensor"),
        ("heads/_span_checks.py", "from manyheads.heads._windows import windows"),
        ("study/flops.py", "from manyheads.training import model"),
    ],
)
def test_a_heavy_import_in_check_is_noticed(file: str, line: str):
    def changed(path: Path) -> str:
        return read(path) + (f"\n{line}\n" if path == SOURCE / file else "")

    assert packages_needed(FOR_CHECK, changed) & HEAVY
