"""The page of all keys of a study file says what the code says."""

from pathlib import Path

from study_reference import TABLES, reference

from manyheads import registry

PAGE = Path(__file__).parents[2] / "docs" / "study_file.md"


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text("utf-8") == reference(), (
        "make it again: PYTHONPATH=tests/support python tests/study/test_reference.py"
    )


def test_every_key_and_setting_has_a_type_and_a_sentence():
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    assert all(len(row) == 4 and row[1] not in ("", "anything") and len(row[3]) > len(" |") for row in rows), rows
    settings = [
        setting for f in registry.FAMILIES for n in registry.names(f) for setting in registry.describe(f, n).settings
    ]
    keys = [key for model in TABLES.values() for key in model.model_fields if key != "name"]
    assert len(rows) == len(settings) + len(keys)


if __name__ == "__main__":
    PAGE.write_text(reference(), "utf-8")
