"""Sluice network: an encoder for each task, and learned sluices that decide at each layer what passes between them.

Ruder, Bingel, Augenstein and Søgaard, "Latent Multi-task Architecture Learning", AAAI 2019,
https://arxiv.org/abs/1705.08142.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Literal, cast

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from manyheads.core.settings import DividesWidth, PositiveInt
from manyheads.core.tensors import States, Tokens
from manyheads.encoders import Encoder
from manyheads.heads import Head
from manyheads.sharing import Sharing


class Sluice(Sharing):
    """Split each encoder's states into subspaces, and mix the subspaces of all m encoders after each layer.

    Shapes: N tokens of all tasks, D width, K layers, m encoders, S subspaces, d = D / S.

    Every task's tokens run through all m encoders, which see the same tokens. After the embeddings (k = 0) and each
    layer k, subspace s of encoder i becomes the sum over encoders j and subspaces t of alpha^k[i s, j t] * h_j,t: one
    number for each pair of subspaces. Layer k + 1 of encoder i reads the result. What head i reads is the sum over
    layers k = 1..K of beta_i[k] * the mixed states of encoder i, in place of its top layer. To the loss is added
    orthogonality * sum over encoders, layers and pairs of subspaces of |G_s G_t^T|^2, where the rows of G_s are the
    weights that produce the units of subspace s: subspaces should not hold the same.

    Special cases: with alpha the identity the tasks have separate networks; with one subspace these are cross-stitch
    networks (Misra et al. 2016); with beta (0, ..., 0, 1) heads read the top layer.

    Where the paper and the code differ: the paper's networks are LSTMs that start at random; here any encoder can be
    coupled, and all start from the same pretrained weights. Its code mixes units within a task by mistake (a reshape
    in column-major order), so it is no reference. The penalty is a sum over all pairs of units, which is 10,000 for two
    tasks on MiniLM: with the 0.1 of the paper's code, made for 100 units, hardly anything else would be learned.

    :param make_encoder: Called once for each task.
    :param heads: Each task's head; only the names are used.
    :raises ValueError: If the encoder's width cannot be divided into the subspaces.
    :param subspaces: S, a divisor of the encoder's width. 1 gives cross-stitch networks.
    :param alphas: Where the mixing starts. "imbalanced": 1 - 0.1 / S for a subspace itself, the rest in equal parts
        from all others; "balanced": equal parts from all; "identity": nothing passes, and the sluices have to open.
    :param betas: Where the layers' weights start. "imbalanced": 0.9 for the top, the rest in equal parts; "balanced":
        equal parts; "top": the top layer only.
    :param orthogonality: The weight of the penalty on subspaces that overlap; 0 leaves it out.
    """

    encoder_per_task = True
    per_token = True
    by_layer = True

    def __init__(
        self,
        make_encoder: Callable[[], Encoder],
        heads: Mapping[str, Head],
        *,
        subspaces: Annotated[PositiveInt, DividesWidth] = 2,
        alphas: Literal["imbalanced", "balanced", "identity"] = "imbalanced",
        betas: Literal["imbalanced", "balanced", "top"] = "imbalanced",
        orthogonality: Annotated[float, Ge(0), Le(1000)] = 1e-4,
    ) -> None:
        super().__init__(make_encoder, heads)
        self.networks = nn.ModuleList(make_encoder() for _ in self.tasks)
        self.depth = self.encoders()[0].depth
        self.subspaces, self.orthogonality = subspaces, orthogonality
        width = self.encoders()[0].width
        if width % subspaces:
            raise ValueError(f"a width of {width} cannot be divided into {subspaces} subspaces")
        start = _start(len(self.tasks) * subspaces, subspaces, alphas).split(subspaces)
        # A task's rows and a task's betas are parameters of their own, so that an absent task's have no gradient.
        self.alphas = nn.ModuleList(
            nn.ParameterList(nn.Parameter(rows.clone()) for rows in start) for _ in range(self.depth + 1)
        )
        weights = _layer_weights(self.depth, betas)
        self.betas = nn.ParameterList(nn.Parameter(weights.clone()) for _ in self.tasks)

    def forward(self, step: Mapping[str, Tokens]) -> dict[str, States]:
        joined = self.encoders()[0].filled(Tokens.join(list(step.values())))
        states = [encoder.embed(joined) for encoder in self.encoders()]
        levels = []
        for layer in range(self.depth):
            blocks = self._blocks(states)
            levels.append([_mix(rows, blocks) for rows in self._rows(layer)])
            pairs = zip(self.encoders(), levels[-1], strict=True)
            states = [encoder.layer(layer, mixed, joined) for encoder, mixed in pairs]
        top = self._blocks(states)

        outputs, at = {}, 0
        for task, tokens in step.items():
            # Of the top, only a task's own rows and tokens are needed.
            own = slice(at, at + sum(tokens.lengths))
            index = self.tasks.index(task)
            layers = [level[index][own] for level in levels] + [_mix(self._rows(self.depth)[index], top[:, own])]
            output = torch.einsum("k,knd->nd", self.betas[index], torch.stack(layers[1:]))
            outputs[task] = States((*layers[:-1], output), tokens.lengths)
            at = own.stop
        return outputs

    def encoders(self) -> Sequence[Encoder]:
        return cast(list[Encoder], list(self.networks))

    def shared_parameters(self) -> list[nn.Parameter]:
        """All encoders and all sluices but those at the top, which lead to one task's head only."""
        return [*self.networks.parameters(), *self.alphas[:-1].parameters()]

    def penalty(self) -> Tensor | None:
        if self.subspaces == 1 or not self.orthogonality:
            return None
        overlaps = [
            (one @ other.T).square().sum()
            for encoder in self.encoders()
            for layer in range(self.depth)
            for one, other in combinations(encoder.layer_weight(layer).chunk(self.subspaces), 2)
        ]
        return self.orthogonality * torch.stack(overlaps).sum()

    def _rows(self, level: int) -> list[nn.Parameter]:
        """m blocks of rows [S, m * S]: what each encoder takes from all subspaces."""
        return list(self.alphas[level].parameters())

    def _blocks(self, states: Sequence[Tensor]) -> Tensor:
        """m states [N, D] -> [m * S, N, d]"""
        return torch.stack([block for state in states for block in state.chunk(self.subspaces, dim=-1)])


def _mix(rows: Tensor, blocks: Tensor) -> Tensor:
    """[S, m * S] and [m * S, N, d] -> [N, D], in the precision of the parameters: states may come in half of it."""
    return torch.tensordot(rows, blocks.to(rows.dtype), dims=1).transpose(0, 1).flatten(1)


def _start(size: int, subspaces: int, kind: str) -> Tensor:
    """[m * S, m * S] whose rows add up to 1."""
    if kind == "identity" or size == 1:
        return torch.eye(size)
    if kind == "balanced":
        return torch.full((size, size), 1 / size)
    passing = 0.1 / subspaces
    return torch.eye(size) * (1 - passing) + (1 - torch.eye(size)) * passing / (size - 1)


def _layer_weights(depth: int, kind: str) -> Tensor:
    """[K] that add up to 1."""
    if kind == "balanced":
        return torch.full((depth,), 1 / depth)
    top = 1.0 if kind == "top" or depth == 1 else 0.9
    weights = torch.full((depth,), (1 - top) / max(1, depth - 1))
    weights[-1] = top
    return weights
