"""The loop against the plain way to do the same: rectangles with padding, eager attention, the whole table of
embeddings, one task after the other, torch's AdamW without fused kernels. Fifty steps must lose the same."""

import numpy as np
import pytest
import torch
from datasets import Value
from torch import nn
from transformers import AutoModel

from manyheads import registry
from manyheads.core.tensors import States
from manyheads.core.values import Places, Table
from manyheads.data.batches import TrainingData, encoded, vocabulary
from manyheads.datasets.small_world import SmallWorld
from manyheads.study.spec import SGD, AdamW, TrainingSettings
from manyheads.study.steps import Layout
from manyheads.training.loop import train
from manyheads.training.model import build_model
from manyheads.training.optimizer import linear_schedule, optimizer_for

STEPS, RATE, DECAY, CLIP, WARMUP = 50, 1e-3, 0.1, 1.0, 0.1
SETTINGS = TrainingSettings(warmup=WARMUP, clip=CLIP)
HEADS = {
    "classification": ("food_sentiment", {"max_length": 48, "dropout": 0.0}),
    "regression": ("film_sentiment", {"max_length": 48, "dropout": 0.0}),
    "multiple_choice": ("choices", {"max_length": 64, "dropout": 0.0}),
    "span": ("questions", {"max_length": 64, "stride": 24, "max_question": 24}),
}


def table(tiny, head: str) -> Table:
    found = SmallWorld(Places(tiny), subset=HEADS[head][0], size=40).read("train")
    assert found is not None
    if head != "regression":
        return found
    rows = found.rows.map(lambda row: {"score": len(row["text"]) / 50}).remove_columns("label")
    return Table(rows.rename_column("score", "label").cast_column("label", Value("float64")))


class Padded(nn.Module):
    """transformers' own model over rectangles."""

    def __init__(self, folder):
        super().__init__()
        self.inner = AutoModel.from_pretrained(
            folder, attn_implementation="eager", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )

    def forward(self, tokens):
        ids, kinds = (
            nn.utils.rnn.pad_sequence(list(values.split(tokens.lengths)), batch_first=True)
            for values in (tokens.ids, tokens.token_types)
        )
        mask = torch.arange(ids.shape[1]) < torch.tensor(tokens.lengths)[:, None]
        states = self.inner(ids, attention_mask=mask.long(), token_type_ids=kinds).last_hidden_state
        return States((states[mask],), tokens.lengths)


def built(tiny, tables, sharing):
    specification = {
        "encoder": {"name": "pretrained", "settings": {"model": str(tiny), "dropout": 0.0}},
        "sharing": {"name": sharing, "settings": {}},
        "tasks": {
            task: {"head": {"name": task, "settings": HEADS[task][1]}, "labels": given.labels}
            for task, given in tables.items()
        },
    }
    return build_model(specification, Places(tiny), seed=1)


def data_for(model, tables):
    return {
        task: TrainingData(task, encoded(model.head(task), given, model.tokenizer), 8, 1)
        for task, given in tables.items()
    }


def ours(model, data, steps) -> list[dict[str, float]]:
    model.narrow(np.unique(np.concatenate([vocabulary(one.examples) for one in data.values()])))
    weighting = registry.load("weighting", "fixed")(list(data))
    optimizer = optimizer_for(model, weighting, AdamW(weight_decay=DECAY), RATE)
    records = train(model, data, Layout(steps), weighting, optimizer, seed=1, settings=SETTINGS)
    return [record.losses for record in records]


def reference(model, data, steps, tiny) -> list[dict[str, float]]:
    encoder = Padded(tiny)
    named = [*encoder.named_parameters(), *((n, p) for task in data for n, p in model.head(task).named_parameters())]
    decayed = [p for n, p in named if p.ndim > 1 and "pooler" not in n]
    others = [p for n, p in named if p.ndim == 1 and "pooler" not in n]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}], foreach=False
    )
    seen, used = [], dict.fromkeys(data, 0)
    for step, tasks in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * linear_schedule(step + 0.5, len(steps), WARMUP)
        losses = {}
        for task in tasks:
            batch = data[task].batch(used[task])
            used[task] += 1
            head = model.head(task)
            losses[task] = head.loss(head(encoder(batch.tokens), batch.counts), batch.targets, batch.counts)
            losses[task].backward()
        nn.utils.clip_grad_norm_(decayed + others, CLIP)
        optimizer.step()
        optimizer.zero_grad()
        seen.append({task: loss.item() for task, loss in losses.items()})
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [*([head] for head in HEADS), list(HEADS)], ids=lambda tasks: "+".join(tasks))
def test_fifty_steps_lose_what_the_padded_computation_loses(tiny, tasks):
    tables = {task: table(tiny, task) for task in tasks}
    results = []
    for way in (ours, lambda *given: reference(*given, tiny)):
        model = built(tiny, tables, "hard")
        results.append(way(model, data_for(model, tables), [tuple(tasks)] * STEPS))
    for one, other in zip(*results, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    # Something was learned, so that equal is not merely "unchanged".
    assert sum(results[0][-1].values()) < 0.97 * sum(results[0][0].values())


@pytest.mark.parametrize(("sharing", "tasks"), [("hard", list(HEADS)), ("sluice", ["classification", "regression"])])
def test_twenty_steps_lose_the_same_with_and_without_the_switch(tiny, sharing, tasks, monkeypatch):
    tables, results = {task: table(tiny, task) for task in tasks}, []
    for switch in ("", "1"):
        monkeypatch.setenv("MANYHEADS_PLAIN", switch)
        model = built(tiny, tables, sharing)
        assert [encoder.packed for encoder in model.sharing.encoders()] == [not switch] * len(model.sharing.encoders())
        data = data_for(model, tables)
        model.narrow(np.unique(np.concatenate([vocabulary(one.examples) for one in data.values()])))
        weighting, settings = registry.load("weighting", "fixed")(list(data)), TrainingSettings(clip=0.0)
        optimizer = optimizer_for(model, weighting, SGD(), 0.05)
        loop = train(model, data, Layout([tuple(tasks)] * 20), weighting, optimizer, seed=1, settings=settings)
        results.append([record.losses for record in loop])
    for one, other in zip(*results, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert sum(results[0][-1].values()) < 0.97 * sum(results[0][0].values())
