import subprocess
import sys
from pathlib import Path

import pytest

from manyheads import find
from manyheads.types import StudyError


def test_a_setting_is_a_keyword_only_argument():
    settings = {setting.name: setting for setting in find.describe("weighting", "fixed").settings}
    assert list(settings) == ["weights"]
    assert settings["weights"].default is None


def test_a_misspelt_name_gets_the_right_one():
    with pytest.raises(StudyError, match=r'weighting: there is no "fixd". Did you mean "fixed"') as error:
        find.load("weighting", "fixd")
    assert "Choose from: " in str(error.value)


def test_reading_what_there_is_imports_nothing():
    code = (
        "import sys; from manyheads import find\n"
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
    assert "mine" in find.names("weighting", tmp_path) and "mine" not in find.names("weighting")
    method = find.load("weighting", "mine", tmp_path)(["a"], strength=3.0)
    assert method.strength == 3.0
    assert find.load("weighting", "mine", tmp_path) is type(method)


def test_a_file_with_two_public_classes_is_refused(tmp_path):
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "two.py").write_text("class A: ...\nclass B: ...\n")
    with pytest.raises(StudyError, match=r"exactly one public class\. Found A, B"):
        find.describe("heads", "two", tmp_path)


def test_a_missing_extra_is_named(tmp_path):
    (tmp_path / "weighting").mkdir()
    (tmp_path / "weighting" / "lacking.py").write_text("import torchjd.nothing_here\n\nclass Lacking: ...\n")
    with pytest.raises(StudyError, match=r"pip install \"manyheads\[methods\]\""):
        find.load("weighting", "lacking", tmp_path)


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
    assert find.constant("weighting", "mine", "needs_scores", folder) is expected
    assert find.load("weighting", "mine", folder).needs_scores is expected


def test_two_folders_may_have_methods_of_the_same_name(tmp_path, monkeypatch):
    one, other = (weighting_of_ones_own(tmp_path / name, f"accumulates = {name == 'one'}") for name in ("one", "other"))
    monkeypatch.chdir(tmp_path)
    assert find.load("weighting", "mine", one).accumulates and not find.load("weighting", "mine", other).accumulates
    relative = Path("other")
    assert find.load("weighting", "mine", relative) is find.load("weighting", "mine", relative)


def test_what_the_source_tells_is_not_loaded(tmp_path):
    folder = weighting_of_ones_own(tmp_path, "accumulates = True", imports="import no_such_package")
    assert find.constant("weighting", "mine", "accumulates", folder) is True
    with pytest.raises(StudyError, match="needs the package no_such_package"):
        find.checks("weighting", "mine", folder)
    (folder / "weighting" / "_mine_checks.py").write_text("def problems(tasks, settings, where):\n    return [where]\n")
    assert find.checks("weighting", "mine", folder).problems([], {}, "w") == ["w"]
    assert find.names("weighting", folder) == sorted([*find.names("weighting"), "mine"])


def test_an_extra_that_a_method_needs_is_missed_without_loading_it(monkeypatch):
    assert find.checks("weighting", "pcgrad") is None
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(StudyError, match=r"weighting: pcgrad: needs the package torchjd.*manyheads\[methods\]"):
        find.checks("weighting", "pcgrad")


def test_settings_with_the_defaults_of_the_others():
    entry = find.describe("heads", "regression")
    assert entry.resolved({"low": 1.0}) == {
        "max_length": 128, "dropout": 0.1, "pooling": "first", "low": 1.0, "high": None, "metric": "pearson",
    }  # fmt: skip
    assert "weights" in find.describe("sampling", "weighted").resolved({"weights": {}})
    assert "weights" not in find.describe("sampling", "weighted").resolved({})
