"""A transformer's config.json as what it may say: types and ranges, checked before any library acts on it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.settings import STRICT, problems_of
from manyheads.core.strict_json import read_json
from manyheads.core.values import Options

MOST_LAYERS = 1_000
Width = Annotated[int, Ge(1), Le(1 << 16)]
Count = Annotated[int, Ge(1), Le(1 << 24)]
Share = Annotated[float, Ge(0), Lt(1)]
REMEDY = "Use the config.json that belongs to the weights."
ACTIVATIONS = (
    *("gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh"),
    *("gelu_pytorch_tanh", "hardswish", "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2"),
    *("relu6", "sigmoid", "silu", "sqrtsoftplus", "swish", "tanh"),
)
"""What transformers knows by name, and what has no weights of its own."""
ACTIVATION_KEYS = ("hidden_act", "activation", "hidden_activation", "activation_function")


class EncoderConfig(BaseModel):
    """The keys that our code, or a library before any weight is read, computes with; others are the library's own.

    In the names of BERT's, as `_pretrained_checks.named` gives them.
    """

    model_config = STRICT | ConfigDict(extra="allow")

    model_type: str
    architectures: list[str] = []
    hidden_size: Width | None = None
    embedding_size: Width | None = None
    intermediate_size: Annotated[int, Ge(1), Le(1 << 20)] | None = None
    num_hidden_layers: Annotated[int, Ge(1), Le(MOST_LAYERS)]
    num_attention_heads: Annotated[int, Ge(1), Le(4096)] | None = None
    max_position_embeddings: Count
    vocab_size: Count | None = None
    type_vocab_size: Annotated[int, Ge(0), Le(1 << 16)] | None = None
    pad_token_id: Annotated[int, Ge(-1), Le(1 << 24)] | None = None
    num_labels: Annotated[int, Ge(0), Le(100_000)] | None = None
    hidden_dropout_prob: Share | None = None
    attention_probs_dropout_prob: Share | None = None
    dropout: Share | None = None
    attention_dropout: Share | None = None
    embedding_dropout: Share | None = None
    mlp_dropout: Share | None = None
    layer_norm_eps: Annotated[float, Ge(0), Lt(1)] | None = None
    norm_eps: Annotated[float, Ge(0), Lt(1)] | None = None
    initializer_range: Annotated[float, Ge(0), Le(1000)] | None = None
    is_decoder: bool = False
    is_encoder_decoder: bool = False
    relative_attention: bool = False
    share_att_key: bool = False
    position_biased_input: bool = True
    norm_rel_ebd: str = "none"
    pos_att_type: str | list[str] = []
    position_buckets: Annotated[int, Ge(-1), Le(1 << 24)] = -1
    max_relative_positions: Annotated[int, Ge(-1), Le(1 << 24)] = -1
    conv_kernel_size: Annotated[int, Ge(0), Le(1001)] = 0
    conv_groups: Width = 1
    relative_attention_num_buckets: Width = 32
    global_attn_every_n_layers: Count = 3
    local_attention: Count = 128
    layer_types: list[str] | None = None
    norm_bias: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    rope_theta: Annotated[float, Gt(0)] | None = None
    global_rope_theta: Annotated[float, Gt(0)] | None = None
    local_rope_theta: Annotated[float, Gt(0)] | None = None


def read_config(path: Path) -> Options:
    """A config.json as it stands.

    :raises ValueError: If it cannot be read, or names no type.
    """
    problems: list[Problem] = []
    config = read_json(path, problems)
    if problems:
        raise ValueError("; ".join(f"{one.what}{f': {one.found}' if one.found else ''}" for one in problems))
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ValueError("it should have a `model_type` key")
    return config


def check_config(config: Options, where: str) -> None:
    """Refuse a configuration that no encoder can have, or that asks for what is not run here.

    :param config: In the names of BERT's.
    :param where: The key of the study that names the model, or its folder.
    :raises StudyError: With all that is wrong with it.
    """
    problems: list[Problem] = []

    def problem(key: str, what: str, found: object, remedy: str = REMEDY) -> None:
        problems.append(Problem(where, f"{key} of its config.json {what}", shown(found), remedy))

    try:
        EncoderConfig.model_validate(dict(config))
    except ValidationError as error:
        found = problems_of(error, EncoderConfig, "")
        problems += [
            replace(one, where=where, what=f"{one.where} of its config.json {one.what}", remedy=REMEDY) for one in found
        ]
    for key, value in _depths(config):
        if value > MOST_LAYERS and key not in EncoderConfig.model_fields:
            problem(key, f"should be at most {MOST_LAYERS:,}", value)
    for key in ACTIVATION_KEYS:
        if key in config and config[key] not in ACTIVATIONS:
            problem(key, "is no activation that transformers knows", config[key])
    for key in ("attn_implementation", "_attn_implementation"):
        if config.get(key) not in (None, "eager", "sdpa"):
            problem(key, 'should be "sdpa" or "eager"', config[key], "Leave it out.")
    if config.get("quantization_config"):
        problem(
            "quantization_config", "asks for weights of another kind", config["quantization_config"], "Leave it out."
        )
    if config.get("chunk_size_feed_forward"):
        problem("chunk_size_feed_forward", "should be 0", config["chunk_size_feed_forward"], "Leave it out.")
    if not problems and (heads := config.get("num_attention_heads")) and config.get("hidden_size", 0) % heads:
        problem("num_attention_heads", f"should divide hidden_size, {config['hidden_size']:,}", heads)
    if problems:
        raise StudyError(problems)


def _depths(value: Options) -> Iterator[tuple[str, int]]:
    """Every whole number, also of parts of a model, that says how many layers there are."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _depths(inner)
        elif isinstance(inner, int) and not isinstance(inner, bool) and "layer" in key and "id" not in key:
            yield key, inner
