"""One battery over every method found: a new file is tested before its author writes a test."""

import ast
import json
import random
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from made_up import MadeUp
from pydantic import TypeAdapter
from torch import nn

from manyheads import registry
from manyheads.core.problems import StudyError
from manyheads.core.tensors import States
from manyheads.core.values import Encoded, HighlightedText, Table
from manyheads.data.batches import batch_of, encoded, stored
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.heads import Head
from manyheads.runner.analysis_sections import section_entry
from manyheads.scoring import score_files, scored_heads
from manyheads.weighting import Weighting

MEMBERS = [(family, name) for family in registry.FAMILIES for name in registry.names(family)]
TASKS = {"a": 7, "b": 3, "c": 5}
TYPES = {"a": "classification", "b": "classification", "c": "span"}
REQUIRED_SETTINGS = {"weighted": {"weights": {"a": 0.5}}}


def source_of(family: str, name: str) -> ast.ClassDef:
    path = Path(registry.HERE) / family / f"{name}.py"
    tree = ast.parse(path.read_text("utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_a_method_says_what_it_is_and_what_may_be_set(family, name):
    entry = registry.describe(family, name)
    assert entry.summary.endswith((".", "!", "?")) and len(entry.summary) <= 130
    text = ast.get_docstring(source_of(family, name)) or ""
    for setting in entry.settings:
        assert setting.annotation != "Any", f"{setting.name} has no type"
        TypeAdapter(setting.type)
        assert f":param {setting.name}:" in text, f"{setting.name} is not described"


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_a_method_can_be_loaded(family, name):
    assert registry.load(family, name).__name__ == registry.describe(family, name).class_name


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_a_method_names_its_source(family, name):
    path = Path(registry.HERE) / family / f"{name}.py"
    text = path.read_text("utf-8")
    assert name in ("table", "small_world", "fixed", "regression") or "http" in text, "which paper, which data?"


@pytest.mark.parametrize("name", registry.names("analyses"))
def test_an_analysis_of_a_study_in_which_nothing_finished_says_so(name):
    made = MadeUp({"alone": ["a", "b"], "joint": ["a", "b"]}, {"a": [{"id": "1"}], "b": [{"id": "1"}]}, 3)
    settings = REQUIRED_SETTINGS.get(name, {})
    entry, files = section_entry(name, registry.load("analyses", name)(**settings).analyse(made))
    assert entry.failed is None and entry.finding.endswith(".")
    assert all(path.startswith("analyses/") for path in files)


def weighting_of(name: str) -> Weighting:
    return registry.load("weighting", name)(list(TASKS))


def losses_of(shared: nn.Parameter, heads: dict[str, nn.Parameter], tasks: list[str]) -> dict[str, torch.Tensor]:
    """Positive losses that pull in different directions."""
    return {
        task: (shared * heads[task]).sum().pow(2) + (shared - index).pow(2).sum() + 0.1
        for index, task in enumerate(tasks)
    }


WEIGHTINGS = registry.names("weighting")


def trained(method: Weighting, steps: list[list[str]]) -> list[torch.Tensor]:
    torch.manual_seed(0)
    shared = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))
    heads = {task: nn.Parameter(torch.tensor([1.0, 0.5, -0.5]) * (index + 1)) for index, task in enumerate(TASKS)}
    optimizer = torch.optim.SGD([shared, *heads.values(), *method.parameters()], lr=0.01)
    for tasks in steps:
        method.backward(losses_of(shared, heads, tasks), [shared])
        assert shared.grad is not None and torch.isfinite(shared.grad).all()
        assert all((heads[task].grad is not None) == (task in tasks) for task in TASKS)
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(lambda tasks=tasks: {k: v.detach() for k, v in losses_of(shared, heads, tasks).items()})
        if method.needs_scores:
            method.hear(dict.fromkeys(TASKS, 0.6))
    return [shared.detach().clone(), *(head.detach().clone() for head in heads.values())]


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weighting_survives_steps_of_any_tasks(name):
    trained(weighting_of(name), [list(TASKS), ["a"], ["b", "c"], list(TASKS)])


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weighting_repeats_and_survives_a_checkpoint(name):
    first, second = weighting_of(name), weighting_of(name)
    one, other = trained(first, [list(TASKS)] * 3), trained(second, [list(TASKS)] * 3)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    restored = weighting_of(name)
    restored.load_state_dict(first.state_dict())
    one, other = trained(first, [list(TASKS)] * 2), trained(restored, [list(TASKS)] * 2)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert restored.weights() == first.weights()


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weighting_names_known_tasks_only(name):
    assert set(weighting_of(name).weights()) <= set(TASKS)


SAMPLINGS = registry.names("sampling")


def sampling_of(name: str):
    return registry.load("sampling", name)(TASKS, TYPES, **REQUIRED_SETTINGS.get(name, {}))


@pytest.mark.parametrize("name", SAMPLINGS)
def test_schedule_is_a_function_of_its_generator(name):
    plans = [sampling_of(name).plan(0, random.Random(seed)) for seed in (1, 1)]
    assert plans[0] == plans[1]
    state = random.getstate()
    sampling_of(name).plan(1, random.Random(1))
    assert random.getstate() == state


@pytest.mark.parametrize("name", SAMPLINGS)
def test_schedule_keeps_its_promises(name):
    sampling = sampling_of(name)
    sampling.epochs = 2.0
    plans = [sampling.plan(epoch, random.Random(epoch)) for epoch in range(2)]
    assert all(step and set(step) <= set(TASKS) and len(set(step)) == len(step) for plan in plans for step in plan)
    shares = sampling.expected_shares()
    assert set(shares) == set(TASKS) and sum(shares.values()) == pytest.approx(1.0)
    length = sum(map(len, plans)) / 2
    assert length == pytest.approx(sampling.expected_steps(), rel=0.6)
    assert all(0 <= at < len(plan) for epoch, plan in enumerate(plans) for at in sampling.changes(epoch))


@pytest.mark.parametrize("name", SAMPLINGS)
def test_schedule_finds_no_fault_with_its_defaults(name):
    assert registry.load("sampling", name).problems(TYPES, REQUIRED_SETTINGS.get(name, {}), "arms.x.sampling") == []


COLUMNS = {
    "text": ["a film", "not a film at all"],
    "text_pair": ["it is", "it is not"],
    "choices": [["one", "two"], ["red", "green", "blue"]],
    "question": ["Who is it?", "Why?"],
    "context": ["It is Ann, with an é.", "Nobody knows. " * 30],
    "answers": [{"text": ["Ann"], "answer_start": [6]}, {"text": ["knows"], "answer_start": [7]}],
    "words": [["Ann", "lives", "in", "Ulm"], ["Nobody", "\u200b", "[SEP]"] * 60],
    "tags": [["B-PER", "O", "O", "B-LOC"], ["O", "B-LOC", "O"] * 60],
}
LABELS = {
    "classification": (("no", "yes"), ["yes", "no"]),
    "multiple_choice": (None, ["0", "2"]),
    "tagging": (("O", "B-PER", "B-LOC"), None),
}


def plain(value):
    """Arrays as lists with their type, so that values can be compared with ==."""
    if isinstance(value, np.ndarray):
        return ["array", value.dtype.str, value.tolist()]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def columns_of(name: str, labelled: bool = True) -> dict[str, list]:
    head_class = registry.load("heads", name)
    given = {column: COLUMNS[column] for column in (*head_class.columns, *head_class.optional) if column in COLUMNS}
    if "label" in head_class.columns:
        given["label"] = LABELS.get(name, (None, [1.5, 2.5]))[1]
    return given if labelled else {name: values for name, values in given.items() if name not in head_class.gold}


def head_and_table(name: str, labelled: bool = True) -> tuple[Head, Table]:
    labels = LABELS.get(name, (None, None))[0]
    rows = datasets.Dataset.from_dict({"id": ["x", "y"], **columns_of(name, labelled)})
    return registry.load("heads", name)(8, labels), Table(rows, labels, labelled)


def answers_of(head: Head, examples: list[Encoded]) -> tuple[torch.Tensor, list]:
    lengths = tuple(len(one.ids) for example in examples for one in example.inputs)
    states = States((torch.randn(sum(lengths), 8, generator=torch.Generator().manual_seed(0)),), lengths)
    outputs = head.eval()(states, [len(one.inputs) for one in examples])
    return outputs, head.decode(outputs, examples)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("name", registry.names("heads"))
def test_what_a_head_encodes_comes_back_from_disk_as_it_was(name, labelled, minilm):
    (head, table), tokenizer = head_and_table(name, labelled), PretrainedTokenizer(minilm)
    before, after = encoded(head, table, tokenizer), list(stored(head, table, tokenizer))
    assert all(bool(one.targets) == labelled for one in before)
    for one, other in zip(before, after, strict=True):
        for left, right in zip(one.inputs, other.inputs, strict=True):
            assert plain(left.ids) == plain(right.ids) and plain(left.token_types) == plain(right.token_types)
        assert (one.targets, plain(one.metadata), one.truncated) == (
            other.targets,
            plain(other.metadata),
            other.truncated,
        )
    outputs, answers = answers_of(head, before)
    assert len(answers) == 2 and answers == head.decode(outputs, after)
    assert head.counts(before) == head.counts(after)


@pytest.mark.parametrize("name", registry.names("heads"))
def test_a_batch_in_which_nothing_is_labelled_is_a_loss_of_zero(name, minilm):
    head, table = head_and_table(name)
    batch = batch_of("task", stored(head, table, PretrainedTokenizer(minilm)), [0, 1])
    assert batch.targets is not None
    states = torch.randn(sum(batch.tokens.lengths), 8, requires_grad=True)
    outputs = head(States((states,), batch.tokens.lengths), batch.counts)
    if batch.targets.is_floating_point():  # no number stands for "none": such a batch has no examples
        loss = head.loss(outputs[:0], batch.targets[:0], ())
    else:
        loss = head.loss(outputs, torch.full_like(batch.targets, -100), batch.counts)
    assert loss.item() == 0.0
    loss.backward()
    gradients = [states.grad, *(parameter.grad for parameter in head.parameters())]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)


@pytest.mark.parametrize("name", registry.names("heads"))
def test_what_is_read_of_a_head_without_torch_is_a_plain_value(name):
    constants, head_class = registry.describe("heads", name).constants, registry.load("heads", name)
    for key in ("columns", "optional", "gold", "per_token"):
        assert constants[key] == getattr(head_class, key), f"write {key} as a plain value"
    assert head_class.gold and set(head_class.gold) <= set(head_class.columns)


@pytest.mark.parametrize("name", registry.names("heads"))
def test_a_head_finds_no_fault_with_a_sound_table_and_sound_questions(name):
    head, table = head_and_table(name)
    assert head.problems(table, "here") == []
    for column in head.asked:
        assert [head.question_problem(column, value) for value in table.rows[column]] == ["", ""]
        assert all(head.question_problem(column, value).startswith(("a ", "an ")) for value in (None, 7, "", [], [""]))


@pytest.mark.parametrize("name", registry.names("heads"))
def test_examples_and_answers_of_a_head_read_as_text(name, minilm):
    head, table = head_and_table(name)
    rows = table.rows.to_list()
    _, answers = answers_of(head, encoded(head, table, PretrainedTokenizer(minilm)))
    json.dumps(answers, allow_nan=False)
    for row, answer in zip(rows, answers, strict=True):
        told = head.show_example(row)
        assert told and all(isinstance(text, str | HighlightedText) for text in told.values())
        assert (
            head.show_example({key: value for key, value in row.items() if key not in head.gold}).keys() == told.keys()
        )
        assert isinstance(head.show_answer(answer, row), str)
        gold = row[head.gold[0]] if len(head.gold) == 1 else {key: row[key] for key in head.gold}
        assert head.show_gold(gold, row).strip()
    for by, groups in head.groups(rows).items():
        assert by and len(groups) == len(rows) and all(isinstance(group, str) for group in groups)


@pytest.mark.parametrize("head", scored_heads())
def test_files_that_cannot_be_scored_are_told(head, tmp_path):
    path = tmp_path / "file"
    for text in ("", "{", "[]", '{"id": "1"}', "\xff", '{"data": 7}'):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(StudyError):
            score_files(head, path, path)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weighting_survives_a_loss_of_zero(name):
    method = weighting_of(name)
    shared = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))
    heads = {task: nn.Parameter(torch.tensor([1.0, 0.5, -0.5]) * (index + 1)) for index, task in enumerate(TASKS)}
    for _ in range(2):
        losses = losses_of(shared, heads, list(TASKS))
        losses["b"] = losses["b"] * 0.0
        method.backward(losses, [shared])
        parameters = [shared, *heads.values(), *method.parameters()]
        assert all(one.grad is None or torch.isfinite(one.grad).all() for one in parameters)
        assert shared.grad is not None and (shared.grad.any() or name == "mgda")
        method.after_step(lambda losses=losses: {task: loss.detach() for task, loss in losses.items()})
        if method.needs_scores:
            method.hear(dict.fromkeys(TASKS, 0.6))
        assert all(np.isfinite(weight) for weight in method.weights().values())
