"""Which runs of a folder are of the study as it is: those of another version too, those of other settings not."""

import json
from pathlib import Path

import pytest

from manyheads.core.problems import StudyError
from manyheads.results import formats
from manyheads.runner.run_study import study_outline
from manyheads.runner.status import study_status
from manyheads.study.methods import Encoders
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.identity import identity_now
from manyheads.training.inputs import StudyInputs


class Folder:
    """A study's folder as version 0.0.1 would have left it, with files of format 1."""

    def __init__(self, study_file: Path, out: Path) -> None:
        study = read_study(study_file)
        self.inputs, self.out = StudyInputs(study, read_tasks(study, None), None, None), out
        self.run = next(run for run in runs(study) if run.arm.name == "joint")
        self.before = {**identity_now(self.run, self.inputs).model_dump(exclude={"format"}), "version": "0.0.1"}

    def write(self, name: str, content: dict) -> None:
        path = self.out / self.run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def finished(self, **changes) -> None:
        """Write the record of the run, whose test split nobody scored."""
        cost = dict.fromkeys(("steps", "parameters", "peak_memory", "padding"), 1)
        cost |= dict.fromkeys(("tokens_per_second", "operations", "operations_per_second", "ceiling"), 1.0)
        cost |= {key: {} for key in ("examples", "epochs", "tokens", "shares", "seconds")}
        data = {task: {"hash": value, "clipped": 0} for task, value in self.before["data"].items()}
        header = {"arm": "joint", "seed": 1, "tasks": list(self.run.tasks), "status": "finished"}
        record = {**header, **self.before, "data": data, "scores": {}, "metrics": {}, "cost": cost}
        self.write("record.json", record | changes)

    def stopped(self, **changes) -> None:
        """Write what a checkpoint says that the run is."""
        self.write("checkpoint/step-000000004/state.json", {"identity": self.before | changes, "seconds": 1.0})

    def status(self):
        return study_status(self.inputs, self.out, study_outline(self.inputs.study, self.inputs.tasks))

    def refused(self) -> str:
        with pytest.raises(StudyError) as error:
            self.status()
        return str(error.value)


@pytest.fixture
def folder(study_file, tmp_path) -> Folder:
    return Folder(study_file, tmp_path / "out")


def test_a_run_that_an_earlier_version_finished_is_finished(folder):
    folder.finished()
    found = folder.status()
    assert [run.path for run in found.finished] == [folder.run.path]
    assert found.counts(False) == "1 finished, 5 to do" and found.damaged == []


def test_a_run_that_an_earlier_version_began_may_be_gone_on_with(folder):
    folder.stopped()
    assert folder.run in [one.run for one in folder.status().open]


@pytest.mark.parametrize("write", ["finished", "stopped"])
def test_what_is_not_as_it_was_is_refused_by_its_name(folder, write):
    folder.before["settings"]["training"]["learning_rate"] = 0.5
    folder.before["settings"]["tasks"]["food"]["head"]["settings"]["max_length"] = 47
    folder.before["data"]["food"] = "another"
    getattr(folder, write)()
    text = folder.refused()
    assert "was trained with training.learning_rate = 0.5. Found 0.001 in the study. Use --fresh" in text
    assert "was trained with tasks.food.head.settings.max_length = 47. Found 48 in the study" in text
    assert "the data of food has changed since this run" in text and "version" not in text


@pytest.mark.parametrize("write", ["finished", "stopped"])
def test_a_later_format_is_refused_by_its_name(folder, write):
    getattr(folder, write)(format=formats.FORMAT + 1)
    now = formats.FORMAT
    assert f"was written in format {now + 1}; this version reads 1 to {now}. Use the version" in folder.refused()


@pytest.mark.parametrize("write", ["finished", "stopped"])
def test_a_setting_that_earlier_versions_did_not_have_is_as_before_or_refused(folder, monkeypatch, write):
    """As if `clip` had come with a later format; format 1 then clipped as this study does, or did not clip."""
    monkeypatch.setattr(formats, "FORMAT", 9)
    now = folder.before["settings"]["training"].pop("clip")
    getattr(folder, write)()
    assert "was trained with training.clip = None. Found 1.0 in the study" in folder.refused()
    monkeypatch.setattr(formats, "ADDED_SETTINGS", formats.ADDED_SETTINGS | {"training.clip": (9, now)})
    folder.status()
    monkeypatch.setattr(formats, "ADDED_SETTINGS", formats.ADDED_SETTINGS | {"training.clip": (9, 0.0)})
    assert "was trained with training.clip = 0.0. Found 1.0 in the study" in folder.refused()


@pytest.mark.parametrize("write", ["finished", "stopped"])
def test_weights_of_the_encoder_that_changed_are_refused_as_changed_data_are(folder, write):
    assert len(folder.before["settings"]["encoder"]["weights"]) == 64
    folder.before["settings"]["encoder"]["weights"] = "0" * 64
    getattr(folder, write)()
    assert "the weights that the encoder starts from have changed since this run" in folder.refused()


@pytest.mark.parametrize("write", ["finished", "stopped"])
def test_a_record_that_does_not_say_which_weights_is_told_and_not_refused(folder, write):
    del folder.before["settings"]["encoder"]["weights"]
    getattr(folder, write)()
    assert folder.status().untold == [folder.run.path]


def test_a_finished_run_whose_encoder_is_gone_is_finished(folder, tiny, monkeypatch):
    folder.finished()
    monkeypatch.setattr(Encoders, "weights", lambda *_: None)
    found = folder.status()
    assert [run.path for run in found.finished] == [folder.run.path] and found.untold == []
