"""A Hugging Face tokenizer as the heads see it: pieces with offsets, and sequences with special tokens."""

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from manyheads.core.tokenizer_files import text_places, tokenizing
from manyheads.core.values import Input, Pieces


class PretrainedTokenizer:
    """Implements `values.Tokenizer` over a fast Hugging Face tokenizer.

    Nothing is ever truncated here: heads cut, and count what they cut. A special token that is written in a text is
    split like any other text (`split_special_tokens`), so that "[SEP]" in a review never becomes a separator; where the
    vocabulary has no other pieces for it (XLM-R, DeBERTa), it is unknown.

    :param source: A folder or a Hub id.
    :param max_length: The longest sequence the encoder takes, special tokens included.
    :param token_types: How many token types the encoder tells apart; with 1 all are 0, whatever the tokenizer says.
    :raises ValueError: If it is no fast tokenizer, or puts no special token between two texts.
    """

    def __init__(self, source: str | Path, max_length: int = 512, token_types: int = 2) -> None:
        self.source = str(source)
        self.inner = AutoTokenizer.from_pretrained(str(source), trust_remote_code=False)
        if not self.inner.is_fast:
            raise ValueError(f"{source}: it is none of the `tokenizers` library, which alone tells each piece's place.")
        self.max_length = max_length
        self.unknown = next((id for id in (self.inner.unk_token_id, self.inner.pad_token_id) if id is not None), 0)
        pair = self.inner("a", "b", return_special_tokens_mask=True)
        ids, special = pair["input_ids"], pair["special_tokens_mask"]
        first, second = text_places(special, source)
        ids, alone = np.array(ids, np.int32), np.array(self.inner("a")["input_ids"], np.int32)
        between = slice(first.stop, second.start)
        self._before, self._between, self._after = ids[: first.start], ids[between], ids[second.stop :]
        found = pair.get("token_type_ids", []) if token_types > 1 else []
        found = found or [0] * len(ids)
        self._second_type, self._between_types = found[second.start], found[between]
        self._alone_after = alone[first.stop :]
        written = self._backend().encode(" ".join(self.inner.all_special_tokens), add_special_tokens=False).ids
        self._written = np.intersect1d(written, self.inner.all_special_ids)
        """Special tokens that are pieces of texts too, in Unigram vocabularies; there they become the unknown piece."""
        self._spaces = self._backend().encode("a a", add_special_tokens=False).offsets[-1][0] < 2
        """Whether a piece covers the space before it, as in some byte-level tokenizers; `Pieces` have it outside."""

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        if not texts:
            return []
        # Without the detour over dictionaries of lists that `self.inner(texts)` makes: twice as fast, the same pieces.
        with tokenizing(self.source):
            cut = self._backend().encode_batch(list(texts), add_special_tokens=False)
        found = [Pieces(np.array(one.ids, np.int32), np.array(one.offsets, np.int32).reshape(-1, 2)) for one in cut]
        if len(self._written):
            found = [Pieces(self._as_text(one.ids), one.offsets) for one in found]
        return [_trimmed(*pair) for pair in zip(found, texts, strict=True)] if self._spaces else found

    def _as_text(self, ids: np.ndarray) -> np.ndarray:
        return np.where(np.isin(ids, self._written), np.int32(self.unknown), ids)

    def _backend(self) -> Any:
        """The Rust tokenizer, which cuts whole texts."""
        backend = self.inner.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = True
        return backend

    def join(self, first: np.ndarray, second: np.ndarray | None = None) -> Input:
        if second is None:
            ids = np.concatenate([self._before, first, self._alone_after]).astype(np.int32, copy=False)
            return Input(ids, np.zeros(len(ids), np.int8))
        ids = np.concatenate([self._before, first, self._between, second, self._after]).astype(np.int32, copy=False)
        token_types = np.full(len(ids), self._second_type, np.int8)
        _, start = self.starts(len(first))
        token_types[: start - len(self._between)] = 0
        token_types[start - len(self._between) : start] = self._between_types
        return Input(ids, token_types)

    def room(self, pair: bool, max_length: int) -> int:
        tail = len(self._between) + len(self._after) if pair else len(self._alone_after)
        return max_length - len(self._before) - tail

    def starts(self, first_length: int) -> tuple[int, int]:
        before = len(self._before)
        return before, before + first_length + len(self._between)

    def fingerprint(self) -> str:
        """See `values.Tokenizer`: the whole of tokenizer.json as it is in use, and the libraries, which have lost text
        before in some versions."""
        special = [ids.tolist() for ids in (self._before, self._between, self._after, self._alone_after)]
        settings = {
            "class": type(self.inner).__name__,
            "versions": [importlib.metadata.version(name) for name in ("tokenizers", "transformers")],
            "max_length": self.max_length,
            "special": special,
            "token_types": [int(self._second_type), *(int(kind) for kind in self._between_types)],
        }
        content = self.inner.backend_tokenizer.to_str() + json.dumps(settings)
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files, which `AutoTokenizer` opens."""
        self.inner.save_pretrained(str(folder))


def _trimmed(pieces: Pieces, text: str) -> Pieces:
    """Pieces that begin behind the spaces that they cover; one of spaces alone stays as it is."""
    spaces = np.array([sign.isspace() for sign in text] + [False])
    ahead = np.where(spaces, len(text), np.arange(len(spaces)))
    # From each place on, the first that is no space.
    first = np.minimum.accumulate(ahead[::-1])[::-1][pieces.offsets[:, 0]]
    starts = np.where(first < pieces.offsets[:, 1], first, pieces.offsets[:, 0])
    return Pieces(pieces.ids, np.stack([starts, pieces.offsets[:, 1]], axis=1).astype(np.int32))
