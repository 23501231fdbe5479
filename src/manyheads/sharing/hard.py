"""Hard sharing: one encoder for all tasks, and a head for each.

Caruana, "Multitask Learning", Machine Learning 28, 1997, https://doi.org/10.1023/A:1007379606734.
"""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from manyheads.core.tensors import States, Tokens
from manyheads.encoders import Encoder
from manyheads.heads import Head
from manyheads.sharing import Sharing


class Hard(Sharing):
    """Every task reads the states of the same encoder; all batches of a step go through it in one pass.

    A task's states depend on its own tokens only, whatever else is in the step.
    """

    def __init__(self, make_encoder: Callable[[], Encoder], heads: Mapping[str, Head]) -> None:
        super().__init__(make_encoder, heads)
        self.encoder = make_encoder()

    def forward(self, step: Mapping[str, Tokens]) -> dict[str, States]:
        # Heads that ask about the very same tokens read the same states.
        parts = list({id(tokens): tokens for tokens in step.values()}.values())
        states = self.encoder(self.encoder.filled(Tokens.join(parts))).split([len(part.lengths) for part in parts])
        found = {id(part): part_states for part, part_states in zip(parts, states, strict=True)}
        return {task: found[id(tokens)] for task, tokens in step.items()}

    def encoders(self) -> Sequence[Encoder]:
        return [self.encoder]

    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.encoder.parameters())
