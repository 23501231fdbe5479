import pytest
import torch
from torch.testing import assert_close
from training_world import World, weights_of

from manyheads.sampling import Change
from manyheads.training.loop import NotFiniteError

TURNS = [("food",), ("film",)] * 4


def test_weight_one_trains_bit_identically_to_the_task_alone(tiny):
    steps = [("food",)] * 6
    alone, _ = World(tiny, ("food",), dropout=0.1).trained(steps, optimizer="adamw", clip=1.0)
    beside, _ = World(tiny, ("food", "film"), dropout=0.1).trained(steps, optimizer="adamw", clip=1.0)
    one, other = weights_of(alone), weights_of(beside)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_bits(tiny):
    world = World(tiny, dropout=0.1)
    (one, first), (other, second) = (world.trained(TURNS, optimizer="adamw") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert [record.losses for record in first] == [record.losses for record in second]


def test_golden_losses_under_sgd(tiny):
    # Plain SGD without clipping: a factor that Adam would divide away changes these numbers.
    _, records = World(tiny).trained([("food",), ("film",), ("food", "film")] * 2, learning_rate=0.05)
    losses = [value for record in records for value in record.losses.values()]
    assert losses == pytest.approx(GOLDEN, abs=2e-4)


GOLDEN = [0.71873, 0.70021, 1.22447, 0.68694, 0.705, 0.7918, 0.72131, 0.6963]


def test_a_joint_step_is_the_sum_of_its_tasks(tiny):
    world = World(tiny)
    model = world.model()
    data = world.data(model)
    step = {task: data[task].batch(0) for task in world.tasks}
    sum(model(step).values()).backward()
    joint = [parameter.grad.clone() for parameter in model.shared_parameters() if parameter.grad is not None]
    model.zero_grad()
    for task, batch in step.items():
        model({task: batch})[task].backward()
    apart = [parameter.grad for parameter in model.shared_parameters() if parameter.grad is not None]
    for one, other in zip(joint, apart, strict=True):
        assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_one_pass_of_the_encoder_for_a_joint_step(tiny):
    world = World(tiny)
    model = world.model()
    data = world.data(model)
    passes = []
    model.sharing.encoder.register_forward_hook(lambda *_: passes.append(1))
    model({task: data[task].batch(0) for task in world.tasks})
    assert len(passes) == 1


@pytest.mark.parametrize("tasks", [("food", "film"), ("food", "asked")])
def test_accumulation_changes_nothing_but_rounding(tiny, tasks):
    world = World(tiny, tasks)
    steps = [(task,) for task in tasks] * 3
    (one, first), (other, second) = (world.trained(steps, accumulation=number) for number in (1, 3))
    for a, b in zip(first, second, strict=True):
        assert a.losses == pytest.approx(b.losses, rel=1e-4)
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert_close(a, b, rtol=1e-3, atol=1e-5, msg=name)


def test_an_absent_task_keeps_its_head_under_adam(tiny):
    world = World(tiny)
    both, _ = world.trained([("food", "film"), ("food",)], optimizer="adamw")
    once, _ = world.trained([("food", "film")], optimizer="adamw", schedule="constant")
    again, _ = world.trained([("food", "film"), ("food",)], optimizer="adamw", schedule="constant")
    assert torch.equal(once.head("film").output.weight, again.head("film").output.weight)
    assert not torch.equal(once.head("food").output.weight, again.head("food").output.weight)
    assert both is not None


def test_a_loss_that_is_not_a_number_stops_before_the_update(tiny):
    world = World(tiny)
    with pytest.raises(NotFiniteError, match=r"^step 1: the loss of food is nan$") as error:
        world.trained([("film",), ("food",)], learning_rate=float("1e38"))
    assert set(error.value.rows) == {"food"} and len(error.value.rows["food"]) == 8


def test_a_fresh_head_starts_anew_and_forgets_its_moments(tiny):
    world = World(tiny)
    change = {2: Change(fresh_heads=("food",), fresh_optimizer=True, schedule=(2, 4))}
    kept, _ = world.trained([("food",)] * 4, optimizer="adamw")
    fresh, records = world.trained([("food",)] * 4, optimizer="adamw", changes=change)
    assert not torch.equal(kept.head("food").output.weight, fresh.head("food").output.weight)
    # The second half has a schedule of its own, so the rate rises again.
    assert records[2].learning_rate > records[1].learning_rate


def test_a_record_says_what_a_step_did(tiny):
    _, records = World(tiny).trained([("food", "film"), ("film",)])
    assert [record.step for record in records] == [0, 1]
    assert records[0].examples == {"food": 8, "film": 8}
    assert set(records[1].tokens) == set(records[1].losses) == {"film"}
    assert records[0].weights == {"food": 1.0, "film": 1.0}


@pytest.mark.parametrize("weighting", ["pcgrad", "upgrad", "mgda", "famo", "dynamic_task_prioritization"])
def test_the_hardest_weightings_train(tiny, weighting):
    _, records = World(tiny).trained([("food", "film")] * 6, weighting=weighting, optimizer="adamw", learning_rate=1e-3)
    assert records[-1].losses["film"] < records[0].losses["film"]


def test_sluice_trains(tiny):
    world = World(tiny, name="sluice", settings={})
    model, records = world.trained([("food", "film"), ("food",)] * 4, optimizer="adamw", learning_rate=1e-3)
    assert len(model.sharing.encoders()) == 2
    assert records[-2].losses["film"] < records[0].losses["film"]


def test_bfloat16_trains_close_to_single_precision(tiny):
    world = World(tiny)
    (_, single), (_, half) = (world.trained(TURNS, precision=precision) for precision in ("fp32", "bf16"))
    for one, other in zip(single, half, strict=True):
        assert one.losses == pytest.approx(other.losses, abs=0.05)
