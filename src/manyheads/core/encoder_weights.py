"""Which weights a transformer of a known type has, and which of what shape a folder's files hold, from their headers
alone: no torch, and nothing is allocated."""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from manyheads.core.foreign_files import open_plain
from manyheads.core.problems import Problem, counted, shown
from manyheads.core.values import Options

Shapes = Mapping[str, tuple[int, ...]]
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LONGEST_HEADER = 100_000_000
"""Bytes, as safetensors has it."""
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}
BYTES |= dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1)
_HEADER = ("dtype", "shape", "data_offsets")
SHOWN = 3
"""So many names are in a message."""
UNUSED = re.compile(r"(^|\.)pooler\.|(position_ids|token_type_ids|inv_freq)$")
"""Weights that heads never see, and buffers that older versions of transformers saved: there or not."""

_BERT = """
embeddings.word_embeddings V E -
embeddings.position_embeddings P E -
embeddings.token_type_embeddings T E -
embeddings.LayerNorm E
encoder.layer.#.attention.self.query D D
encoder.layer.#.attention.self.key D D
encoder.layer.#.attention.self.value D D
encoder.layer.#.attention.output.dense D D
encoder.layer.#.attention.output.LayerNorm D
encoder.layer.#.intermediate.dense I D
encoder.layer.#.output.dense D I
encoder.layer.#.output.LayerNorm D
"""
_DISTILBERT = """
embeddings.word_embeddings V D -
embeddings.position_embeddings P D -
embeddings.LayerNorm D
transformer.layer.#.attention.q_lin D D
transformer.layer.#.attention.k_lin D D
transformer.layer.#.attention.v_lin D D
transformer.layer.#.attention.out_lin D D
transformer.layer.#.sa_layer_norm D
transformer.layer.#.ffn.lin1 I D
transformer.layer.#.ffn.lin2 D I
transformer.layer.#.output_layer_norm D
"""
_MPNET = """
embeddings.word_embeddings V D -
embeddings.position_embeddings P D -
embeddings.LayerNorm D
encoder.relative_attention_bias B H -
encoder.layer.#.attention.attn.q D D
encoder.layer.#.attention.attn.k D D
encoder.layer.#.attention.attn.v D D
encoder.layer.#.attention.attn.o D D
encoder.layer.#.attention.LayerNorm D
encoder.layer.#.intermediate.dense I D
encoder.layer.#.output.dense D I
encoder.layer.#.output.LayerNorm D
"""
_MODERNBERT = """
embeddings.tok_embeddings V D -
embeddings.norm D norm_bias
layers.#.attn_norm D norm_bias
layers.#.attn.Wqkv 3D D attention_bias
layers.#.attn.Wo D D attention_bias
layers.#.mlp_norm D norm_bias
layers.#.mlp.Wi 2I D mlp_bias
layers.#.mlp.Wo D I mlp_bias
final_norm D norm_bias
"""
_NOMIC = """
embeddings.word_embeddings V D -
embeddings.token_type_embeddings T D -
emb_ln D
encoder.layers.#.attn.Wqkv 3D D -
encoder.layers.#.attn.out_proj D D -
encoder.layers.#.norm1 D
encoder.layers.#.mlp.fc11 I D -
encoder.layers.#.mlp.fc12 I D -
encoder.layers.#.mlp.fc2 D I -
encoder.layers.#.norm2 D
"""
_NOMIC_INSIDE = """
embeddings.word_embeddings V D -
embeddings.token_type_embeddings T D -
embeddings.LayerNorm D
layers.#.self_attn.q_proj D D -
layers.#.self_attn.k_proj D D -
layers.#.self_attn.v_proj D D -
layers.#.self_attn.o_proj D D -
layers.#.post_attention_layernorm D
layers.#.mlp.up_proj I D -
layers.#.mlp.gate_proj I D -
layers.#.mlp.down_proj D I -
layers.#.post_mlp_layernorm D
"""
_TABLES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert"), _BERT),
    "electra": _BERT + "embeddings_project D E\n",
    "distilbert": _DISTILBERT,
    "mpnet": _MPNET,
    "modernbert": _MODERNBERT,
    "deberta-v2": re.sub(r"self\.(query|key|value) ", r"self.\1_proj ", _BERT).replace("LayerNorm E", "LayerNorm D"),
    "nomic_bert": _NOMIC,
}
"""A line for each module: its name, with # for the number of its layer, the shape of its weight, and whether it has a
bias of the first of these sizes: `-` if not, or the key of the configuration that says so."""
_PREFIXES = {"xlm-roberta": "roberta", "camembert": "roberta", "modernbert": "model", "deberta-v2": "deberta"}
"""What stands before the names in a checkpoint that has a head, where it is not the type."""
_DEFAULTS = {
    "vocab_size": {"roberta": 50265, "modernbert": 50368, "mpnet": 30527, "deberta-v2": 128100},
    "intermediate_size": {"modernbert": 1152, "deberta-v2": 6144},
    "hidden_size": {"deberta-v2": 1536},
    "num_attention_heads": {"deberta-v2": 24},
    "type_vocab_size": {"deberta-v2": 0},
}
"""What transformers takes where a configuration is silent, and not what BERT has."""
_BERTS = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "type_vocab_size": 2,
}


def weight_files(folder: Path) -> list[Path]:
    """The files of a folder from which transformers would read its weights; none if it has none.

    :raises ValueError: If its index cannot be read, or names what is no file of the folder.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        return []
    with open_plain(folder / INDEX) as file:
        index = json.loads(file.read())
    names = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise ValueError(f"{INDEX} should have a `weight_map` of names of files")
    for name in sorted(set(names.values())):
        if Path(name).name != name or not (folder / name).is_file():
            raise ValueError(f"{INDEX} names {name!r}, which is no file of the folder")
    return [folder / name for name in sorted(set(names.values()))]


def shapes_of(paths: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """The name and shape of every tensor of floating-point numbers in some safetensors files.

    :raises ValueError: If one of them cannot be read.
    """
    found = dict[str, tuple[int, ...]]()
    for path in paths:
        try:
            with open_plain(path) as file:
                length = int.from_bytes(file.read(8), "little")
                left = os.fstat(file.fileno()).st_size - 8 - length
                if length > LONGEST_HEADER or left < 0:
                    raise ValueError("it is shorter than it says")
                header = json.loads(file.read(length))
            for name, (kind, shape, start, end) in _described(header).items():
                if not 0 <= start <= end <= left or end - start != math.prod(shape) * BYTES.get(kind, 0) > 0:
                    raise ValueError(f"{shown(name)} has another size than it says")
                found |= {name: shape} if "F" in kind else {}
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
    return found


def _described(header: Any) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """The type, shape, first and last byte of each tensor."""
    found = {}
    for name, about in header.items() if isinstance(header, dict) else ():
        if name == "__metadata__":
            continue
        kind, shape, places = (about.get(key) if isinstance(about, dict) else None for key in _HEADER)
        whole = [*shape, *places] if isinstance(shape, list) and isinstance(places, list) else [None]
        if (
            not isinstance(kind, str)
            or len(whole) != len(shape) + 2
            or not all(type(one) is int and one >= 0 for one in whole)
        ):
            raise ValueError(f"{shown(name)} is not described")
        found[name] = kind, tuple(shape), *places
    if not found:
        raise ValueError("it holds no tensor")
    return found


def saved_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """What the weights of a model of ours hold: those of its encoder by their own names, and all others."""
    paths = [path for path in sorted(folder.glob("*.safetensors")) if path.is_file()]
    return {name.rpartition(".inner.")[2]: shape for name, shape in shapes_of(paths).items()}


def expected_shapes(config: Options, depth: int, found: Iterable[str] = ()) -> Shapes | None:
    """The name and shape of every weight of an encoder of so many layers; None if its type is not known.

    :param config: As `_pretrained_checks.named` gives it.
    :param found: The names that its file has, where a type has two ways to name them.
    """
    kind = config["model_type"]
    if kind not in _TABLES:
        return None
    given = _BERTS | {key: of[kind] for key, of in _DEFAULTS.items() if kind in of} | dict(config)
    width, inner, heads = given["hidden_size"], given["intermediate_size"], given["num_attention_heads"]
    embedded = given.get("embedding_size", 128 if kind == "electra" else width)
    sizes = {"V": given["vocab_size"], "P": given["max_position_embeddings"], "T": given["type_vocab_size"], "D": width}
    sizes |= {
        "I": inner,
        "E": embedded if kind in ("electra", "deberta-v2") else width,
        "3D": 3 * width,
        "2I": 2 * inner,
    }
    sizes |= {"B": given.get("relative_attention_num_buckets", 32), "H": heads}
    table = _TABLES[kind]
    if kind == "nomic_bert" and any("self_attn" in name for name in found):
        table = _NOMIC_INSIDE
    if kind == "electra" and sizes["E"] == width:
        table = _BERT
    if kind == "deberta-v2":
        table += _of_deberta(given, sizes)
        if not given.get("position_biased_input", True):
            table = table.replace("embeddings.position_embeddings P E -\n", "")
    shapes = dict[str, tuple[int, ...]]()
    for line in table.split("\n"):
        name, *parts = line.split() or [""]
        bias = not parts or parts[-1] in sizes or bool(given.get(parts[-1], False))
        shape = tuple(sizes[part] for part in parts if part in sizes)
        for layer in range(depth if "#" in name else 1):
            if name and 0 not in shape and (kind, name, layer) != ("modernbert", "layers.#.attn_norm", 0):
                module = name.replace("#", str(layer))
                shapes[f"{module}.weight"] = shape
                shapes |= {f"{module}.bias": shape[:1]} if bias else {}
    return shapes


def _of_deberta(config: Options, sizes: dict[str, int]) -> str:
    """What DeBERTa has beside BERT's modules, as its configuration says."""
    lines, width = [], sizes["D"]
    if sizes["E"] != width:
        lines.append("embeddings.embed_proj D E -")
    if "layer_norm" in config.get("norm_rel_ebd", "none"):
        lines.append("encoder.LayerNorm D")
    if config.get("relative_attention"):
        spans = (config.get("position_buckets", -1), config.get("max_relative_positions", -1), sizes["P"])
        sizes["R"] = 2 * next(span for span in spans if span > 0)
        lines.append("encoder.rel_embeddings R D -")
        if not config.get("share_att_key"):
            ways = {"c2p": "pos_key_proj", "p2c": "pos_query_proj"}
            named = (name for way, name in ways.items() if way in (config.get("pos_att_type") or ()))
            lines += [f"encoder.layer.#.attention.self.{name} D D" for name in named]
    if config.get("conv_kernel_size", 0) > 0:
        sizes |= {"K": config["conv_kernel_size"], "G": width // config.get("conv_groups", 1)}
        lines += ["encoder.conv.conv D G K", "encoder.conv.LayerNorm D"]
    return "".join(f"{line}\n" for line in lines)


def disagreements(
    config: Options, found: Shapes, layers: int, allowed: Sequence[str], where: str
) -> tuple[list[Problem], list[str]]:
    """What the configuration of an encoder and the header of its weights say that does not go together, and the names
    of the weights for which that is allowed.

    Heads that were trained with the encoder are left out without a word, and so are layers above those that are kept.

    :param config: As `_pretrained_checks.named` gives it.
    :param layers: The setting: keep so many of them; 0 keeps all.
    :param allowed: Patterns of names that may be missing, or for which the model need have no place.
    """
    deep = config["num_hidden_layers"]
    if deep > len(found):
        return [Problem(where, *declares("layers", deep, f"{counted(len(found), 'tensor')}"))], []
    prefix = _PREFIXES.get(config["model_type"], config["model_type"]) + "."
    names = {_renamed(name.removeprefix(prefix)): shape for name, shape in found.items()}
    whole = expected_shapes(config, deep, names)
    if whole is None:
        return _beyond(config, found, where), []
    wanted = expected_shapes(config, layers or deep, names) or {}
    rooms = {name.partition(".")[0] for name in wanted}
    missing = [name for name in wanted if name not in names]
    extra = [
        name for name in names if name.partition(".")[0] in rooms and name not in whole and not UNUSED.search(name)
    ]
    other = [f"{name} {list(shape)}" for name, shape in wanted.items() if names.get(name, shape) != shape]
    held = [f"{list(names[text.split()[0]])}" for text in other]
    return told(
        missing, extra, [f"{one}, the weights {had}" for one, had in zip(other, held, strict=True)], allowed, where
    )


def told(
    missing: Sequence[str], extra: Sequence[str], other: Sequence[str], allowed: Sequence[str], where: str
) -> tuple[list[Problem], list[str]]:
    """The problems of weights that are missing, unexpected or of another shape; and the names that are allowed."""

    def meant(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in allowed)

    problems = []
    remedy = "Is it the right folder? Where it is meant: encoder.allow_missing = [{}]."
    for what, names in (
        ("weights that its config.json asks for are missing, and would start at random", missing),
        ("it has weights for which its config.json has no place", extra),
    ):
        if left := [name for name in names if not meant(name)]:
            problems.append(Problem(where, what, some(left), remedy.format(f'"{_pattern(left)}"')))
    if other:
        what = "its config.json declares weights of another shape"
        problems.append(Problem(where, what, some(other), "Use the config.json that belongs to the weights."))
    return problems, [name for name in (*missing, *extra) if meant(name)]


def declares(what: str, number: int, held: str) -> tuple[str, str, str]:
    """The text of a problem: a configuration that declares more than the weights can hold."""
    remedy = "Use the config.json that belongs to the weights."
    return f"its config.json declares {number:,} {what}", f"weights with {held}", remedy


def _beyond(config: Options, found: Shapes, where: str) -> list[Problem]:
    """Of a type that is not known: a table of words that is larger than all weights together."""
    held = sum(map(math.prod, found.values()))
    width = min(config.get(key, 1 << 30) for key in ("hidden_size", "embedding_size"))
    words = config.get("vocab_size", 0)
    if width < 1 << 30 and words * width > held:
        return [Problem(where, *declares("words", words, f"{held:,} numbers"))]
    return []


def _renamed(name: str) -> str:
    """TensorFlow's names of a normalisation's weights, as transformers reads them."""
    for theirs, ours in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        if name.endswith(theirs):
            return name.removesuffix(theirs) + ours
    return name


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _pattern(names: Sequence[str]) -> str:
    """What all names begin with, up to a dot, and anything after."""
    parts = [name.split(".") for name in names]
    same = [each[0] for each in zip(*parts, strict=False) if len(set(each)) == 1]
    return names[0] if len(names) == 1 else ".".join([*same, "*"])
