"""Any Hugging Face encoder of the BERT type: a Hub id, a local folder, or `minilm`, which the quickstart brings.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805; Wang et al., "MiniLM", NeurIPS 2020, https://arxiv.org/abs/2002.10957.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.utils import logging

from manyheads.core.problems import Problem, StudyError
from manyheads.core.tensors import Tokens
from manyheads.core.values import Places
from manyheads.encoders import Encoder
from manyheads.encoders._dropout import replace_dropout
from manyheads.encoders._linear import replace_linear
from manyheads.encoders._packed import Packing, replace_attention
from manyheads.encoders._pretrained_checks import (
    check_tokenizer,
    check_type,
    first_position,
    no_such_model,
    no_tokenizer,
    resolve,
    setting_problems,
    vocabulary_problem,
)
from manyheads.encoders._rows import TrainedRows
from manyheads.encoders._tokenizer import PretrainedTokenizer

DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")


class Pretrained(Encoder):
    """A pretrained transformer encoder, computed without padding (`_packed.py`).

    Where this departs from `AutoModel`: sequences lie one after another, so that no token of padding is ever
    computed; and attention has no dropout unless asked for, because torch's fast attention kernels lose their fast
    path to it.

    :param places: Where a relative `model` folder is looked for: beside the study, then in the mirror of the Hub.
    :param saved: A folder of `manyheads` to take the configuration from instead of `model`, without weights.
    :param model: A Hub id, a folder, or "minilm".
    :param layers: Keep the first so many layers; 0 keeps all.
    :param dropout: Dropout of embeddings and layers; -1 keeps the model's own.
    :param attention_dropout: Dropout of attention probabilities.
    :raises StudyError: If there is no such model, or it is not of a type that was tested.
    """

    inner: Any
    """The Hugging Face model."""
    tokenizer: PretrainedTokenizer

    def __init__(
        self,
        places: Places,
        saved: Path | None = None,
        *,
        model: str = "minilm",
        layers: int = 0,
        dropout: float = -1.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        source = str(saved) if saved else resolve(model, places)
        config = _config(source, model)
        settings = {"layers": layers, "dropout": dropout, "attention_dropout": attention_dropout}
        if problems := setting_problems(model, config.num_hidden_layers, settings):
            raise StudyError(problems)
        config.num_hidden_layers = layers or config.num_hidden_layers
        if dropout >= 0:
            config.hidden_dropout_prob = dropout
        config.attention_probs_dropout_prob = attention_dropout
        self.inner = _quietly_built(source, config, weights=saved is None)
        replace_attention(self.inner)
        if getattr(self.inner, "pooler", None) is not None:
            # Heads read the states themselves; the pooler stays so that `AutoModel` finds every weight it looks for.
            self.inner.pooler.requires_grad_(False)
        self.width, self.depth = config.hidden_size, config.num_hidden_layers
        self.first_position = first_position(config.model_type, config.pad_token_id)
        check_tokenizer(source)
        try:
            self.tokenizer = PretrainedTokenizer(source, config.max_position_embeddings - self.first_position)
        except (OSError, ValueError) as error:
            raise no_tokenizer(source, str(error).splitlines()[0]) from error
        highest = max(self.tokenizer.inner.get_vocab().values())
        if problems := vocabulary_problem(model, highest, self._table.num_embeddings):
            raise StudyError(problems)
        replace_dropout(self.inner)
        replace_linear(self.inner)
        self._weights = sum(p.numel() for p in self.inner.encoder.parameters() if p.ndim > 1)
        self.words: TrainedRows | None = None
        self._packing: tuple[Tokens, Packing] | None = None

    def embed(self, tokens: Tokens) -> Tensor:
        position = tokens.positions + self.first_position
        words = None if self.words is None else self.words(tokens.ids, self._table.weight)[None]
        states = self.inner.embeddings(
            input_ids=tokens.ids[None] if words is None else None, inputs_embeds=words,
            token_type_ids=tokens.token_types[None], position_ids=position[None],
        )  # fmt: skip
        if hasattr(self.inner, "embeddings_project"):
            states = self.inner.embeddings_project(states)
        return states[0]

    def layer(self, index: int, states: Tensor, tokens: Tokens) -> Tensor:
        return self.inner.encoder.layer[index](states[None], None, packing=self._packed(tokens))[0]

    def layer_weight(self, index: int) -> Tensor:
        return self.inner.encoder.layer[index].output.dense.weight

    def flops(self, lengths: Sequence[int]) -> float:
        products = 2 * self.width * self.depth * sum(length**2 for length in lengths)
        return 2.0 * (self._weights * sum(lengths) + products)

    @property
    def _table(self) -> torch.nn.Embedding:
        return self.inner.embeddings.word_embeddings

    def narrow(self, ids: np.ndarray) -> None:
        """Train only the rows of these words (`_rows.py`): with 30,000 words, more than half of MiniLM."""
        self.words = TrainedRows(self._table, ids)
        self._table.requires_grad_(False)

    def widen(self) -> None:
        if self.words is not None:
            self.words.write_back(self._table.weight.data)
            self._table.requires_grad_(True)
            self.words = None

    def save(self, folder: Path) -> None:
        self.inner.config.save_pretrained(str(folder))
        self.tokenizer.save(folder)

    def _packed(self, tokens: Tokens) -> Packing:
        # All layers of a pass ask for the same packing.
        if self._packing is None or self._packing[0] is not tokens:
            self._packing = (tokens, Packing.of(tokens.lengths, tokens.ids.device))
        return self._packing[1]


def _config(source: str, model: str) -> PretrainedConfig:
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise no_such_model(model, f"Hugging Face says: {str(error).splitlines()[0]}") from error
    check_type(config.model_type)
    return config


def _quietly_built(source: str, config: PretrainedConfig, *, weights: bool) -> torch.nn.Module:
    # With `layers`, transformers would list the weights of the layers above as unexpected.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        if weights:
            return AutoModel.from_pretrained(
                source, config=config, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
            )
        return AutoModel.from_config(config, trust_remote_code=False)
    except (OSError, ValueError) as error:
        remedy = f"It needs weights as safetensors. Hugging Face says: {str(error).splitlines()[0]}"
        raise StudyError([Problem("encoder.model", "cannot be loaded", source, remedy)]) from error
    finally:
        logging.set_verbosity(verbosity)
