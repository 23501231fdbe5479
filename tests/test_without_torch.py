"""`check`, `list` and `--help` on a machine without torch: the same plan, and the same messages for every mistake."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import STUDY
from manyheads import registry
from manyheads.core.problems import StudyError
from manyheads.study.estimate import planned

ROOT = Path(__file__).parents[1]
ABSENT = """
import sys
class Without:  # `None` in sys.modules would not do: the datasets library looks only whether the key is there
    def __init__(self, finder): self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in ("torch", "transformers") else self.finder.find_spec(name, path, target)
    def __getattr__(self, name): return getattr(self.finder, name)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
NOT_IMPORTED = "\nassert not {'torch', 'transformers'} & set(sys.modules)"
CHECK_ALL = """
import json, pathlib
from manyheads.study.estimate import planned
from manyheads.core.problems import StudyError
found = {}
for path in sys.argv[2:]:
    try:
        found[path] = planned(pathlib.Path(path), pathlib.Path(sys.argv[1]), None)
    except StudyError as error:
        found[path] = [str(problem) for problem in error.problems]
print(json.dumps(found))
"""


def python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(*arguments: object) -> str:
    call = "sys.argv = ['manyheads', *sys.argv[1:]]\nfrom manyheads.cli import app\napp(standalone_mode=False)"
    return python(ABSENT + call, *arguments)


def without_minutes(plan: dict) -> dict:
    arms = {name: {**arm, "minutes": None} for name, arm in plan["arms"].items()}
    return json.loads(json.dumps({**plan, "arms": arms, "minutes": None}))


# What goes into STUDY in place of what, and the beginning of each message.
HEAD, SPAN = 'name = "classification", max_length = 48', "stride = 24"
MISTAKES = {
    "column": (HEAD, 'name = "multiple_choice"', ['tasks.food (train): the column "choices" is missing']),
    "label": (HEAD, 'name = "regression"', ["tasks.food (train): the labels are names of classes"]),
    "range": (HEAD, 'name = "regression", low = 3.0, high = 1.0', ["tasks.food.head: regression: low and high are"]),
    "f1": (HEAD, 'name = "classification", metric = "f2"', ['tasks.food.head.metric: should be "accuracy"']),
    "stride": (SPAN, "stride = 90", ["tasks.questions.head: span: stride is longer than the room"]),
    "special": (SPAN, "stride = 71", ["tasks.questions.head: span: stride is longer than the room"]),
    "nbest": (SPAN, "stride = 24, nbest = 0", ["tasks.questions.head.nbest: should be from 1 to 1000. Found 0."]),
    "answer": ("nullable = true", "nullable = false", ["tasks.questions (train) (record questions_or_none-train-"]),
    "length": ("max_length = 48", "max_length = 129", ["tasks.food.head.max_length: longer than the encoder takes"]),
    "layers": ("[training]", "layers = 3\n[training]", ['encoder.layers: "TINY" has 2 layers. Found 3. Choose 1 to 2']),
    "dropout": ("[training]", "dropout = 2.0\n[training]", ["encoder.dropout: should be from -1 to below 1"]),
    "model": ("TINY", "no/such-model", ['encoder.model: there is no such model. Found "no/such-model"']),
    "type": ("TINY", "gpt2", ["encoder.model: not an encoder that manyheads can run. Found gpt2."]),
    "config": ("TINY", "broken", ['encoder.model: there is no such model. Found "broken". Give a Hub id']),
    "number": ("TINY", "worded", ["encoder.model: num_hidden_layers of its config.json input should be"]),
    "tokenizer": ("TINY", "mute", ["encoder.model: its tokenizer cannot be used"]),
    "weights": ("TINY", "light", ["encoder.model: cannot be loaded"]),
    "fixed": ("ARM", 'weighting = { name = "fixed", weights = { food = -1.0 } }', ["arms.joint.weighting.weights."]),
    "famo": ("ARM", 'weighting = { name = "famo", learning_rate = -1.0 }', ["arms.joint.weighting.learning_rate: "]),
    "dtp": (
        "ARM", 'weighting = { name = "dynamic_task_prioritization", alpha = 2.0, gamma = -1.0 }',
        ["arms.joint.weighting.alpha: should be more than 0", "arms.joint.weighting.gamma: should be from 0 to 50"],
    ),
    "parts": (
        "ARM", 'weighting = { name = "pcgrad" }\ntraining = { accumulation = 2 }',
        ['arms.joint.weighting: "pcgrad" needs the losses of whole batches. Found accumulation = 2.'],
    ),
    "orthogonality": ("ARM", 'sharing = { name = "sluice", orthogonality = -1.0 }', ["arms.joint.sharing.orthog"]),
    "subspaces": ("ARM", 'sharing = { name = "sluice", subspaces = 5 }', ["sharing.subspaces: should divide"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def mistaken(tiny, tmp_path_factory) -> dict[str, Path]:
    """A study file for each mistake, and the models that are wrong."""
    folder = tmp_path_factory.mktemp("mistakes")
    config = json.loads((tiny / "config.json").read_text())
    for name, files in {
        "gpt2": {"config.json": {"model_type": "gpt2"}},
        "broken": {"config.json": []},
        "worded": {"config.json": {**config, "num_hidden_layers": "two"}, "model.safetensors": {}, "vocab.txt": {}},
        "mute": {"config.json": config},
        "light": {"config.json": config, "vocab.txt": {}},
    }.items():
        (folder / name).mkdir()
        for file, content in files.items():
            (folder / name / file).write_text(json.dumps(content))
    shutil.copy(tiny / "model.safetensors", folder / "mute")
    good = STUDY.format(tiny=tiny).replace('sampling = { name = "proportional" }', "ARM")
    assert good.count("ARM") == 1
    paths = {}
    for name, (old, new, _) in MISTAKES.items():
        old, text = (str(tiny), good) if old == "TINY" else (old, good)
        assert old in text
        paths[name] = folder / f"{name}.toml"
        paths[name].write_text(text.replace(old, new).replace("ARM", ""), "utf-8")
    return paths


@pytest.fixture(scope="module")
def answers(mistaken, tmp_path_factory) -> dict:
    return json.loads(python(ABSENT + CHECK_ALL + NOT_IMPORTED, tmp_path_factory.mktemp("none"), *mistaken.values()))


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_mistake_is_found_without_torch(name, mistaken, answers, tiny):
    found, expected = answers[str(mistaken[name])], MISTAKES[name][2]
    assert isinstance(found, list), "no mistake was found"
    for start in expected:
        assert any(one.startswith(start.replace("TINY", str(tiny))) for one in found), found


@pytest.mark.parametrize("name", list(MISTAKES))
def test_with_torch_the_messages_are_the_same(name, mistaken, answers):
    with pytest.raises(StudyError) as error:
        planned(mistaken[name], None, None)
    assert [str(problem) for problem in error.value.problems] == answers[str(mistaken[name])]


def test_the_plan_is_the_same_without_torch(study_file):
    plan = json.loads(command("check", study_file, "--json"))
    assert plan["minutes"] > 0
    assert without_minutes(plan) == without_minutes(planned(study_file, None, None))


def test_where_torch_is_installed_check_does_not_import_it(study_file):
    code = "import sys\n" + CHECK_ALL + NOT_IMPORTED + "\nimport torch"
    assert json.loads(python(code, study_file.parent, study_file))[str(study_file)]["runs"] == 6


def test_list_and_help_without_torch():
    assert "Trains several text tasks" in command("--help")
    listed = command("list", "weighting")
    assert all(f"  {name}" in listed for name in registry.names("weighting"))
    assert "  span" in command("list")


def test_score_without_torch(tmp_path):
    """Also says what there is to be scored."""
    (tmp_path / "lines").write_text('{"id": "1", "label": "a"}')
    for head in ("classification", "multiple_choice"):
        found = json.loads(
            command("score", head, "--gold", tmp_path / "lines", "--predictions", tmp_path / "lines", "--json")
        )
        assert found["accuracy"] == 1.0
    told = command("score", "--help")
    assert all(name in told for name in [*registry.names("heads"), "dependency"])


def test_the_shipped_studies_without_torch(hub):
    shipped = ["studies/quickstart.toml", "studies/small/pairs.toml", "studies/small/squad2_mixtures.toml"]
    plans = json.loads(python(ABSENT + CHECK_ALL + NOT_IMPORTED, hub, *shipped))
    assert {Path(path).stem: plans[path]["runs"] for path in shipped} == {
        "quickstart": 20, "pairs": 18, "squad2_mixtures": 24,
    }  # fmt: skip
    assert all(plans[path]["minutes"] > 0 for path in shipped)


CHECKS = """
import json
from manyheads import registry
ASKED = {"heads": ("problems", "unfit", "lengths"), "encoders": ("info",), "sharing": ("problems",),
         "weighting": ("problems",), "sampling": ("problems",)}
CONSTANTS = {"weighting": ("needs_scores", "accumulates"), "sharing": ("encoder_per_task",)}
told = {}
for family, functions in ASKED.items():
    for name in registry.names(family):
        checks = registry.checks(family, name)
        assert checks.told or family not in ("heads", "encoders"), name
        assert all(callable(getattr(checks, function)) for function in functions), name
        told[f"{family} {name}"] = {key: registry.constant(family, name, key) for key in CONSTANTS.get(family, ())}
print(json.dumps(told))
"""


def test_the_checks_of_every_method_need_no_torch():
    """If this fails for your method: put its checks into a companion (see the contract of its family)."""
    told = json.loads(python(ABSENT + CHECKS + NOT_IMPORTED))
    assert "sharing sluice" in told and "weighting famo" in told
    for member, constants in told.items():
        loaded = registry.load(*member.split())
        assert {key: getattr(loaded, key) for key in constants} == constants, member
