import pytest
import torch
from asked import problems_of
from torch.testing import assert_close

from manyheads.weighting.famo import FAMO


def losses(**values):
    return {task: torch.tensor(value, requires_grad=True) for task, value in values.items()}


def step(weighting, before, after):
    weighting.combine(losses(**before))
    weighting.after_step(lambda: losses(**after))


def test_coefficients_by_hand():
    # z = (1/2, 1/2); z / loss = (1/4, 1), c = 4/5: coefficients (1/5, 4/5).
    given = losses(a=2.0, b=0.5)
    FAMO(["a", "b"]).backward(given, [])
    assert [loss.grad.item() for loss in given.values()] == pytest.approx([0.2, 0.8])


def test_first_update_by_hand():
    weighting = FAMO(["a", "b"], weight_decay=0.0)
    step(weighting, {"a": 2.0, "b": 0.5}, {"a": 1.0, "b": 0.4})
    # d = (log 2, log 1.25) = (0.693147, 0.223144); gradient z * (d - z . d) = (0.117501, -0.117501).
    assert_close(weighting.means, 0.1 * torch.tensor([0.117501, -0.117501]), rtol=1e-5, atol=0)
    # Adam's first step is the learning rate against the sign: a fell faster, and loses weight.
    assert_close(weighting.logits, torch.tensor([-0.025, 0.025]), rtol=1e-5, atol=0)


def test_same_as_torchjd_over_many_steps():
    scalarization = pytest.importorskip("torchjd.scalarization", reason="needs the extra `methods`")
    ours, theirs = FAMO(["a", "b", "c"]).double(), scalarization.FAMO(3).double()
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        before = 0.1 + torch.rand(3, generator=generator, dtype=torch.float64)
        after = before * (0.5 + torch.rand(3, generator=generator))
        value = ours.combine(dict(zip("abc", before, strict=True)))
        ours.after_step(lambda after=after: dict(zip("abc", after, strict=True)))
        assert_close(value, theirs(before).detach())
        theirs.update(after)
    assert_close(ours.logits, theirs._w.detach())
    assert list(ours.weights().values()) == pytest.approx(torch.softmax(theirs._w, 0).tolist())


def test_one_task_is_an_ordinary_step_without_a_second_look():
    weighting, given = FAMO(["a", "b"]), losses(b=3.0)
    before = {name: value.clone() for name, value in weighting.state_dict().items()}
    weighting.backward(given, [])
    weighting.after_step(lambda: pytest.fail("looked twice at one task"))
    assert given["b"].grad.item() == pytest.approx(1.0)
    assert_close(dict(weighting.state_dict()), before, rtol=0, atol=0)


def test_a_batch_in_parts_is_a_batch():
    whole, parts = FAMO(["a", "b"]), FAMO(["a", "b"])
    after = {"a": 1.0, "b": 0.4}
    step(whole, {"a": 2.0, "b": 0.5}, after)
    parts.combine(losses(a=1.5, b=0.25))
    step(parts, {"a": 0.5, "b": 0.25}, after)
    assert_close(dict(parts.state_dict()), dict(whole.state_dict()))


def test_absent_task_keeps_its_logit_and_moments():
    weighting = FAMO(["a", "b", "c"])
    step(weighting, {"a": 2.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": 0.9})
    before = {name: value[1].item() for name, value in weighting.state_dict().items()}
    step(weighting, {"c": 2.0, "a": 0.5}, {"c": 1.9, "a": 0.4})
    assert {name: value[1].item() for name, value in weighting.state_dict().items()} == before
    assert weighting.updates.tolist() == [2, 1, 2]


def test_state_survives_a_checkpoint_to_the_bit():
    def falls(index):
        return {"a": 1.0 / (index + 2), "b": 0.9}

    straight, first, second = FAMO(["a", "b"]), FAMO(["a", "b"]), FAMO(["a", "b"])
    for index in range(6):
        step(straight, {"a": 1.0, "b": 1.0}, falls(index))
    for index in range(3):
        step(first, {"a": 1.0, "b": 1.0}, falls(index))
    second.load_state_dict(first.state_dict())
    for index in range(3, 6):
        step(second, {"a": 1.0, "b": 1.0}, falls(index))
    assert_close(dict(second.state_dict()), dict(straight.state_dict()), rtol=0, atol=0)


def test_has_nothing_for_the_models_optimizer():
    assert list(FAMO(["a", "b"]).parameters()) == []


def test_slower_task_gains_weight():
    weighting = FAMO(["fast", "slow"])
    for _ in range(30):
        step(weighting, {"fast": 1.0, "slow": 1.0}, {"fast": 0.8, "slow": 0.99})
    weights = weighting.weights()
    assert weights["slow"] > 0.7 and sum(weights.values()) == pytest.approx(1.0)


def test_problems():
    assert problems_of("weighting", "famo", {"a": "span"}, {"learning_rate": 0.1}) == []
    (problem,) = problems_of("weighting", "famo", {"a": "span"}, {"weight_decay": -1.0})
    assert problem.where == "x.weight_decay"
