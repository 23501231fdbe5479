"""The methods that a study chooses, with every setting; and its encoders before any model is built."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.file_hashes import files_hash
from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import Places, Tokenizer
from manyheads.study.spec import Choice
from manyheads.study.tasks import TaskData, head_of, texts_of


def resolved_method(family: str, choice: Choice, code: Path | None) -> dict[str, object]:
    """A method with every setting, those of a default too; of a method from outside, also what its file holds."""
    entry = registry.describe(family, choice.name, code)
    foreign = {"source": hashlib.sha256(entry.path.read_bytes()).hexdigest()[:16]} if entry.foreign else {}
    return {"name": choice.name, "settings": entry.resolved(choice.settings), **foreign}


class Encoders:
    """The encoders of a study before any model is built: what each learns from the training texts, its tokenizer, the
    weights that it starts from.

    :param hashes: Where hashes of large files are kept; None reads them anew.
    """

    def __init__(
        self, tasks: Mapping[str, TaskData], places: Places, code: Path | None, hashes: Path | None = None
    ) -> None:
        self.tasks, self.places, self.code, self.hashes = tasks, places, code, hashes
        self._learned: dict[str, Any] = {}
        self._weights: dict[str, str | None] = {}
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
        """An encoder with every setting, a hash of the weights that it starts from, and of what it learned before it
        was built."""
        about, learned = resolved_method("encoders", encoder, self.code), self.learned(encoder)
        about |= {"weights": found} if (found := self.weights(encoder)) else {}
        if learned is None:
            return about
        content = json.dumps(learned, sort_keys=True).encode("utf-8", "surrogatepass")
        return about | {"learned": hashlib.blake2b(content, digest_size=16).hexdigest()}

    def weights(self, encoder: Choice) -> str | None:
        """SHA-256 of the weights that an encoder starts from, looked for once; None if there are none, or they are not
        here: a finished study can be read without them."""
        if self._weights.get(encoder.key) is None:  # those of the Hub come when a model is built
            self._weights[encoder.key] = self._hash(encoder, self.hashes)
        return self._weights[encoder.key]

    def check_weights(self, encoder: Choice) -> None:
        """Told when an encoder has been built: it read the weights that `weights` speaks of, byte for byte.

        :raises StudyError: If the files hold others by now.
        """
        before, now = self.weights(encoder), self._hash(encoder, None)
        if before is None:
            self._weights[encoder.key] = now  # they came from the Hub when it was built
        elif before != now:
            what = "the encoder's weights have changed since the command began"
            remedy = "Leave them as they are while a study runs, and give the same command again."
            raise StudyError([Problem("encoder", what, f"SHA-256 {now}, before {before}", remedy)])

    def _hash(self, encoder: Choice, known: Path | None) -> str | None:
        settings = registry.describe("encoders", encoder.name, self.code).resolved(encoder.settings)
        files = registry.checks("encoders", encoder.name, self.code).weights(self.places, settings)
        with suppress(OSError):
            return files_hash(files, known) if files else None
        return None

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
