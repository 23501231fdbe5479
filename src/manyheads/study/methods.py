"""The methods that a study chooses, with every setting; and its encoders before any model is built."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.values import Places, Tokenizer
from manyheads.study.spec import Choice
from manyheads.study.tasks import TaskData, head_of, texts_of


def resolved_method(family: str, choice: Choice, code: Path | None) -> dict[str, object]:
    """A method with every setting, those of a default too; of a method from outside, also what its file holds."""
    entry = registry.describe(family, choice.name, code)
    foreign = {"source": hashlib.sha256(entry.path.read_bytes()).hexdigest()[:16]} if entry.foreign else {}
    return {"name": choice.name, "settings": entry.resolved(choice.settings), **foreign}


class Encoders:
    """The encoders of a study before any model is built: what each learns from the training texts, its tokenizer."""

    def __init__(self, tasks: Mapping[str, TaskData], places: Places, code: Path | None) -> None:
        self.tasks, self.places, self.code = tasks, places, code
        self._learned: dict[str, Any] = {}
        self._tokenizers: dict[str, Tokenizer] = {}

    def learned(self, encoder: Choice) -> Any:
        """What an encoder takes from the training texts before it is built (`Encoder.learn`), looked for once; None for
        one that takes nothing. The texts are those of all the study's tasks, so it is the same in all arms."""
        if not registry.constant("encoders", encoder.name, "learns", self.code):
            return None
        if encoder.key not in self._learned:
            encoder_class: Any = registry.load("encoders", encoder.name, self.code)
            settings = registry.describe("encoders", encoder.name, self.code).resolved(encoder.settings)
            texts = {
                name: texts_of(head_of(task.task, task.train.labels, self.code).asked, task.train)
                for name, task in self.tasks.items()
            }
            self._learned[encoder.key] = encoder_class.learn(texts, settings)
        return self._learned[encoder.key]

    def described(self, encoder: Choice) -> dict[str, object]:
        """An encoder with every setting, and a hash of what it learned before it was built."""
        about, learned = resolved_method("encoders", encoder, self.code), self.learned(encoder)
        if learned is None:
            return about
        content = json.dumps(learned, sort_keys=True).encode("utf-8", "surrogatepass")
        return about | {"learned": hashlib.blake2b(content, digest_size=16).hexdigest()}

    def tokenizer(self, encoder: Choice) -> Tokenizer:
        """An encoder's tokenizer. The encoder is built for it, unless `keep_tokenizer` had it before."""
        if encoder.key not in self._tokenizers:
            encoder_class: Any = registry.load("encoders", encoder.name, self.code)
            learned = self.learned(encoder)
            given = () if learned is None else (None, learned)
            self._tokenizers[encoder.key] = encoder_class(self.places, *given, **encoder.settings).tokenizer
        return self._tokenizers[encoder.key]

    def keep_tokenizer(self, encoder: Choice, tokenizer: Tokenizer) -> None:
        """Keep the tokenizer of an encoder that was built anyway."""
        self._tokenizers.setdefault(encoder.key, tokenizer)
