import torch
from torch import nn
from torch.testing import assert_close

from manyheads.core.tensors import Tokens
from manyheads.encoders import Encoder
from manyheads.sharing.hard import Hard


class Tiny(Encoder):
    """Linear layers, each of which adds the mean of the sequence to every token."""

    width, depth = 4, 2

    def save(self, folder):
        """Nothing beside its weights is needed."""

    def __init__(self):
        super().__init__()
        self.passes = 0
        self.embedding = nn.Embedding(10, self.width)
        self.linears = nn.ModuleList(nn.Linear(self.width, self.width) for _ in range(self.depth))

    def embed(self, tokens):
        self.passes += 1
        return self.embedding(tokens.ids)

    def layer(self, index, states, tokens):
        parts = states.split(tokens.lengths)
        return torch.tanh(self.linears[index](torch.cat([part + part.mean(dim=0) for part in parts])))


def tokens(*lengths, seed=0):
    ids = torch.randint(10, (sum(lengths),), generator=torch.Generator().manual_seed(seed))
    return Tokens(ids, torch.zeros_like(ids), lengths)


def hard():
    torch.manual_seed(0)
    return Hard(Tiny, dict.fromkeys("ab"))


def test_one_pass_for_all_tasks():
    sharing = hard()
    sharing({"a": tokens(3, 2), "b": tokens(4)})
    assert sharing.encoder.passes == 1


def test_states_of_a_task_do_not_depend_on_the_others():
    sharing, a, b = hard(), tokens(3, 2, seed=1), tokens(4, 1, 5, seed=2)
    together, alone = sharing({"b": b, "a": a}), {**sharing({"a": a}), **sharing({"b": b})}
    for task, part in {"a": a, "b": b}.items():
        assert together[task].lengths == part.lengths
        assert_close(together[task].layers, alone[task].layers)
        assert_close(together[task].layers, sharing.encoder(part).layers)


def test_order_of_the_step_is_kept():
    assert list(hard()({"b": tokens(2), "a": tokens(3)})) == ["b", "a"]


def test_gradient_of_a_task_is_that_of_training_it_alone():
    sharing, single = hard(), hard()
    together = sharing({"a": tokens(3, 2, seed=1), "b": tokens(4, seed=2)})
    together["a"].last.square().sum().backward()
    single.encoder(tokens(3, 2, seed=1)).last.square().sum().backward()
    for one, other in zip(sharing.parameters(), single.parameters(), strict=True):
        assert_close(one.grad, other.grad)


def test_names_the_one_encoder_and_its_parameters():
    sharing = hard()
    assert list(sharing.encoders()) == [sharing.encoder]
    assert {id(p) for p in sharing.shared_parameters()} == {id(p) for p in sharing.parameters()}
    assert sharing.penalty() is None
