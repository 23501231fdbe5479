"""`manyheads init`: what it writes is a study that `manyheads check` takes, and it never overwrites."""

import tomllib
from pathlib import Path

import pytest
from command import call

from manyheads.study.parser import read_study

TASKS = """# What we have.
seeds = [1, 2]

[encoder]
model = "minilm"

[tasks.food]  # a comment that stays
dataset = { name = "small_world", subset = "food_sentiment", size = 40 }
head    = { name = "classification" }

[tasks.film]
dataset = { name = "small_world", subset = "film_sentiment", size = 40 }
head    = { name = "classification" }

[tasks."plot.twists"]
dataset = { name = "small_world", subset = "questions", size = 40 }
head    = { name = "span", max_length = 96, stride = 24, max_question = 24 }"""


def source(folder: Path, text: str = TASKS) -> Path:
    path = folder / "ours.toml"
    path.write_text(text, "utf-8")
    return path


def test_every_pair_becomes_an_arm_beside_the_tasks_alone(tmp_path):
    given = source(tmp_path)
    code, out, err = call("init", "--pairs", given)
    path = tmp_path / "ours_pairs.toml"
    assert (code, err) == (0, "") and f"Next: manyheads check {path}" in out
    assert "3 tasks alone and 3 pairs, 2 seeds: 12 runs" in out
    study = read_study(path)
    assert {name: arm.tasks for name, arm in study.arms.items() if not arm.alone} == {
        "food_film": ("food", "film"),
        "food_plot.twists": ("food", "plot.twists"),
        "film_plot.twists": ("film", "plot.twists"),
    }
    assert study.baseline == "alone" and study.arms["alone"].tasks == ("food", "film", "plot.twists")
    assert study.seeds == (1, 2) and study.question.endswith("?")
    assert [choice.name for choice in study.analyses] == ["transfer_matrix"]


def test_what_was_there_stays_as_it_was_written(tmp_path):
    given = source(tmp_path)
    call("init", "all", "--pairs", given)
    text = (tmp_path / "all.toml").read_text("utf-8")
    assert TASKS in text and given.read_text("utf-8") == TASKS
    assert f"#   manyheads run {tmp_path / 'all.toml'}" in text


def test_the_study_can_be_checked_with_its_data(tmp_path):
    call("init", "--pairs", source(tmp_path))
    code, out, _ = call("check", tmp_path / "ours_pairs.toml")
    assert code == 0 and "12" in out


def test_names_that_meet_are_numbered(tmp_path):
    names = ["a", "b", "a_b", "b_a", "x" * 40, "y" * 40]
    table = '[tasks.{}]\ndataset = {{ name = "imdb" }}\nhead = {{ name = "classification" }}\n'
    given = source(tmp_path, "\n".join(map(table.format, names)))
    assert call("init", "--pairs", given)[0] == 0
    raw = tomllib.loads((tmp_path / "ours_pairs.toml").read_text("utf-8"))
    pairs = [frozenset(arm["tasks"]) for name, arm in raw["arms"].items() if name != "alone"]
    assert len(pairs) == len(set(pairs)) == 15 and len(raw["arms"]) == 16
    assert {name for name in raw["arms"] if name.startswith("pair-")} == {"pair-15"}


def test_nothing_is_overwritten(tmp_path):
    given = source(tmp_path)
    there = tmp_path / "ours_pairs.toml"
    there.write_text("mine", "utf-8")
    code, _, err = call("init", "--pairs", given)
    assert code == 2 and f"{there}: is there already, and is not overwritten." in err
    assert there.read_text("utf-8") == "mine"
    (tmp_path / "link.toml").symlink_to(tmp_path / "elsewhere.toml")
    assert call("init", "link", "--pairs", given)[0] == 2 and not (tmp_path / "elsewhere.toml").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pairs need at least two tasks. Found none. Begin each with [tasks.NAME]."),
        ("[tasks.food]", "pairs need at least two tasks. Found 1 task."),
        (TASKS + "\n[arms.joint]", "has arms already. Leave them out"),
        (TASKS.replace("[encoder]", "baseline = 'x'\n[encoder]"), "the baseline is \"alone\". Found 'x'."),
        (TASKS + '\nreport = "none"', "ours.toml: tasks.plot.twists.report: a task without scores"),
        (TASKS.replace('"classification"', '"classificaton"'), 'Did you mean "classification"?'),
        ("analyses = 3\n" + TASKS, "ours.toml: analyses: should be a table. Found 3."),
        ("tasks = 3 = 4", "cannot be read: "),
    ],
)
def test_tasks_that_make_no_study_are_refused_and_nothing_is_written(tmp_path, text, message):
    code, out, err = call("init", "--pairs", source(tmp_path, text))
    assert code == 2 and out == "" and message in err
    assert [path.name for path in tmp_path.iterdir()] == ["ours.toml"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    code, _, err = call("init", "--pairs", tmp_path / "nothing.toml")
    assert code == 2 and "nothing.toml: cannot be read: No such file or directory. Give a TOML with tasks." in err


def test_a_starting_study_is_sound_but_for_the_files(tmp_path):
    code, out, _ = call("init", tmp_path / "reviews")
    path = tmp_path / "reviews.toml"
    assert code == 0 and f"Next: manyheads check {path}" in out
    study = read_study(path)
    assert study.arms[study.baseline].alone and list(study.tasks) == ["first", "second"]
    assert [choice.name for choice in study.analyses] == ["changed_answers"]
    code, _, err = call("check", path)
    assert code == 2 and "first_train.csv" in err and "second_validation.csv" in err


def test_a_starting_study_runs_once_its_files_are_there(tmp_path):
    call("init", tmp_path / "reviews.toml")
    columns = {"first": "text,label", "second": "review,stars"}
    for name, header in columns.items():
        for split in ("train", "validation"):
            lines = [f"{name} {split} text number {n},{'good' if n % 2 else 'bad'}" for n in range(40)]
            (tmp_path / f"{name}_{split}.csv").write_text("\n".join([header, *lines]) + "\n", "utf-8")
    code, _, err = call("check", tmp_path / "reviews.toml")
    assert code == 0, err


@pytest.mark.parametrize("name", ["", "..", "a b"])
def test_a_study_needs_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert call("init", *([name] if name else []))[0] == 2 and list(tmp_path.iterdir()) == []
