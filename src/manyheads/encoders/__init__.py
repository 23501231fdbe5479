"""What turns tokens into states, before any task.

To add an encoder, write `encoders/<name>.py` with one class that inherits from `Encoder`, and
`tests/encoders/test_<name>.py`. There is nothing to register.

`manyheads check` looks at an encoder without importing torch, if it has a companion: `encoders/_<name>_checks.py`,
which imports nothing of this package and holds `info(places, settings)`: an `encoder_info.EncoderInfo`, or a
StudyError that says why there cannot be such an encoder. Without one the encoder is built. It may also hold
`weights(places, settings)`: the files whose weights the encoder starts from, none if they are not there; what they hold
belongs to what a run is. That of an encoder which learns also holds `learn(texts, settings)`, and
`parameters(learned, settings)`: how many numbers it then trains.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from manyheads.core.tensors import States, Tokens, padding_for
from manyheads.core.values import Options, Tokenizer


class Encoder(nn.Module, ABC):
    """The contract of every encoder: tokens to *all* layers' states, as a whole or layer by layer.

    Shapes: N tokens of all sequences, D = `width`, K = `depth`.
    """

    width: int
    depth: int
    tokenizer: Tokenizer
    per_token: bool = True
    """False if there is one state for a whole sequence; heads and sharing that look at tokens then refuse it. `forward`
    returns `States` whose lengths are all 1."""
    whole: str = ""
    """Why its layers cannot be called one by one (`embed`, `layer`, `layer_weight`), and which encoders' can; "" if
    they can. Sharing that does so refuses it."""
    notes: Sequence[str] = ()
    """What a person should know of how it is computed here, such as that it is slow; a line each, said once."""
    learns: bool = False
    """True if it must see training texts before it is built, and has `learn`. Its `__init__` takes what that gives
    behind `saved`, as `learned`, whose default makes an encoder that can be measured but not used."""

    @classmethod
    def learn(cls, texts: Mapping[str, Iterable[str]], settings: Options) -> Any:
        """What training texts must tell before an encoder can be built, as plain JSON values: a vocabulary, say.

        :param texts: The texts of each task's training split. Of all tasks of the study, whichever an arm trains, so
            that the same encoder, and the same start of training, can be compared in all arms.
        :param settings: The encoder's settings, those left at their defaults too.
        """
        raise NotImplementedError(f"{cls.__name__} learns nothing before it is built")

    def embed(self, tokens: Tokens) -> Tensor:
        """[N, D] the states below the first layer."""
        raise NotImplementedError(self.whole)

    def layer(self, index: int, states: Tensor, tokens: Tokens) -> Tensor:
        """[N, D] -> [N, D] what layer `index` (0 is the lowest) makes of the states below it."""
        raise NotImplementedError(self.whole)

    def layer_weight(self, index: int) -> Tensor:
        """[D, *] the weight matrix of layer `index` whose rows produce the D units of its output."""
        raise NotImplementedError(self.whole)

    def forward(self, tokens: Tokens) -> States:
        """All layers' states."""
        layers = [self.embed(tokens)]
        for index in range(self.depth):
            layers.append(self.layer(index, layers[-1], tokens))
        return States(tuple(layers), tokens.lengths)

    def flops(self, lengths: Sequence[int]) -> float:
        """The floating-point operations of one forward pass over sequences of these lengths: two for each weight and
        token, embeddings left out. An encoder with work of another kind (attention) adds it."""
        weights = sum(p.numel() for name, p in self.named_parameters() if p.ndim > 1 and "embedding" not in name)
        return 2.0 * weights * sum(lengths)

    def filled(self, tokens: Tokens) -> Tokens:
        """With the tokens that are computed beside real ones, if they are told beforehand: `Tokens.filled`."""
        return tokens.filled()

    def padding(self, lengths: Sequence[int]) -> int:
        """How many tokens are computed beside the real ones of sequences of these lengths."""
        return padding_for(sum(lengths))

    def narrow(self, ids: np.ndarray) -> None:
        """Told before training which tokens (sorted) its examples hold. An encoder whose embeddings are large need then
        not pay for the others in every step, if the result is the same; by default nothing changes."""

    def widen(self) -> None:
        """Told after training; undoes `narrow`."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what is needed to build this encoder and its tokenizer again without its weights."""
