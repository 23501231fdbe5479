"""The schema that other programs read is made from the models: `python tests/results/test_schema.py` writes it anew."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from manyheads.core.problems import StudyError
from manyheads.results.reader import read_results
from manyheads.results.run_record import RunRecord
from manyheads.results.schema import StudyResults

ROOT = Path(__file__).parents[2]
SCHEMAS = {"results": StudyResults, "record": RunRecord}


def written(name: str) -> str:
    return json.dumps(TypeAdapter(SCHEMAS[name]).json_schema(), indent=1) + "\n"


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_is_that_of_the_model(name):
    assert (ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text("utf-8") == written(name)


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("docs/results/*/results.json")))
def test_results_of_format_1_are_read(folder):
    """Those in the repository were written before there was a number."""
    results = read_results(ROOT / "docs" / "results" / folder)
    old = json.loads((ROOT / "docs" / "results" / folder / "results.json").read_text("utf-8"))
    assert [one.mean for one in results.scores] == [one["mean"] for one in old["scores"]]
    assert [one.truncated for one in results.tasks.values()] == [one["clipped"] for one in old["tasks"].values()]
    flops = [one["cost"].get("operations", 0) for one in old["arms"].values()]
    assert [arm.cost.flops for arm in results.arms.values() if arm.cost] == flops


@pytest.mark.parametrize("version", [0, 3, "2", None, [], 1, True])
def test_another_format_is_refused_by_its_name(tmp_path, version):
    (tmp_path / "results.json").write_text(json.dumps({"format": version}))
    with pytest.raises(StudyError, match=r"its format is not one that this version reads, 1 or 2\. Found format "):
        read_results(tmp_path)


if __name__ == "__main__":
    for schema in SCHEMAS:
        (ROOT / "docs" / "schemas" / f"{schema}.schema.json").write_text(written(schema), "utf-8")
