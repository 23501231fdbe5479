"""Group H: folders of encoders that a stranger made."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from bad_input_case import Case, own, rows, study

GOOD = {"data.tsv": rows("a\tx", "b\ty")}
STUDY = study(own(), more='[encoder]\nmodel = "given"\n')
SIZES = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 4, "vocab_size": 9}
CONFIG = {"model_type": "bert", "max_position_embeddings": 8, "type_vocab_size": 2, **SIZES}
EMBEDDINGS = {"word_embeddings": [9, 4], "position_embeddings": [8, 4], "token_type_embeddings": [2, 4]}
RANDOM = "starts at random, silently"
TRACE = "traceback"


def weights(shapes: dict[str, list[int]]) -> bytes:
    """A safetensors file of zeros."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at)


TABLES = weights({f"embeddings.{name}.weight": shape for name, shape in EMBEDDINGS.items()})


def given(config: object = CONFIG, tables: bytes = TABLES) -> dict[str, bytes | str]:
    return {**GOOD, "given/config.json": json.dumps(config), "given/model.safetensors": tables}


def pipe(name: str) -> Callable[[Path], None]:
    return lambda folder: os.mkfifo(folder / "given" / name)


CASES = [
    Case(91, "An encoder whose weights lack a layer", RANDOM, given(), STUDY,
         ("weights that its config.json asks for are missing", "encoder.layer.0", "encoder.allow_missing")),
    Case(91, "An encoder of another width than its weights", TRACE, given({**CONFIG, "hidden_size": 8}), STUDY,
         ("its config.json declares weights of another shape", "[9, 8], the weights [9, 4]")),
    Case(91, "An encoder of 5·10^7 positions", "takes 6 GB", given({**CONFIG, "max_position_embeddings": 50_000_000}),
         STUDY, ("max_position_embeddings of its config.json should be from 1 to",)),
    Case(91, "An encoder of 300,000 layers", "no end", given({**CONFIG, "num_hidden_layers": 300_000}), STUDY,
         ("num_hidden_layers of its config.json should be from 1 to 1000. Found 300000",)),
    Case(91, "An encoder with an unknown activation", TRACE, given({**CONFIG, "hidden_act": "evil"}), STUDY,
         ("hidden_act of its config.json is no activation",)),
    Case(91, "An encoder whose attention needs a package", TRACE, given({**CONFIG, "attn_implementation": "flash"}),
         STUDY, ("attn_implementation of its config.json should be",)),
    Case(91, "Weights that are no weights", TRACE, given(tables=b"abc"), STUDY, ("model.safetensors cannot be read",)),
    Case(91, "An encoder with a pipe as its tokenizer", "waits for ever", given(), STUDY,
         ("tokenizer.json is not a plain file",), prepare=pipe("tokenizer.json")),
]  # fmt: skip
