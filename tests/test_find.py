import subprocess
import sys

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
