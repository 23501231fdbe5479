import json
import subprocess
import sys

import pytest
import torch
from training_world import World
from transformers import AutoModel

from manyheads.core.problems import StudyError
from manyheads.core.tensors import padding_for
from manyheads.core.values import Places
from manyheads.data.batches import encoded
from manyheads.training.model import build_model, open_model
from manyheads.training.prediction import predict

SCRIPT = """
import json, sys
from pathlib import Path
import torch
from manyheads.training.prediction import predict
from manyheads.training.model import open_model
torch.set_num_threads(1)
model = open_model(Path(sys.argv[1]))
lines = [json.loads(line) for line in open(sys.argv[2])]
examples = {task: model.head(task).encode(lines, model.tokenizer) for task in model.tasks}
print(json.dumps(predict(model, examples)))
"""
TEXTS = ["The soup was cold and the waiter was rude.", "A fine film.", "Not bad, not bad at all!"]


@pytest.mark.slow
@pytest.mark.parametrize("sharing", [{}, {"name": "sluice", "settings": {}}])
def test_saved_and_opened_in_a_new_process_it_predicts_the_same_bits(sharing, tiny, tmp_path):
    model, _ = World(tiny, **sharing).trained([("food", "film")] * 2)
    lines = [{"id": str(index), "text": text} for index, text in enumerate(TEXTS)]
    here = predict(model, {task: model.head(task).encode(lines, model.tokenizer) for task in model.tasks})
    model.save(tmp_path / "model")
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "model"), str(tmp_path / "lines.jsonl")]
    there = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(there) == json.loads(json.dumps(here))


def test_the_encoder_opens_with_automodel(tiny, tmp_path, capfd):
    model, _ = World(tiny).trained([("food", "film")] * 2)
    model.save(tmp_path)
    opened = AutoModel.from_pretrained(tmp_path)
    ours = model.sharing.encoder.inner.state_dict()
    assert opened.state_dict().keys() == ours.keys()
    assert all(torch.equal(value, ours[name]) for name, value in opened.state_dict().items())
    assert "MISSING" not in capfd.readouterr().err


def test_heads_start_the_same_whatever_stands_beside_them(tiny):
    alone, beside = World(tiny, ("film",)).model(), World(tiny, ("food", "film")).model()
    assert torch.equal(alone.head("film").output.weight, beside.head("film").output.weight)
    assert not torch.equal(beside.head("food").output.weight, beside.head("film").output.weight)
    assert not torch.equal(World(tiny).model(seed=2).head("film").output.weight, alone.head("film").output.weight)


def test_no_gradient_reaches_another_tasks_head(tiny):
    world = World(tiny)
    model = world.model()
    model({"food": world.data(model)["food"].batch(0)})["food"].backward()
    assert model.head("film").output.weight.grad is None
    assert model.head("food").output.weight.grad.abs().sum() > 0


def test_a_name_with_a_dot(tiny, tmp_path):
    task = {"head": {"name": "classification", "settings": {}}, "labels": ["n", "y"]}
    encoder = {"name": "pretrained", "settings": {"model": str(tiny)}}
    given = {"encoder": encoder, "sharing": {"name": "hard", "settings": {}}, "tasks": {"v1.0": task}}
    model = build_model(given, Places(tiny), seed=1)
    model.save(tmp_path)
    assert torch.equal(open_model(tmp_path).head("v1.0").output.weight, model.head("v1.0").output.weight)


def test_a_head_longer_than_the_encoder_is_refused(tiny):
    task = {"head": {"name": "classification", "settings": {"max_length": 129}}, "labels": ["n", "y"]}
    encoder = {"name": "pretrained", "settings": {"model": str(tiny)}}
    given = {"encoder": encoder, "sharing": {"name": "hard", "settings": {}}, "tasks": {"t": task}}
    with pytest.raises(
        StudyError, match=r"tasks.t.head.max_length: longer than the encoder takes. Found 129. Choose 128"
    ):
        build_model(given, Places(tiny), seed=1)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(StudyError, match="not a model that manyheads saved"):
        open_model(tmp_path)


def test_several_heads_over_the_same_texts_share_one_pass(tiny):
    world = World(tiny)
    model = world.model().eval()
    lines = [{"id": str(index), "text": text} for index, text in enumerate(TEXTS)]
    examples = {task: model.head(task).encode(lines, model.tokenizer) for task in model.tasks}
    tokens = []
    model.sharing.encoder.register_forward_hook(lambda _, given, __: tokens.append(len(given[0].ids)))
    both = predict(model, examples)
    real = sum(len(example.inputs[0].ids) for example in examples["food"])
    assert tokens == [real + padding_for(real)]
    assert both == {task: predict(model, {task: examples[task]})[task] for task in examples}


def test_predictions_do_not_depend_on_what_is_computed_together(tiny):
    world = World(tiny, ("asked",))
    model = world.model().eval()
    examples = encoded(model.head("asked"), world.tables["asked"], model.tokenizer)[:12]
    together = predict(model, {"asked": examples})["asked"]
    apart = predict(model, {"asked": examples}, tokens=1)["asked"]
    for one, other in zip(together, apart, strict=True):
        assert one["answer"] == other["answer"]
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
