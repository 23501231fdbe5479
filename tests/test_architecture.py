"""Who may import whom, as design and `docs/decisions.md` fix it. The direction is downward, with no way back."""

import ast
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import manyheads

SOURCE = Path(manyheads.__file__).parent
FAMILIES = ("analyses", "datasets", "encoders", "heads", "penalties", "sampling", "sharing", "weighting")

# What each part may import of ours, beside `types`, which everything may. Third-party packages are free.
ALLOWED = {
    "__init__": set(),
    "types": set(),
    "strict_json": set(),
    "tensors": set(),
    "metrics": set(),
    "squad": set(),
    "chunks": set(),
    "treebank": set(),
    "facts": set(),
    "texts": {"facts"},
    "datasets": {"chunks", "treebank"},
    "encoders": {"tensors", "facts", "products"},
    "heads": {"tensors", "metrics", "squad", "chunks", "facts", "texts"},
    "sharing": {"tensors", "encoders", "heads"},
    "weighting": set(),
    "sampling": set(),
    "penalties": set(),
    "analyses": {"drawing", "intervals", "metrics", "tensors"},
    "svg": set(),
    "material": {"analyses", "batches", "evaluate", "machine", "model", "records", "tasks"},
    "findings": {"analyses", "drawing", "svg", "tables"},
    "analyse": {
        "__init__", "analyses", "files", "find", "findings", "material", "run_files", "shapes", "study", "workshop",
    },
    "find": set(),
    "study": set(),
    "study_checks": {"find", "study"},
    "study_file": {"find", "study", "study_checks"},
    "plan": {"find", "study", "sampling"},
    "tasks": {"find", "study", "datasets", "row_hash"},
    "optimization": set(),
    "notes": set(),
    "columns": {"notes"},
    "row_hash": set(),
    "token_cache": {"columns"},
    "cache_contents": {"token_cache"},
    "batches": {"tensors", "heads", "columns"},
    "model": {"find", "facts", "tensors", "encoders", "heads", "sharing"},
    "train": {"tensors", "model", "batches", "plan", "optimization", "weighting"},
    "evaluate": {"metrics", "model", "batches", "train"},
    "products": set(),
    "files": set(),
    "lock": set(),
    "checkpoint": {"files"},
    "resume": {"checkpoint"},
    "stopping": set(),
    "machine": {"products"},
    "workshop": {"find", "study", "tasks", "plan", "model", "heads", "columns", "batches", "token_cache", "row_hash"},
    "run": {
        "__init__", "machine", "find", "study", "tasks", "plan", "model", "batches", "train", "evaluate",
        "optimization", "workshop", "resume", "stopping", "files", "run_files", "facts",
    },
    "run_files": {"__init__", "plan", "files"},
    "worker": {"study", "tasks", "workshop", "files"},
    "execute": {"__init__", "machine", "plan", "run", "run_files", "workshop", "worker", "files", "lock"},
    "state": {"__init__", "plan", "records", "resume", "run", "run_files", "execute", "workshop"},
    "score": {"metrics", "squad", "strict_json", "score_sequences"},
    "score_sequences": {"metrics", "chunks", "treebank", "strict_json"},
    "intervals": {"metrics"},
    "shapes": {"metrics", "svg"},
    "results_file": {"shapes", "strict_json"},
    "records": {"metrics", "intervals", "shapes"},
    "verdicts": {"intervals"},
    "compare": {"metrics", "intervals", "records", "verdicts", "files"},
    "tables": {"files"},
    "drawing": set(),
    "plots": {"drawing", "files"},
    "markup": {"drawing"},
    "report_cost": {"markup"},
    "report_analyses": {"markup", "drawing", "svg"},
    "report": {"plots", "markup", "drawing", "report_cost", "report_analyses", "files"},
    "progress": {"plan"},
    "new_study": {"study", "study_checks", "study_file"},
    "answer": {"find", "model", "evaluate"},
    "work": {"find", "facts", "study", "tasks"},
    "estimate": {"find", "study", "study_file", "tasks", "plan", "work"},
    "conduct": {
        "__init__", "study", "study_file", "tasks", "plan", "model", "run", "execute", "progress", "records", "compare",
        "tables", "plots", "report", "token_cache", "workshop", "state", "resume", "checkpoint", "files", "lock",
        "analyse", "material", "report_analyses",
    },
    "results": {"results_file", "tables", "plots", "report", "markup"},
    "notebook": {"answer", "conduct", "estimate", "execute", "model", "progress", "results", "study", "study_file"},
    "__main__": {"cli"},
    "cli": {
        "__init__", "find", "conduct", "results_file", "progress", "estimate", "answer", "score", "tables",
        "token_cache", "cache_contents", "files", "new_study",
    },
}  # fmt: skip


def part_of(path: Path) -> str:
    inside = path.relative_to(SOURCE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def ours_imported(tree: ast.AST) -> list[tuple[str, str]]:
    """(part, rest of the module's name) of every import of ours."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "manyheads":
            names = [f"manyheads.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            if name.split(".")[0] != "manyheads":
                continue
            parts = name.split(".")[1:]
            part = parts[0] if parts and (SOURCE / parts[0]).with_suffix(".py").exists() else (parts or [""])[0]
            known = part in ALLOWED
            found.append((part if known else "__init__", ".".join(parts[1:])))
    return found


def forbidden(path: Path, source: str) -> list[str]:
    """The imports in a file that go the wrong way."""
    part, wrong = part_of(path), []
    for imported, rest in ours_imported(ast.parse(source)):
        if imported == "types":
            continue
        if imported == part and part in FAMILIES:
            if rest and not rest.startswith("_"):
                wrong.append(f"{part}/{path.stem} imports its sibling {rest}")
        elif imported == "datasets" and part == "tasks" and rest in ("", "_checks"):
            continue
        elif imported not in ALLOWED[part]:
            wrong.append(f"{part} imports {imported}")
        elif imported in FAMILIES and rest:
            wrong.append(f"{part} imports the member {imported}.{rest}, not the contract")
    return wrong


FILES = sorted(SOURCE.rglob("*.py"))

HEAVY = {"torch", "transformers", "torchjd", "safetensors"}
# What `check` runs: its own modules, and what `find` loads for it without anybody importing it by name.
FOR_CHECK = [
    SOURCE / "cli.py", SOURCE / "estimate.py", *SOURCE.glob("*/_*_checks.py"),
    *SOURCE.glob("datasets/*.py"), *SOURCE.glob("sampling/*.py"),
]  # fmt: skip


def packages_needed(files: Iterable[Path], read: Callable[[Path], str]) -> set[str]:
    """The third-party packages that files import when they are imported themselves, and those that they import."""
    packages, waiting, seen = set(), list(files), set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        # A module in a package runs the package first. `find` loads companions by their path, without it.
        if not path.stem.endswith("_checks") or path.parent.name == "datasets":
            waiting.append(path.with_name("__init__.py"))
        for node in ast.parse(read(path)).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for name in names:
                root, *inside = name.split(".")
                packages |= {root} - {"manyheads"}
                if root == "manyheads":
                    waiting += [SOURCE.joinpath(*inside, "__init__.py"), SOURCE.joinpath(*inside).with_suffix(".py")]
    return packages


def test_every_part_has_its_place():
    assert {part_of(path) for path in FILES} <= set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downward(path: Path):
    assert forbidden(path, path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("train.py", "from manyheads.run import run_once"),
        ("weighting/fixed.py", "from manyheads.weighting.pcgrad import PCGrad"),
        ("heads/span.py", "from manyheads.sampling import Sampling"),
        ("tables.py", "from manyheads.model import open_model"),
        ("types.py", "from manyheads import find"),
        ("run.py", "import manyheads.report"),
    ],
)
def test_a_forbidden_import_is_noticed(file: str, line: str):
    path = SOURCE / file
    assert forbidden(path, path.read_text("utf-8") + f"\n{line}\n") != []


def test_check_needs_no_torch():
    packages = packages_needed(FOR_CHECK, lambda path: path.read_text("utf-8"))
    assert {"tokenizers", "huggingface_hub", "datasets", "numpy", "pydantic"} <= packages
    assert not packages & HEAVY


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("facts.py", "import torch"),
        ("datasets/__init__.py", "from torch import Tensor"),
        ("heads/_span_checks.py", "from manyheads.heads._windows import windows"),
        ("work.py", "from manyheads import model"),
    ],
)
def test_a_heavy_import_in_check_is_noticed(file: str, line: str):
    def read(path: Path) -> str:
        return path.read_text("utf-8") + (f"\n{line}\n" if path == SOURCE / file else "")

    assert packages_needed(FOR_CHECK, read) & HEAVY


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_hidden_imports(path: Path):
    """No import of ours inside a function but where the commands delay heavy ones, and no blocks for type checkers."""
    source = path.read_text("utf-8")
    assert "TYPE_CHECKING" not in source
    if path.name in ("cli.py", "find.py"):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert ours_imported(node) == [], node.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_fit_in_the_head(path: Path):
    source = path.read_text("utf-8")
    assert path.stem not in ("utils", "helpers", "common", "base", "manager")
    assert len(source.splitlines()) <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= 40, f"{node.name} has {length} lines"
