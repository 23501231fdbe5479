"""A bag of words and one hidden layer: quick to train, and simple enough to see what it has learned.

Adam K, "Multi-task learning: what is it, how does it work and why does it work?", GumGum Tech Blog, 2022,
https://medium.com/gumgum-tech; weights start as in Glorot and Bengio, "Understanding the difficulty of training deep
feedforward neural networks", AISTATS 2010, https://proceedings.mlr.press/v9/glorot10a.html.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional

from manyheads.core.encoder_weights import saved_shapes
from manyheads.core.problems import Problem, StudyError
from manyheads.core.tensors import States, Tokens
from manyheads.core.values import Options, Places
from manyheads.encoders import Encoder, _bag_of_words_checks
from manyheads.encoders._bag_of_words_checks import flops, setting_problems
from manyheads.encoders._words import WordTokenizer, saved_words

_ACTIVATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


class BagOfWords(Encoder):
    """h = f(sum over the distinct words w of a text of x_w W_w + b), the one state of the whole text.

    x_w is 1, or how often w occurs (127 at most). With a `classification` head (without dropout) that is the network
    of the blog, alone or with several heads. In place of its one sigmoid output a head has an output for each class
    and a softmax over them: of two classes the same function. A text without a known word has h = f(b).

    The vocabulary are the words that occur in the training split of every task of the study, in those of one arm and
    of all others alike, so that the models of a study see the same of a text and a head of one can be put on another.
    Words of other splits are not looked at, nor are those of the examples that a study leaves out.

    Only the rows W_w of a batch's words are read, and only they have a gradient that is not 0. The gradient is a dense
    matrix all the same, and every optimizer of a study moves all rows in every step, as it does in any other layer:
    an Adam that passes over the words which a batch does not hold would be another method. It is one pass over the
    matrix in torch's fused kernel.

    Shapes: V words, D width, S texts, N distinct words of each text, summed over the texts.

    :param places: Not used; nothing is read from disk.
    :param saved: A folder of `manyheads` to take the vocabulary from instead of `learned`.
    :param learned: The vocabulary, as `learn` gives it.
    :param width: Units of the hidden layer.
    :param features: Whether a word is there or not, or how often it is there.
    :param activation: What the hidden layer does with its sums.
    :raises StudyError: If the width is below 1.
    """

    per_token = False
    learns = True
    depth = 1
    tokenizer: WordTokenizer

    def __init__(
        self,
        places: Places,
        saved: Path | None = None,
        learned: Sequence[str] = (),
        *,
        width: Annotated[int, Ge(1), Le(65_536)] = 64,
        features: Literal["binary", "counts"] = "binary",
        activation: Literal["sigmoid", "tanh", "relu"] = "sigmoid",
    ) -> None:
        super().__init__()
        if problems := setting_problems({"width": width}):
            raise StudyError(problems)
        words = learned if saved is None else saved_words(saved)
        if saved is not None and (len(words), width) not in saved_shapes(saved).values():
            what, found = "its weights are of another size", f"{len(words):,} words and a width of {width:,}"
            raise StudyError([Problem("encoder", what, found, "Give the folder as it was saved.")])
        self.width = width
        self.tokenizer = WordTokenizer(words, counted=features == "counts")
        self.activation = _ACTIVATIONS[activation]
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(len(words), width)))
        self.bias = nn.Parameter(torch.zeros(width))

    @classmethod
    def learn(cls, texts: Mapping[str, Iterable[str]], settings: Options) -> list[str]:
        return _bag_of_words_checks.learn(texts, settings)

    def embed(self, tokens: Tokens) -> Tensor:
        """[S, D] the sums, before the bias."""
        lengths = np.array(tokens.lengths)
        starts = torch.from_numpy(lengths.cumsum() - lengths).to(tokens.ids.device)
        counts = tokens.token_types.to(self.weight.dtype) if self.tokenizer.counted else None
        return functional.embedding_bag(tokens.ids, self.weight, starts, mode="sum", per_sample_weights=counts)

    def layer(self, index: int, states: Tensor, tokens: Tokens) -> Tensor:
        return self.activation(states + self.bias)

    def layer_weight(self, index: int) -> Tensor:
        return self.weight.T

    def forward(self, tokens: Tokens) -> States:
        """[S, D] the sums, then the hidden layer: a sequence of one state for each text."""
        sums = self.embed(tokens)
        return States((sums, self.layer(0, sums, tokens)), (1,) * len(tokens.lengths))

    def flops(self, lengths: Sequence[int]) -> float:
        return flops(self.width, lengths)

    def save(self, folder: Path) -> None:
        self.tokenizer.save(folder)
