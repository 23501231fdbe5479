"""What is declared is what is imported, and the wheel holds everything and runs in an environment without anything."""

import ast
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from manyheads import registry
from manyheads.core.version import __version__

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "manyheads"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
TOOLS = {"pytest-xdist", "pdoc", "ruff", "pyright", "hatchling", "quadprog", "qpsolvers"}
"""What developers need without an import of ours."""
PEERS = {"accelerate", "peft", "tasknet"}
"""What only the peers of a benchmark import, from a folder of their own (benchmarks/peers.txt)."""


def plain(name: str) -> str:
    """A distribution's name, as the index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: Iterable[str]) -> set[str]:
    return {plain(re.match(r"[\w.-]+", one)[0]) for one in requirements}


@cache
def packages_of(path: Path) -> set[str]:
    """The packages that a file imports anywhere, in a function too."""
    packages = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            packages.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("importorskip"):
            packages |= {one.value.split(".")[0] for one in node.args if isinstance(one, ast.Constant)}
    return packages


def imported(folders: Iterable[str]) -> set[str]:
    """The distributions that the files of these folders import, our own files apart."""
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    ours = {path.stem for path in files} | {path.parent.name for path in files} | {"manyheads", "tests"}
    ours -= {"datasets"}  # a family of ours, imported as manyheads.datasets only
    foreign = set[str]().union(*map(packages_of, files)) - set(sys.stdlib_module_names) - ours
    return {plain({"sklearn": "scikit-learn"}.get(name, name)) for name in foreign}


def test_what_is_declared_is_imported_and_what_is_imported_is_declared():
    found = imported(["src"]) | set(map(plain, registry.EXTRAS))  # the registry imports those if they are there
    assert found == declared(PROJECT["dependencies"] + EXTRAS["quickstart"] + EXTRAS["methods"])


def test_every_extra_that_the_registry_names_is_there():
    assert set(registry.EXTRAS.values()) == set(EXTRAS) - {"dev"}


def test_what_tests_and_benchmarks_import_is_declared():
    everything = declared([*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)])
    found = imported(["src", "tests", "benchmarks"])
    assert found - everything == set(map(plain, PEERS)) & found
    assert declared(EXTRAS["dev"]) - found == TOOLS


def test_every_bound_has_its_reason():
    """Beside it or in the line above; for what only developers need, once for all."""
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    begin, end = lines.index("dependencies = ["), lines.index("dev = [")
    for above, line in zip(lines[begin:end], lines[begin + 1 : end], strict=False):
        if re.search(r'"[\w-]+[<>=]', line):
            assert re.search(r"[\"\]],?  # \S", line) or above.lstrip().startswith("# "), line


def test_every_requirement_has_its_tested_version():
    """A dependency that is not in `constraints.txt` would be whatever is newest."""
    tested = declared(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#")
    assert declared([*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]) - tested == set()


# ---- the wheel -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    return next(folder.glob("manyheads-*.whl"))


def call(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow  # and in `make check`
def test_the_wheel_holds_every_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert held == {str(path.relative_to(SOURCE.parent)) for path in files}
    assert {"manyheads/py.typed", "manyheads/report/templates/page.html"} <= held


@pytest.mark.slow  # and in `make check`
def test_installed_alone_it_tells_its_version_and_its_help(wheel, tmp_path):
    """With nothing but what commands are made of, the heavy packages neither there nor missed."""
    venv.create(tmp_path / "empty")
    python = tmp_path / "empty" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    call(*install, "-c", ROOT / "constraints.txt", "typer")
    call(*install, "--no-deps", wheel)
    command = tmp_path / "empty" / "bin" / "manyheads"
    assert call(command, "--version") == f"manyheads {__version__}\n"
    assert "Usage: manyheads" in call(command, "--help")
    there = call(python, "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))").split()
    assert "manyheads" in there and not {"torch", "transformers", "numpy"} & set(there)
