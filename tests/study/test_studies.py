"""Every study that is shipped can be read, and says what it is, how to run it and how long it takes."""

from pathlib import Path

import pytest

from manyheads.study.parser import read_study
from manyheads.study.steps import runs

STUDIES = sorted((Path(__file__).parents[2] / "studies").rglob("*.toml"))


def test_they_are_found():
    assert {path.stem for path in STUDIES} == {"quickstart", "pairs", "reviews", "squad2_mixtures", "squad2_large"}
    assert {path.stem for path in STUDIES if path.parent.name == "small"} == {"pairs", "reviews", "squad2_mixtures"}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_study_is_a_document(path):
    study = read_study(path)
    opening = path.read_text("utf-8").splitlines()[:8]
    assert study.question.endswith("?")
    assert any("manyheads run" in line and path.stem in line for line in opening)
    assert len(study.seeds) >= 3
    assert study.arms[study.baseline].alone
    assert len(runs(study)) == len({run.path for run in runs(study)})
