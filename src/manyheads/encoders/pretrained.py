"""Any encoder that Hugging Face's `AutoModel` opens: a Hub id, a folder, or `minilm`, which the quickstart brings.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805; Wang et al., "MiniLM", NeurIPS 2020, https://arxiv.org/abs/2002.10957.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Lt
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.utils import logging

from manyheads.core.encoder_weights import UNUSED, disagreements, saved_shapes, some, told
from manyheads.core.matmul import slower_product
from manyheads.core.plain import plain
from manyheads.core.problems import Problem, StudyError, counted
from manyheads.core.settings import BelowOne, NotNegativeInt
from manyheads.core.tensors import States, Tokens
from manyheads.core.tokenizer_files import TOKENIZERS, check_tokenizer, tokenizing, try_tokenizer
from manyheads.core.values import Places
from manyheads.encoders import Encoder
from manyheads.encoders._dropout import replace_dropout
from manyheads.encoders._linear import replace_linear
from manyheads.encoders._packed import SOFTMAX_BACKWARD, Packing, embedded, layer_output, replace_attention
from manyheads.encoders._padded import Padded
from manyheads.encoders._pretrained_checks import (
    ARCHITECTURES,
    PACKED,
    check_type,
    configuration,
    first_position,
    flops_of,
    longest,
    named,
    no_such_model,
    not_an_encoder,
    resolve,
    setting_problems,
    vocabulary_problem,
    weight_problems,
    whole,
)
from manyheads.encoders._rows import TrainedRows
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.encoders._trial import why_no_encoder, why_not_packed

HIDDEN_DROPOUTS = ("hidden_dropout_prob", "dropout", "embedding_dropout", "mlp_dropout")
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
"""What configurations call them; each has one or two of these names."""


class Pretrained(Encoder):
    """A pretrained transformer encoder.

    Those of BERT's kind (bert, roberta, xlm-roberta, camembert, electra) are computed without padding (`_packed.py`),
    all others by their own forward pass (`_padded.py`), which is slower, and as a whole: sharing that calls layers one
    by one refuses them. So are all with `MANYHEADS_PLAIN=1`, when nothing inside torch or transformers is replaced.

    Where this departs from `AutoModel`: sequences lie one after another, so that no token of padding is ever
    computed; and attention has no dropout unless asked for, because torch's fast attention kernels lose their fast
    path to it.

    :param places: Where a relative `model` folder is looked for: beside the study, then in the mirror of the Hub.
    :param saved: A folder of `manyheads` to take the configuration from instead of `model`, without weights.
    :param model: A Hub id, a folder, or "minilm".
    :param layers: Keep the first so many layers; 0 keeps all.
    :param dropout: Dropout of embeddings and layers; -1 keeps the model's own.
    :param attention_dropout: Dropout of attention probabilities.
    :param allow_missing: Weights that may be missing, and then start at random, or for which the model may have no
        place: names, or patterns such as "encoder.layer.1.*". The run's record keeps what was allowed.
    :raises StudyError: If there is no such model, it is no encoder, or its files do not go together.
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
        layers: NotNegativeInt = 0,
        dropout: Annotated[float, Ge(-1), Lt(1)] = -1.0,
        attention_dropout: BelowOne = 0.0,
        allow_missing: Sequence[str] = (),
    ) -> None:
        super().__init__()
        source = str(saved) if saved else resolve(model, places)
        given = configuration(source, model)
        dropouts = {"dropout": dropout, "attention_dropout": attention_dropout}
        settings = {"layers": layers, "allow_missing": allow_missing, **dropouts}
        problems = setting_problems(model, given["model_type"], given["num_hidden_layers"], settings)
        if saved:
            fit = disagreements(given, saved_shapes(saved), layers, (), "encoder")
        else:
            fit = weight_problems(source, given, settings)
        if problems := [*problems, *fit[0]]:
            raise StudyError(problems)
        config = _config(source, model)
        kind, known = config.model_type, named(config.to_dict())
        _change(config, layers, dropout, attention_dropout)
        self.inner, allowed = _quietly_built(source, config, None if saved else allow_missing)
        if getattr(self.inner, "pooler", None) is not None:
            # Heads read the states themselves; the pooler stays so that `AutoModel` finds every weight it looks for.
            self.inner.pooler.requires_grad_(False)
        check_tokenizer(source)
        if (path := Path(source, TOKENIZERS[0])).is_file():
            try_tokenizer(source, str(path))
        self._padded = Padded(self.inner)
        types = 2 if self._padded.token_types else 1
        with tokenizing(source):
            self.tokenizer = PretrainedTokenizer(source, longest(known), token_types=types)
        highest = max(self.tokenizer.inner.get_vocab().values())
        if problems := vocabulary_problem(model, highest, self._table.num_embeddings):
            raise StudyError(problems)
        if kind not in ARCHITECTURES and (why := why_no_encoder(self._padded, self._table.num_embeddings)):
            raise not_an_encoder(kind, why)
        self.width, self.depth = config.hidden_size, getattr(config, "num_hidden_layers", 0)
        self.whole = whole(kind)
        self.first_position = first_position(kind, config.pad_token_id)
        self._flops = flops_of(named(config.to_dict()))
        self.words: TrainedRows | None = None
        self._packing: tuple[Tokens, Packing] | None = None
        self.packed, notes = _way(config)
        random = (
            [f"{counted(len(allowed), 'weight')} start at random or are left out (allow_missing): {some(allowed)}"]
            if allowed
            else []
        )
        self.notes = [*random, *notes]
        if self.packed:
            replace_attention(self.inner)
        if not plain():
            replace_dropout(self.inner)
            replace_linear(self.inner)
        self._try(kind)

    def _try(self, kind: str) -> None:
        """Refuse a model whose forward pass fails: a configuration may ask for what its weights cannot do."""
        length = min(3, self.tokenizer.max_length)
        ids = torch.arange(2 * length) % self._table.num_embeddings
        training = self.training
        try:
            with torch.no_grad():
                finite = self.eval()(Tokens(ids, torch.zeros_like(ids), (length, length))).last.isfinite().all()
        except Exception as error:  # whatever torch and transformers say
            raise not_an_encoder(kind, f"Its forward pass fails: {_first(error)}.") from error
        finally:
            self.train(training)
        if not finite:
            raise not_an_encoder(kind, "Its states are no finite numbers.")

    def forward(self, tokens: Tokens) -> States:
        return super().forward(tokens) if self.packed else self._padded.states(tokens)

    def embed(self, tokens: Tokens) -> Tensor:
        words = None if self.words is None else self.words(tokens.ids, self._table.weight)
        return embedded(self.inner, tokens.ids, tokens.token_types, tokens.positions + self.first_position, words)

    def layer(self, index: int, states: Tensor, tokens: Tokens) -> Tensor:
        if not self.packed:
            return self._padded.layer(index, states, tokens)
        return layer_output(self.inner, index, states, self._packing_of(tokens))

    def layer_weight(self, index: int) -> Tensor:
        return self.inner.encoder.layer[index].output.dense.weight

    def flops(self, lengths: Sequence[int]) -> float:
        if self._flops is not None:
            return self._flops(lengths)
        attention = 4.0 * self.width * self.depth * sum(length**2 for length in lengths)
        return super().flops(lengths) + attention

    def filled(self, tokens: Tokens) -> Tokens:
        return super().filled(tokens) if self.packed else tokens

    def padding(self, lengths: Sequence[int]) -> int:
        return super().padding(lengths) if self.packed else len(lengths) * max(lengths) - sum(lengths)

    @property
    def _table(self) -> torch.nn.Embedding:
        return self.inner.get_input_embeddings()

    def narrow(self, ids: np.ndarray) -> None:
        """Train only the rows of these words (`_rows.py`): with 30,000 words, more than half of MiniLM."""
        if not self.packed:
            return
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

    def _packing_of(self, tokens: Tokens) -> Packing:
        # All layers of a pass ask for the same packing.
        if self._packing is None or self._packing[0] is not tokens:
            self._packing = (tokens, Packing.of(tokens.lengths, tokens.ids.device))
        return self._packing[1]


def _config(source: str, model: str) -> PretrainedConfig:
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # transformers checks configurations by errors of many kinds
        raise no_such_model(model, f"Hugging Face says: {_first(error)}") from error
    check_type(config.to_dict())
    return config


def _first(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _change(config: Any, layers: int, dropout: float, attention_dropout: float) -> None:
    """Write the settings into a configuration."""
    if layers:
        config.num_hidden_layers = layers
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:layers]
    for names, value in ((HIDDEN_DROPOUTS, dropout), (ATTENTION_DROPOUTS, attention_dropout)):
        for name in names:
            if value >= 0 and hasattr(config, name):
                setattr(config, name, value)


def _way(config: PretrainedConfig) -> tuple[bool, list[str]]:
    """Whether a model is computed without padding, and what a person should know of that."""
    if plain():
        return False, ["MANYHEADS_PLAIN is set: computed with padding, by torch's and transformers' own modules"]
    notes = [line] if (line := slower_product()) else []
    if config.model_type not in PACKED:
        return False, [f"{config.model_type}: computed with padding, which is slower (docs/encoders.md)", *notes]
    if why := why_not_packed(type(config)):
        return False, [f"computed with padding, which is slower: {why}", *notes]
    if SOFTMAX_BACKWARD is None:
        notes.append(f"attention in bfloat16 is torch's own, which is slower: torch {torch.__version__}")
    return True, notes


def _quietly_built(
    source: str, config: PretrainedConfig, allowed: Sequence[str] | None
) -> tuple[torch.nn.Module, list[str]]:
    """The model, and the names of those of its weights that are missing or left out as `allowed` says.

    :param allowed: `allow_missing`; None builds the model without weights.
    """
    # With `layers`, transformers would list the weights of the layers above as unexpected.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        if allowed is None:
            return AutoModel.from_config(config, trust_remote_code=False), []
        model, found = AutoModel.from_pretrained(
            source,
            config=config,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # whatever the libraries say to what is in the files
        remedy = f"It needs weights as safetensors. Hugging Face says: {_first(error)}"
        raise StudyError([Problem("encoder.model", "cannot be loaded", source, remedy)]) from error
    finally:
        logging.set_verbosity(verbosity)
    missing = [name for name in sorted(found["missing_keys"]) if not UNUSED.search(name)]
    problems, meant = told(missing, [], [str(one[0]) for one in found["mismatched_keys"]], allowed, "encoder.model")
    if problems:
        raise StudyError(problems)
    return model, meant
