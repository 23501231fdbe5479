"""Random encoders of nine architectures, each with a tokenizer of its own kind trained on a few sentences."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel

SENTENCES = [
    "The ferry sails at noon from the old quay.",
    "A dull film, and a dreadful one; nobody laughed.",
    "Where does the small fox sleep? In a den under the hill.",
    "The soup was warm, the bread was fresh, and the waiter was kind.",
    "Ann asked whether the last train had left. It had.",
] * 4
SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
CLS, ROBERTA = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@dataclass(frozen=True)
class Family:
    """One architecture.

    :param tokenizer: The class that its published models name, and how its tokenizer cuts.
    :param settings: Of its configuration, beside the sizes.
    :param longest: The longest sequence that it takes, of the 66 places that its configuration names.
    """

    tokenizer: tuple[str, str]
    settings: dict[str, Any]
    longest: int = 66


FAMILIES = {
    "bert": Family(("BertTokenizer", "wordpiece"), {}),
    "roberta": Family(("RobertaTokenizer", "bytes"), {"type_vocab_size": 1}, 64),
    "xlm-roberta": Family(("XLMRobertaTokenizer", "unigram"), {"type_vocab_size": 1}, 64),
    "electra": Family(("ElectraTokenizer", "wordpiece"), {"embedding_size": 16}),
    "distilbert": Family(("DistilBertTokenizer", "wordpiece"), {}),
    "mpnet": Family(("MPNetTokenizer", "wordpiece"), {}, 64),
    "modernbert": Family(("PreTrainedTokenizerFast", "bytes"), {"local_attention": 8}),
    "deberta-v2": Family(
        ("DebertaV2Tokenizer", "unigram"),
        {
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
    "nomic_bert": Family(("BertTokenizer", "wordpiece"), {}),
}
NAMES = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}


def make_family(kind: str, folder: Path) -> Path:
    """Write a random encoder of an architecture and a tokenizer as its published models have one."""
    family = FAMILIES[kind]
    special = ROBERTA if kind in ("roberta", "xlm-roberta", "mpnet") else CLS
    tokenizer = _tokenizer(family.tokenizer[1], special)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), ROBERTA, strict=True))
    if special is CLS:
        names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), CLS, strict=True))
    about = {"tokenizer_class": family.tokenizer[0], **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), "utf-8")
    sizes = dict(SIZES)
    if kind == "distilbert":
        sizes = {NAMES.get(name, "hidden_dim"): size for name, size in SIZES.items()}
    pad, bos, eos = (tokenizer.token_to_id(names[f"{key}_token"]) for key in ("pad", "cls", "sep"))
    ends = {"pad_token_id": pad, "bos_token_id": bos, "eos_token_id": eos}
    if kind == "modernbert":
        ends |= {"cls_token_id": bos, "sep_token_id": eos}
    shape = {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 66}
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(kind, **sizes, **shape, **ends, **family.settings)).save_pretrained(
        folder
    )
    return folder


def _tokenizer(kind: str, special: tuple[str, ...]) -> Tokenizer:
    roberta = special is ROBERTA
    before, after, unknown = ("<s>", "</s>", "<unk>") if roberta else ("[CLS]", "[SEP]", "[UNK]")
    given: dict[str, Any] = {"vocab_size": 320, "special_tokens": list(special), "show_progress": False}
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token=unknown))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(**given)
    elif kind == "bytes":
        made = Tokenizer(models.BPE(unk_token=unknown if roberta else None))
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        trainer = trainers.BpeTrainer(**given, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    else:
        made = Tokenizer(models.Unigram())
        spaces = pre_tokenizers.Metaspace(prepend_scheme="always" if roberta else "first")
        if roberta:
            made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), spaces])  # pyright: ignore
        else:
            single = normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " ")
            made.normalizer = normalizers.Sequence([single, normalizers.NFC(), normalizers.Strip(left=False)])
            made.pre_tokenizer = spaces
        trainer = trainers.UnigramTrainer(**given, unk_token=unknown)
    made.train_from_iterator(SENTENCES, trainer)
    pair = f"{before} $A {after} {after} $B {after}" if roberta else f"{before} $A {after} $B:1 {after}:1"
    made.post_processor = processors.TemplateProcessing(
        single=f"{before} $A {after}", pair=pair, special_tokens=[(name, made.token_to_id(name)) for name in special]
    )
    return made
