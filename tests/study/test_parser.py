import pytest

from manyheads.core.problems import StudyError
from manyheads.study.parser import read_study
from manyheads.study.spec import Budget

GOOD = """
question = "Does it work?"
seeds    = [1, 2]
baseline = "alone"
budget   = { epochs = 2 }
sampling = { name = "weighted", weights = { sst2 = 0.5 } }

[tasks.sst2]
dataset = { name = "glue", subset = "sst2" }
head    = { name = "classification" }

[tasks.mnli]
dataset = { name = "glue", subset = "mnli" }
head    = { name = "classification", max_length = 64 }
batch_size = 8

[arms.alone]
models = "one per task"

[arms.joint]
sampling = { name = "proportional" }
training = { learning_rate = 1e-4 }

[arms.mixed]
label = "mixed"
sweep = { sampling.weights.sst2 = [0.3, 0.7] }
"""


def study_from(text: str, folder):
    path = folder / "little.toml"
    path.write_text(text, "utf-8")
    return read_study(path)


def problems_of(text: str, folder) -> list[str]:
    with pytest.raises(StudyError) as error:
        study_from(text, folder)
    return [str(problem) for problem in error.value.problems]


def test_an_arm_lists_only_what_differs(tmp_path):
    study = study_from(GOOD, tmp_path)
    joint = study.arms["joint"]
    assert (joint.sampling.name, joint.weighting.name, joint.sharing.name) == ("proportional", "fixed", "hard")
    assert (joint.training.learning_rate, joint.training.batch_size) == (1e-4, 32)
    assert joint.budget == Budget(epochs=2.0)
    assert joint.tasks == ("sst2", "mnli")
    assert study.arms["alone"].alone and not joint.alone
    assert (study.tasks["sst2"].batch_size, study.tasks["mnli"].batch_size) == (None, 8)
    assert study.name == "little"


def test_a_sweep_makes_an_arm_for_each_value_of_what_the_study_sets(tmp_path):
    arms = study_from(GOOD, tmp_path).arms
    assert list(arms) == ["alone", "joint", "mixed-0.3", "mixed-0.7"]
    arm = arms["mixed-0.7"]
    assert arm.sampling.settings == {"weights": {"sst2": 0.7}}
    assert arm.sweep == ("sampling.weights.sst2", 0.7)
    assert arm.label == "mixed: sst2 0.7"


def test_twelve_mistakes_get_twelve_messages_with_key_and_remedy(tmp_path):
    text = """
question = 3
seeds    = [1, 1]
baseline = "alon"
budgets  = { epochs = 2 }

[training]
learning_rat = 1e-3
batch_size   = "many"
warmup       = 1.5

[tasks.sst2]
dataset = { name = "gleu", subset = "sst2" }
head    = { name = "classification", max_lenght = 64 }

[tasks."no good"]
dataset = { name = "squad" }
head    = { name = "span" }

[arms.alone]
models = "one per task"
tasks  = ["sst3"]

[arms.joint]
weighting = { name = "fixd" }
"""
    problems = problems_of(text, tmp_path)
    expected = {
        "question:": "string",
        "seeds:": "different whole numbers",
        "baseline:": 'Did you mean "alone"?',
        "budgets:": 'Did you mean "budget"?',
        "training.learning_rat:": 'Did you mean "learning_rate"?',
        "training.batch_size:": "integer",
        "training.warmup:": "from 0 to below 1",
        "tasks.sst2.dataset:": 'Did you mean "glue"?',
        "tasks.sst2.head.max_lenght:": 'Did you mean "max_length"?',
        "tasks.no good:": "letters, digits",
        "arms.alone.tasks:": "Choose from: sst2",
        "arms.joint.weighting:": 'Did you mean "fixed"?',
    }
    assert len(expected) == 12
    for key, remedy in expected.items():
        assert any(line.startswith(key) and remedy in line for line in problems), (key, problems)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epochs = 2", "epochs = 0"), "budget.epochs: should be more than 0. Found 0"),
        (("epochs = 2", "hours = 2"), "budget.hours: there is no such key. Choose from: epochs, steps, examples."),
        (("{ name = \"proportional\" }", '{ name = "weighted" }'), 'sampling.weights: "weighted" needs this'),
        (("sst2 = 0.5", "sst3 = 0.5"), "arms.mixed.sampling.weights: names what this arm does not have"),
        (("[0.3, 0.7]", "0.3"), "arms.mixed.sweep.sampling.weights.sst2: a sweep needs a list"),
        (("[0.3, 0.7]", "[0.3, 0.3]"), "arms.mixed: two arms get the same name"),
        (("[arms.joint]", "[arms.Alone]"), "arms.Alone: differs from another name by case only"),
        (("models = \"one per task\"", 'match = "steps"'), "arms.alone.match: goes with"),
        (("batch_size = 8", "batch_size = 0"), "tasks.mnli.batch_size: should be 1 or more. Found 0"),
        (("batch_size = 8", 'report = "dev"'), 'report: should be "train", "validation", "test" or "none". Found'),
        (("learning_rate = 1e-4", "learning_rate = nan"), "arms.joint.training.learning_rate: should be more than 0"),
        (("learning_rate = 1e-4", 'optimizer = { name = "adam" }'), 'Did you mean "adamw"?'),
        (("subset = \"mnli\"", 'subset = "mlni"'), 'tasks.mnli.dataset.subset: should be "cola", "sst2"'),
        (("learning_rate = 1e-4", "accumulation = 2"), None),
        (("{ learning_rate = 1e-4 }", '{ accumulation = 2 }\nweighting = { name = "famo" }'), "needs the losses"),
        (("seeds    = [1, 2]", "seeds = []"), "seeds: should be different whole numbers"),
        (("question", "quest ion"), "not valid TOML"),
        (("seeds    = [1, 2]", "seeds = [1]\nseeds = [2]"), "not valid TOML"),
    ],
)  # fmt: skip
def test_one_mistake(change, message, tmp_path):
    text = GOOD.replace(*change)
    assert text != GOOD
    if message is None:
        study_from(text, tmp_path)
    else:
        assert any(message in line for line in problems_of(text, tmp_path)), problems_of(text, tmp_path)


def test_a_task_that_no_arm_trains(tmp_path):
    text = GOOD.replace('models = "one per task"', 'models = "one per task"\ntasks = ["sst2"]')
    text = text.replace('name = "proportional" }', 'name = "proportional" }\ntasks = ["sst2"]')
    text = text.replace("[arms.mixed]", '[arms.mixed]\ntasks = ["sst2"]')
    assert problems_of(text, tmp_path)[0].startswith("tasks.mnli: no arm trains this task")


def test_a_file_that_is_not_there_names_those_that_are(tmp_path):
    (tmp_path / "pairs.toml").write_text("")
    with pytest.raises(StudyError, match=r'Did you mean "pairs\.toml"'):
        read_study(tmp_path / "pears.toml")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"question = '\xe4'", b"x" * 1_000_001])
def test_a_file_that_is_not_text(content, tmp_path):
    (tmp_path / "odd.toml").write_bytes(content)
    with pytest.raises(StudyError, match=r"odd\.toml"):
        read_study(tmp_path / "odd.toml")
