"""What the installed torch and transformers can do with a model, tried on a few tokens before it is relied on."""

from functools import cache
from typing import Any

import torch
import transformers
from transformers import AutoModel, PretrainedConfig

from manyheads.core.tensors import Tokens
from manyheads.encoders._packed import Packing, embedded, layer_output, replace_attention
from manyheads.encoders._padded import Padded

TINY: dict[str, Any] = {
    "vocab_size": 9,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 9,
    "pad_token_id": 0,
}


@cache
def why_not_packed(config_class: type[PretrainedConfig]) -> str:
    """Why models of this kind cannot be computed without padding, though their architecture allows it; "" if they can.

    `_packed.py` replaces what is inside transformers' modules, which another version may arrange otherwise. So a tiny
    model is computed both ways, once in a process.
    """
    config = config_class(**TINY)
    tokens = Tokens(torch.arange(1, 8), torch.zeros(7, dtype=torch.int64), (3, 4))
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            inner = AutoModel.from_config(config).eval()
            expected = Padded(inner).states(tokens)
            replace_attention(inner)
            first = inner.embeddings.position_embeddings.padding_idx
            positions = tokens.positions + (0 if first is None else first + 1)
            layers = [embedded(inner, tokens.ids, tokens.token_types, positions)]
            for index in range(2):
                packing = Packing.of(tokens.lengths, tokens.ids.device)
                layers.append(layer_output(inner, index, layers[-1], packing))
        same = all(torch.allclose(*pair, atol=1e-4) for pair in zip(layers, expected.layers, strict=True))
    except Exception as error:  # whatever another version says to a call that it does not know
        return f"transformers {transformers.__version__}: {(str(error).splitlines() or [type(error).__name__])[0]}"
    return "" if same else f"transformers {transformers.__version__} computes something else"


def why_no_encoder(padded: Padded, vocabulary: int) -> str:
    """Why a model whose architecture is not tested cannot be used; "" if it gives a state for each token, which depends
    on all tokens of its own text and on nothing else."""
    ids = (torch.arange(12) * 7 + vocabulary // 2) % vocabulary
    changed, types = ids.clone(), torch.zeros_like(ids)
    changed[4] = ids[5]
    inner = padded.inner
    training = inner.training
    inner.eval()
    try:
        with torch.no_grad():
            alone = padded.states(Tokens(ids[:5], types[:5], (5,))).last
            beside = padded.states(Tokens(ids, types, (5, 7))).last[:5]
            other = padded.states(Tokens(changed[:5], types[:5], (5,))).last
    except Exception as error:  # a model of images, say, takes no ids
        return f"Its forward pass fails: {(str(error).splitlines() or [type(error).__name__])[0]}."
    finally:
        inner.train(training)
    if alone.shape != (5, getattr(inner.config, "hidden_size", -1)):
        return f"Its states have the shape {list(alone.shape)}."
    if not torch.allclose(alone, beside, rtol=1e-3, atol=1e-3 * float(alone.abs().max())):
        return "Its states depend on padding."
    if torch.equal(alone[0], other[0]):
        return "Its tokens do not see those that come later."
    return ""
