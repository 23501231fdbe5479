import subprocess
import sys
from pathlib import Path

import pytest

from manyheads import registry
from manyheads.core.problems import StudyError


def test_a_setting_is_a_keyword_only_argument():
    settings = {setting.name: setting for setting in registry.describe("weighting", "fixed").settings}
    assert list(settings) == ["weights"]
    assert settings["weights"].default is None


def test_a_misspelt_name_gets_the_right_one():
    with pytest.raises(StudyError, match=r'weighting: there is no "fixd". Did you mean "fixed"') as error:
        registry.load("weighting", "fixd")
    assert "Choose from: " in str(error.value)


def test_reading_what_there_is_imports_nothing():
    code = (
        "import sys; from manyheads import registry as find\n"
        "for family in find.FAMILIES:\n"
        "    for name in find.names(family): find.describe(family, name)\n"
        "assert 'torch' not in sys.modules and 'datasets' not in sys.modules, sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_method_from_outside_is_one_file(tmp_path):
    (tmp_path / "weighting").mkdir()
    (tmp_path / "weighting" / "mine.py").write_text(
        '"""Mine."""\n\nfrom manyheads.weighting import Weighting\n\n\nclass Mine(Weighting):\n'
        '    """Sum."""\n\n    def __init__(self, tasks, *, strength: float = 2.0) -> None:\n'
        "        super().__init__(tasks)\n        self.strength = strength\n"
    )
    assert "mine" in registry.names("weighting", tmp_path) and "mine" not in registry.names("weighting")
    method = registry.load("weighting", "mine", tmp_path)(["a"], strength=3.0)
    assert method.strength == 3.0
    assert registry.load("weighting", "mine", tmp_path) is type(method)


def test_a_file_with_two_public_classes_is_refused(tmp_path):
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "two.py").write_text("class A: ...\nclass B: ...\n")
    with pytest.raises(StudyError, match=r"exactly one public class\. Found A, B"):
        registry.describe("heads", "two", tmp_path)


def test_a_missing_extra_is_named(tmp_path):
    (tmp_path / "weighting").mkdir()
    (tmp_path / "weighting" / "lacking.py").write_text("import torchjd.nothing_here\n\nclass Lacking: ...\n")
    with pytest.raises(StudyError, match=r"pip install \"manyheads\[methods\]\""):
        registry.load("weighting", "lacking", tmp_path)


def weighting_of_ones_own(folder, body: str, base: str = "Weighting", imports: str = "") -> Path:
    (folder / "weighting").mkdir(parents=True)
    text = f"from manyheads.weighting import Weighting\n{imports}\n\nclass Mine({base}):\n    {body}\n"
    (folder / "weighting" / "mine.py").write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("body", "base", "expected"),
    [
        ("pass", "Weighting", False),  # the contract's
        ("needs_scores = True", "Weighting", True),
        ("needs_scores: bool = True", "Weighting", True),
        ("needs_scores, x = True, 1", "Weighting", True),
        ("needs_scores = not accumulates if (accumulates := False) else True", "Weighting", True),
        ("if True:\n        needs_scores = True", "Weighting", True),
        ("pass", "DynamicTaskPrioritization", True),  # not of the contract: the class has to tell
    ],
)
def test_a_constant_is_that_of_the_class(tmp_path, body, base, expected):
    imports = "from manyheads.weighting.dynamic_task_prioritization import DynamicTaskPrioritization"
    folder = weighting_of_ones_own(tmp_path, body, base, imports)
    assert registry.constant("weighting", "mine", "needs_scores", folder) is expected
    assert registry.load("weighting", "mine", folder).needs_scores is expected


def test_two_folders_may_have_methods_of_the_same_name(tmp_path, monkeypatch):
    one, other = (weighting_of_ones_own(tmp_path / name, f"accumulates = {name == 'one'}") for name in ("one", "other"))
    monkeypatch.chdir(tmp_path)
    assert (
        registry.load("weighting", "mine", one).accumulates
        and not registry.load("weighting", "mine", other).accumulates
    )
    relative = Path("other")
    assert registry.load("weighting", "mine", relative) is registry.load("weighting", "mine", relative)


def test_what_the_source_tells_is_not_loaded(tmp_path):
    folder = weighting_of_ones_own(tmp_path, "accumulates = True", imports="import no_such_package")
    assert registry.constant("weighting", "mine", "accumulates", folder) is True
    with pytest.raises(StudyError, match="needs the package no_such_package"):
        registry.checks("weighting", "mine", folder)
    (folder / "weighting" / "_mine_checks.py").write_text("def problems(tasks, settings, where):\n    return [where]\n")
    assert registry.checks("weighting", "mine", folder).problems([], {}, "w") == ["w"]
    assert registry.names("weighting", folder) == sorted([*registry.names("weighting"), "mine"])


def test_an_extra_that_a_method_needs_is_missed_without_loading_it(monkeypatch):
    assert registry.checks("weighting", "pcgrad").problems(["a"], {}, "w") == []
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(StudyError, match=r"weighting: pcgrad: needs the package torchjd.*manyheads\[methods\]"):
        registry.checks("weighting", "pcgrad")


def test_settings_with_the_defaults_of_the_others():
    entry = registry.describe("heads", "regression")
    assert entry.resolved({"low": 1.0}) == {
        "max_length": 128, "dropout": 0.1, "pooling": "first", "low": 1.0, "high": None, "metric": "pearson",
        "overflow": "truncate", "stride": None, "window_pooling": "mean", "center": None, "spread": None,
    }  # fmt: skip
    assert "weights" in registry.describe("sampling", "weighted").resolved({"weights": {}})
    assert "weights" not in registry.describe("sampling", "weighted").resolved({})


METHOD = """
import annotated_types
from typing import Annotated
import no_such_package
from manyheads.core.settings import NotNegative, PerTask
from manyheads.weighting import Weighting

class Mine(Weighting):
    def __init__(
        self, tasks, *, one: Annotated[float, annotated_types.Gt(0), annotated_types.Lt(1)] = 0.5,
        each: PerTask[NotNegative] | None = None, other: no_such_package.Kind = None,
    ) -> None: ...
"""


def test_ranges_are_read_from_the_source_which_is_not_run(tmp_path):
    (tmp_path / "weighting").mkdir()
    (tmp_path / "weighting" / "mine.py").write_text(METHOD)
    entry = registry.describe("weighting", "mine", tmp_path)
    assert [setting.kind for setting in entry.settings] == [
        "number, more than 0 and less than 1", "table of task = number, 0 or more", "anything",
    ]  # fmt: skip
    assert entry.problems({"one": 0.1, "each": {"a": 1}, "other": 3}, "x", tasks=["a"]) == []
    found = entry.problems({"one": 1, "each": {"b": 1}, "tow": 2}, "x", tasks=["a"])
    assert [problem.where for problem in found] == ["x.tow", "x.one", "x.each"]
