"""A study from Python does what the commands do, and says what is wrong in the same words."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import manyheads
from manyheads.cli import app
from manyheads.study.estimate import planned, planned_lines


@pytest.fixture(scope="module")
def little(tmp_path_factory, tiny):
    from conftest import STUDY

    path = tmp_path_factory.mktemp("notebook") / "little.toml"
    path.write_text(STUDY.format(tiny=tiny).replace("seeds    = [1, 2]", "seeds = [1]"), "utf-8")
    return path


@pytest.fixture(scope="module")
def done(little):
    study = manyheads.Study.read(str(little))
    return study, study.run(out=little.parent / "out")


def test_a_study_says_what_it_is(done, little):
    study, _ = done
    assert repr(study) == f"Study({str(little)!r}: arms alone, joint; tasks food, questions; seeds 1)"
    assert (study.path, study.question) == (little, "Does it work?")


def test_running_leaves_and_returns_what_the_command_does(done, little):
    _, results = done
    assert results.folder == little.parent / "out" and results.failed == []
    assert json.loads((results.folder / "results.json").read_text("utf-8")) == results.content.model_dump(mode="json")
    frame = manyheads.open_results(results.folder).frame()
    assert frame.equals(results.frame())
    assert set(zip(frame.arm, frame.task, strict=True)) == {
        (a, t) for a in ("alone", "joint") for t in ("food", "questions")
    }
    assert set(frame.status) == {"finished"} and (frame.score.isna() == (frame.reason != "")).all()
    assert results.report().is_file() and (results.model("joint", 1) / "model.safetensors").is_file()


def test_running_again_trains_nothing(done, capsys):
    study, results = done
    before = {path: path.stat().st_mtime_ns for path in results.folder.rglob("record.json")}
    again = study.run(out=results.folder)
    assert again.content == results.content and len(before) == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before
    captured = capsys.readouterr()
    assert captured.out == "" and "3 finished, 0 to do" in captured.err


def test_the_plan_is_the_commands(done, little):
    plan = done[0].check()
    assert plan.content["arms"].keys() == {"alone", "joint"} and plan.content["runs"] == 3
    assert str(plan) == repr(plan) == "\n".join(planned_lines(plan.content))
    steps = planned(little, None, None)["arms"]["joint"]["steps"]
    assert plan.content["arms"]["joint"]["steps"] == steps == {"all": 6}


def test_mistakes_are_told_all_at_once(little, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(little.read_text("utf-8").replace("batch_size", "batchsize").replace("proportional", "prop"))
    with pytest.raises(manyheads.StudyError) as error:
        manyheads.Study.read(path)
    assert any("batchsize" in str(one) for one in error.value.problems)
    assert any('there is no "prop"' in str(one) for one in error.value.problems)


def test_a_file_that_changed_since_it_was_read_is_not_run(little, tmp_path):
    path = tmp_path / "little.toml"
    path.write_text(little.read_text("utf-8"), "utf-8")
    study = manyheads.Study.read(path)
    path.write_text(little.read_text("utf-8").replace("seeds = [1]", "seeds = [1, 2]"), "utf-8")
    for act in (study.run, study.check):
        with pytest.raises(manyheads.StudyError, match="changed since it was read"):
            act()
    assert list(tmp_path.iterdir()) == [path]


def test_data_is_where_the_variable_says_unless_it_is_given(done, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("manyheads.api.planned", lambda path, data, code: asked.append(data) or {})
    study, _ = done
    monkeypatch.delenv("MANYHEADS_DATA", raising=False)
    study.check()
    monkeypatch.setenv("MANYHEADS_DATA", str(tmp_path))
    study.check()
    study.check(data="elsewhere")
    assert [str(one) for one in asked] == ["None", str(tmp_path), "elsewhere"]


def test_a_script_that_each_worker_would_run_again_is_refused_workers(done, monkeypatch, tmp_path):
    study, results = done
    script = tmp_path / "script.py"
    script.write_text("import manyheads\nmanyheads.Study.read('x.toml').run(workers=2)\n", "utf-8")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__=str(script)))
    with pytest.raises(manyheads.StudyError, match=r"script\.py: each worker imports this script"):
        study.run(out=tmp_path / "out", workers=2)
    assert not (tmp_path / "out").exists()
    assert study.run(out=results.folder).content == results.content  # without workers it may
    script.write_text("if __name__ == '__main__':\n    pass\n", "utf-8")
    assert study.run(out=results.folder, workers=2).content == results.content


BROKEN = '''
from manyheads.weighting import Weighting

class Broken(Weighting):
    """Always fails."""

    def combine(self, losses):
        raise RuntimeError("it is broken")
'''


def test_methods_of_ones_own_and_runs_that_fail(done, little, tmp_path):
    (tmp_path / "code" / "weighting").mkdir(parents=True)
    (tmp_path / "code" / "weighting" / "broken.py").write_text(BROKEN)
    path = tmp_path / "broken.toml"
    path.write_text(little.read_text("utf-8") + '\n[arms.broken]\nweighting = { name = "broken" }\n', "utf-8")
    with pytest.raises(manyheads.StudyError, match='"broken"'):
        manyheads.Study.read(path)
    shutil.copytree(done[1].folder, tmp_path / "out")
    results = manyheads.Study.read(path, code=tmp_path / "code").run(out=tmp_path / "out")
    assert [(run.arm, run.seed) for run in results.failed] == [("broken", 1)]
    lost = results.frame().query("arm == 'broken'")
    assert set(lost.status) == {"failed"} and set(lost.reason) == {"it is broken"} and lost.score.isna().all()
    assert "failed" in str(results.table)


def test_a_model_answers_as_the_command_does(done, tmp_path):
    _, results = done
    folder = results.model("joint", seed=1)
    model = manyheads.Model.open(folder)
    assert model.tasks == ("food", "questions") and repr(model) == "Model(tasks food, questions)"
    texts = ["The soup was cold.", "A wonderful evening, and the cook was excellent."]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    printed = CliRunner().invoke(app, ["predict", str(folder), str(tmp_path / "texts.jsonl"), "--task", "food"]).stdout
    answers = model.answer(texts, "food")
    assert answers == [json.loads(line) for line in printed.splitlines()]
    assert [one["id"] for one in answers] == ["1", "2"] and answers[0]["label"] in ("negative", "positive")
    assert model.answer([], "food") == []


def test_a_model_is_asked_several_tasks_at_once(done):
    model = manyheads.Model.open(done[1].model("joint", seed=1))
    both = {"id": "q", "text": "The soup was cold.", "question": "What was cold?", "context": "The soup was cold."}
    (answer,) = model.answer([both], ["food", "questions"])
    assert answer["id"] == "q" and answer.keys() == {"id", "food", "questions"}
    (alone,) = model.answer([both], "questions")
    assert alone == {"id": "q", **answer["questions"]}


def test_more_questions_than_are_answered_at_a_time_keep_their_order(done, monkeypatch):
    model = manyheads.Model.open(done[1].model("joint", seed=1))
    texts = [f"The soup was {word}." for word in ("cold", "hot", "old", "new", "fine")]
    whole = model.answer(texts, "food")
    monkeypatch.setattr("manyheads.inference.CHUNK", 2)
    parts = model.answer(iter(texts), "food")
    assert [one["id"] for one in parts] == ["1", "2", "3", "4", "5"]
    assert [one["label"] for one in parts] == [one["label"] for one in whole]


def test_what_is_wrong_with_questions_is_told_at_once(done):
    model = manyheads.Model.open(done[1].model("joint", seed=1))
    with pytest.raises(manyheads.StudyError) as error:
        model.answer(["fine", "", {"text": float("nan")}, {"texts": "x"}], "food")
    assert [problem.where for problem in error.value.problems] == ["question 2", "question 3", "question 4"]
    assert '"text" should be a text that is not empty' in str(error.value)
    with pytest.raises(manyheads.StudyError, match=r'the model has no task "foods".*food'):
        model.answer(["fine"], "foods")
    with pytest.raises(manyheads.StudyError, match="name at least one task"):
        model.answer(["fine"], [])
