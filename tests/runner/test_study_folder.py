"""The folder that a study is run into: whose it may be, and that nothing is written through a link or over a file."""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from bit_flips import STUDY, command
from waiting import LIMIT

from manyheads.runner.study_folder import MARK

slow = partial(pytest.param, marks=pytest.mark.slow)

LITTLE = STUDY.replace("seeds = [1, 2]", "seeds = [1]").replace("\n[analyses.changed_answers]\n", "")
ENCODER = '[encoder]\nname = "bag_of_words"\n'


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder with a study `little.toml`, and `out`, where it was run."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "little.toml").write_text(LITTLE)
    assert command("run", folder / "little.toml", "--out", folder / "out", "--workers", 0)[0] == 0
    return folder


@pytest.fixture
def done(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "done"))


def run(folder: Path, *more: object, study: str = "little.toml") -> tuple[int, str]:
    code, _, said = command("run", folder / study, "--out", folder / "out", "--workers", 0, *more)
    return code, "\n".join(said)


# ---- whose it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [
        {"study.toml": "mine", "results.json": "mine", "report.html": "mine", "tables/main.csv": "mine"},
        {"notes.txt": "mine"}, {"lock": "mine"}, {"study.toml": LITTLE}, {".manyheads": "mine"},
        {"joint/1/record.json": "{}"}, {".manyheads.0a1b2c3d.part.txt": "mine"},
    ],
)  # fmt: skip
def test_a_folder_of_somebody_is_refused_by_name_and_left_alone(tmp_path, files):
    (tmp_path / "little.toml").write_text(LITTLE)
    for name, content in files.items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(content)
    before = contents(tmp_path)
    code, err = run(tmp_path)
    assert code == 2 and "holds files that manyheads did not write" in err, err
    assert all(name.split("/")[0] in err for name in files) and contents(tmp_path) == before


def test_an_empty_folder_is_taken_and_marked(done):
    shutil.rmtree(done / "out")
    (done / "out").mkdir()
    assert run(done)[0] == 0
    assert json.loads((done / "out" / MARK).read_text())["study"] == "little"


def test_another_study_is_refused_and_the_same_under_another_name_is_not(done):
    text = LITTLE.replace("[arms.joint]", '[arms.twice]\nsampling = { name = "round_robin" }').replace(
        "seeds = [1]", "seeds = [7]"
    )
    (done / "other.toml").write_text(text)
    before = contents(done)
    code, err = run(done, study="other.toml")
    assert code == 2 and "holds another study, 'little'" in err and contents(done) == before
    (done / "renamed.toml").write_text(LITTLE)
    code, err = run(done, study="renamed.toml")
    assert code == 0 and "3 finished, 0 to do" in err
    assert json.loads((done / "out" / MARK).read_text())["study"] == "renamed"


def test_what_is_no_longer_in_the_file_is_named_and_kept(done):
    (done / "little.toml").write_text(LITTLE.replace("[arms.joint]", "[arms.together]"))
    before = contents(done / "out/joint")
    code, err = run(done)
    assert code == 0 and "kept, though no longer in the study: joint/1" in err and "2 finished, 1 to do" in err
    assert contents(done / "out/joint") == before


@pytest.mark.parametrize("mark", [None, "damaged"])
def test_a_folder_of_before_is_taken_and_marked(done, mark):
    (done / "out" / MARK).unlink()
    if mark:
        (done / "out" / MARK).write_text(mark)
    (done / "little.toml").write_text(LITTLE.replace("seeds = [1]", "seeds = [1, 2]"))
    code, err = run(done)
    assert code == 0 and "3 finished, 3 to do" in err
    assert json.loads((done / "out" / MARK).read_text())["study"] == "little"
    assert (done / "out/study.toml").read_text() == (done / "little.toml").read_text()


def test_a_folder_of_before_that_the_file_does_not_explain_is_refused(done):
    (done / "out" / MARK).unlink()
    (done / "little.toml").write_text(LITTLE.replace("1e-2", "1e-3"))
    before = contents(done)
    code, err = run(done)
    assert code == 2 and "or of another study" in err and "was trained with training.learning_rate = 0.01" in err
    assert contents(done) == before
    assert command("run", done / "little.toml", "--out", done / "out", "--fresh", "--workers", 0)[0] == 0
    assert (done / "out-2" / MARK).is_file() and contents(done / "out") == {
        name[4:]: content for name, content in before.items() if name.startswith("out/")
    }


def test_report_takes_no_folder_of_somebody(done, tmp_path):
    mine = tmp_path / "mine"
    (mine / "tables").mkdir(parents=True)
    shutil.copy(done / "out/results.json", mine)
    (mine / "tables/main.csv").write_text("mine")
    code, _, said = command("report", mine)
    assert code == 2 and "holds files that manyheads did not write" in "\n".join(said)
    assert (mine / "tables/main.csv").read_text() == "mine"


@pytest.mark.slow
def test_two_commands_at_the_same_moment_take_a_new_folder(tmp_path):
    (tmp_path / "little.toml").write_text(LITTLE)
    given = [sys.executable, "-m", "manyheads", "run", "little.toml", "--out", "out", "--workers", "0"]
    both = [subprocess.Popen(given, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=LIMIT)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said


# ---- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    ["lock", "joint/1/metrics.jsonl", "joint",
     *map(slow, ["study.toml", "results.json", "report.html", MARK, "tables/main.csv", "figures", "joint/1/lock",
                 "joint/1/model/config.json", "alone/1/food/predictions/food.jsonl"])],
)  # fmt: skip
def test_no_link_is_written_through(done, tmp_path, place):
    """Planted between two commands, of which the second has one run to do."""
    target, link = tmp_path / "target", done / "out" / place
    shutil.copytree(link, target) if link.is_dir() else target.write_text("mine")
    shutil.rmtree(link) if link.is_dir() else link.unlink(missing_ok=True)
    (done / "out/joint/1/record.json").unlink(missing_ok=True)
    link.symlink_to(target)
    before = contents(target) if target.is_dir() else target.read_text()
    code, err = run(done)
    assert code == 2 and f"{link}: this is a link" in err
    code = command("report", done / "out")[0]
    assert code == 2 or "/1" in place or place == "joint"
    assert before == (contents(target) if target.is_dir() else target.read_text())


def test_a_lock_with_a_second_name_elsewhere_is_not_written(done, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (done / "out/lock").unlink()
    os.link(tmp_path / "mine", done / "out/lock")
    assert run(done)[0] == 0 and (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("name", ["results.json", "tables", "joint"])
def test_what_stands_in_the_way_is_named_before_anything_is_trained(done, name):
    path = done / "out" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.mkdir() if name == "results.json" else path.write_text("mine")
    code, err = run(done)
    assert code == 2 and f"{path}: is no {'file' if name == 'results.json' else 'folder'}" in err


# ---- what was written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("joint/1/model", "joint/1: model/config.json is missing; its scores stand; to have it trained again, remove"),
        slow("joint/1/model/heads.safetensors", "joint/1: model/heads.safetensors is missing"),
        slow("joint/1/metrics.jsonl", "joint/1: metrics.jsonl is missing"),
        ("joint/1/predictions/food.jsonl", "joint/1: predictions/food.jsonl is missing; the run is done again"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(done, name, says):
    path = done / "out" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    code, err = run(done)
    assert code == 0 and says in err
    if "again, remove" in err:
        shutil.rmtree(done / "out/joint/1")
        assert run(done)[0] == 0
    assert path.exists() and "is missing" not in run(done)[1]


def flip(path: Path, at: int = -3) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["heads.safetensors", *map(slow, ["config.json", "vocabulary.txt", "manifest.json"])])
def test_a_flipped_bit_of_a_model_is_noticed_and_may_be_passed_over(done, name):
    model = done / "out/joint/1/model"
    flip(model / name, -30)
    asked = ("predict", model, "--task", "food")
    code, out, said = command(*asked, stdin='{"text": "A fine soup."}\n')
    assert code == 2 and not out and (name in "\n".join(said) or name == "config.json")
    for again in (run(done)[1], "\n".join(command("report", done / "out")[2])):
        assert f"joint/1: model/{name} has changed since the run wrote it" in again
    assert f"model/{name}" not in run(done, "--no-verify")[1]
    if name == "heads.safetensors":
        code, out, _ = command(*asked, "--no-verify", stdin='{"text": "A fine soup."}\n')
        assert code == 0 and "label" in out


def test_a_moved_model_is_checked_too_and_one_of_before_says_what_it_does_not_know(done, tmp_path):
    alone = Path(shutil.copytree(done / "out/joint/1/model", tmp_path / "elsewhere"))
    flip(alone / "heads.safetensors")
    asked = ("predict", alone, "--task", "food")
    assert command(*asked, stdin='{"text": "A"}\n')[0] == 2
    (alone / "manifest.json").unlink()
    code, _, said = command(*asked, stdin='{"text": "A"}\n')
    assert code == 0 and "no SHA-256 was recorded of config.json, heads.safetensors, vocabulary.txt" in "\n".join(said)


@pytest.mark.parametrize("change", ["mean", *map(slow, ["verdict", "seed", "difference"])])
def test_results_that_were_edited_are_told_and_made_from_the_records(done, change):
    path, page = done / "out/results.json", (done / "out/report.html").read_bytes()
    before = path.read_bytes()
    results = json.loads(before)
    if change == "mean":
        results["scores"][0]["mean"] = 0.999
    elif change == "seed":
        results["scores"][-1]["seeds"]["1"] = 0.111
    else:
        results["comparisons"][0][change] = "helps" if change == "verdict" else 0.5
    path.write_text(json.dumps(results))
    code, _, said = command("report", done / "out")
    assert code == 0 and "results.json did not agree with the records" in "\n".join(said)
    assert json.loads(path.read_text()) == json.loads(before)
    assert command("report", done / "out")[2] == [] and (done / "out/report.html").read_bytes() == page


# ---- keep_models -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", ["best", slow("none")])
def test_models_are_left_out_on_purpose_and_said(done, keep):
    (done / "little.toml").write_text(f'keep_models = "{keep}"\n{LITTLE.replace("[1]", "[1, 2, 3]")}')
    code, err = run(done)
    kept = {str(path.parent.relative_to(done / "out")) for path in (done / "out").rglob("model/config.json")}
    assert code == 0 and f'left out on purpose (keep_models = "{keep}")' in err
    scores = {}
    for path in (done / "out").rglob("record.json"):
        record = json.loads(path.read_text())
        for task, found in record["scores"].items():
            scores.setdefault((record["arm"], task), []).append(
                (-found["accuracy"], str(path.parent.relative_to(done / "out")))
            )
    best = {f"{min(found)[1]}/model" for found in scores.values()} if keep == "best" else set()
    assert kept == best
    lost = next(path.parent for path in (done / "out").rglob("not_kept.txt"))
    code, _, said = command("predict", lost, "--task", "food", stdin='{"text": "A"}\n')
    assert code == 2 and "was left out on purpose" in "\n".join(said)
    assert "is missing" not in run(done)[1]
    (done / "little.toml").write_text(LITTLE.replace("[1]", "[1, 2, 3]"))
    assert "model/config.json is missing" in run(done)[1]


def test_what_models_are_kept_is_checked(done):
    (done / "little.toml").write_text(f'keep_models = "some"\n{LITTLE}')
    code, err = run(done)
    assert code == 2 and "keep_models" in err
