"""How much an encoder has to compute on a task's examples, from a sample of them and without building a model.

Also finds what does not fit together: sequences that are longer than the encoder takes, a width that cannot be divided.
What must be known of heads, encoders and sharing, their companions tell; one without is loaded, and torch with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.encoder_info import (
    EncoderInfo,
    PieceCounter,
    cut_off,
    memory,
    not_by_layer,
    one_state,
    too_large,
    too_long,
    unread,
)
from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import TRAIN, Example, Places, Tokenizer
from manyheads.study.spec import Arm, Choice, Study
from manyheads.study.tasks import TaskData, head_of, texts_of

HEADS = ("columns", "optional", "gold")
"""What of a head tells the texts that it reads."""


@dataclass(frozen=True, slots=True)
class Work:
    """Floating-point operations of one forward pass over one example, on average.

    :param train: Of the training split.
    :param reported: Of the reported split; 0 if the task is not scored.
    """

    train: float
    reported: float


def works(
    study: Study, tasks: Mapping[str, TaskData], data: Path | None, code: Path | None
) -> dict[str, dict[str, Work] | None]:
    """For each arm the work of each of its tasks; None for an arm whose work cannot be told beforehand.

    :raises StudyError: With everything in heads and sharing that does not go with the encoder, and in the encoder.
    """
    bench = _Bench(tasks, study.places(data), code)
    problems: list[Problem] = []
    found: dict[str, dict[str, Work] | None] = {}
    for arm in study.arms.values():
        try:
            found[arm.name] = bench.arm(arm)
        except StudyError as error:
            problems += error.problems
    if problems:
        # Arms repeat the mistakes of what they share.
        raise StudyError(list(dict.fromkeys(problems)))
    return found


def unreadable(
    study: Study, tasks: Mapping[str, TaskData], data: Path | None, code: Path | None
) -> dict[str, list[Problem]]:
    """For each task warnings where an encoder of its arms has no pieces for most of a sample of its texts, or where the
    head cuts off more than a little of it."""
    found: dict[str, list[Problem]] = {task: [] for task in tasks}
    encoders = {arm.encoder.key: arm.encoder for arm in study.arms.values()}
    asked = dict.fromkeys((arm.encoder.key, task) for arm in study.arms.values() for task in arm.tasks)
    infos = {}
    for key, encoder in encoders.items():
        settings = registry.describe("encoders", encoder.name, code).resolved(encoder.settings)
        infos[key] = registry.checks("encoders", encoder.name, code).info(study.places(data), settings)
    for key, task in asked:
        info = infos[key]
        counter = info.counter if info else None  # an encoder without a companion tells when it is built
        warnings = [*_unknown(tasks[task], counter, code), *_cut(tasks[task], counter, code)] if counter else []
        found[task] += [warning for warning in warnings if warning not in found[task]]
    return found


def _unknown(task: TaskData, counter: PieceCounter, code: Path | None) -> list[Problem]:
    """A warning for each split of which more than half of the word pieces are unknown."""
    gold = registry.constant("heads", task.task.head.name, "gold", code)
    warnings = []
    for split, rows in task.sample.items():
        names = [name for name in rows[0] if name not in ("id", "cluster", *gold)]
        values = [value for row in rows for name in names for value in _texts(row[name])]
        share = counter.unknown(values) / max(1, sum(counter.pieces(values)))
        warnings += unread(share, f"tasks.{task.task.name} ({split})")
    return warnings


def _cut(task: TaskData, counter: PieceCounter, code: Path | None) -> list[Problem]:
    """A warning for each split of whose sample the head cuts off more than a little."""
    choice, warnings = task.task.head, []
    checks, setting = (
        registry.checks("heads", choice.name, code),
        registry.constant("heads", choice.name, "cut_by", code),
    )
    settings = registry.describe("heads", choice.name, code).resolved(choice.settings)
    for split, rows in task.sample.items():
        cuts = checks.cuts(rows, counter, settings)
        where, overflow = f"tasks.{task.task.name} ({split})", settings.get("overflow", "")
        warnings += cut_off(setting, settings.get(setting, 0), cuts, where, overflow=overflow)
    return warnings


def _texts(value: Any) -> list[str]:
    return [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]


class _Bench:
    """Looks at each encoder once, and at each task's sample once for each encoder."""

    def __init__(self, tasks: Mapping[str, TaskData], places: Places, code: Path | None) -> None:
        self.tasks = tasks
        self.places = places
        self.code = code
        self.encoders: dict[str, _Sized] = {}
        self.known: dict[tuple[str, str], Work | None] = {}
        self.learned: set[str] = set()

    def arm(self, arm: Arm) -> dict[str, Work] | None:
        key = arm.encoder.key
        if key not in self.encoders:
            self.encoders[key] = _Sized(arm.encoder, self.places, self.code)
        encoder = self.encoders[key]
        heads = {task: _Sequences(self.tasks[task], encoder, self.code) for task in arm.tasks}
        problems = too_long({task: head.max_length for task, head in heads.items()}, encoder.info.max_length)
        problems += self._token_problems(arm) + self._sharing_problems(arm, encoder.info)
        if problems:
            raise StudyError(problems)
        self._learn(arm)
        for task, head in heads.items():
            if (key, task) not in self.known:
                self.known[key, task] = head.work()
        found = {task: self.known[key, task] for task in arm.tasks}
        return {task: work for task, work in found.items() if work is not None} if None not in found.values() else None

    def _learn(self, arm: Arm) -> None:
        """Let an encoder learn what it takes from the training texts, as a run does before it builds a model.

        :raises StudyError: If there is nothing to learn, or more parameters than this machine has memory for.
        """
        checks = registry.checks("encoders", arm.encoder.name, self.code)
        if not checks.learn or arm.encoder.key in self.learned:
            return
        settings = registry.describe("encoders", arm.encoder.name, self.code).resolved(arm.encoder.settings)
        texts = {}
        for name, task in self.tasks.items():
            told = {key: registry.constant("heads", task.task.head.name, key, self.code) for key in HEADS}
            columns = [one for one in (*told["columns"], *told["optional"]) if one not in told["gold"]]
            texts[name] = texts_of(columns, task.train)
        learned = checks.learn(texts, settings)
        self.learned.add(arm.encoder.key)
        if checks.parameters and (problem := too_large(checks.parameters(learned, settings), memory())):
            raise StudyError([problem])

    def _token_problems(self, arm: Arm) -> list[Problem]:
        if registry.constant("encoders", arm.encoder.name, "per_token", self.code):
            return []
        heads = {task: self.tasks[task].task.head.name for task in arm.tasks}
        named = [("heads", name, f"tasks.{task}.head") for task, name in heads.items()]
        named += [] if arm.alone else [("sharing", arm.sharing.name, "sharing")]
        wanting = [where for family, name, where in named if registry.constant(family, name, "per_token", self.code)]
        return one_state(arm.encoder.name, wanting)

    def _sharing_problems(self, arm: Arm, encoder: EncoderInfo) -> list[Problem]:
        if arm.alone:
            return []
        if registry.constant("sharing", arm.sharing.name, "by_layer", self.code) and encoder.whole:
            return not_by_layer(encoder.whole, arm.sharing.name)
        entry = registry.describe("sharing", arm.sharing.name, self.code)
        return entry.problems(entry.resolved(arm.sharing.settings), "sharing", width=encoder.width)


class _Sized:
    """An encoder in figures: from its companion, or if it has none from itself."""

    def __init__(self, choice: Choice, places: Places, code: Path | None) -> None:
        self._choice, self._places, self._code = choice, places, code
        self._built: Any = None
        settings = registry.describe("encoders", choice.name, code).resolved(choice.settings)
        self.info = registry.checks("encoders", choice.name, code).info(places, settings) or self._asked()

    def _asked(self) -> EncoderInfo:
        tokenizer, built = self.tokenizer(), self._built
        return EncoderInfo(built.width, tokenizer.max_length, built.flops, _Counter(tokenizer), built.whole)

    def tokenizer(self) -> Tokenizer:
        """The tokenizer itself, for which the encoder is built."""
        if self._built is None:
            encoder_class: Any = registry.load("encoders", self._choice.name, self._code)
            self._built = encoder_class(self._places, None, **self._choice.settings)
        return self._built.tokenizer


class _Counter:
    """A `encoder_info.PieceCounter` over a tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def pieces(self, texts: Sequence[str]) -> list[int]:
        return [len(pieces.ids) for pieces in self.tokenizer.pieces(texts)]

    def unknown(self, texts: Sequence[str]) -> int:
        return sum(int((pieces.ids == self.tokenizer.unknown).sum()) for pieces in self.tokenizer.pieces(texts))

    def special(self, pair: bool) -> int:
        return -self.tokenizer.room(pair, 0)


class _Sequences:
    """The sequences that a task's head makes of its examples: from its companion, or if it has none from itself."""

    def __init__(self, task: TaskData, encoder: _Sized, code: Path | None) -> None:
        self.data, self.encoder = task, encoder
        choice = task.task.head
        self.settings = registry.describe("heads", choice.name, code).resolved(choice.settings)
        self.checks = registry.checks("heads", choice.name, code)
        self.head: Any = None
        if not self.checks.told:
            self.head = head_of(task.task, task.train.labels, code)
        self.max_length: int = self.head.max_length if self.head else self.settings["max_length"]

    def work(self) -> Work | None:
        """None if the encoder's operations or the sequences cannot be told beforehand.

        :raises StudyError: If the head cannot make sequences that the encoder takes.
        """
        name, reported = self.data.task.name, self.data.reported
        try:
            sample = self.data.sample
            train, scored = (
                self._flops(sample[TRAIN]),
                0.0 if reported is None else self._flops(sample[self.data.split]),
            )
        except StudyError as error:
            raise StudyError([replace(one, where=f"tasks.{name}.{one.where}") for one in error.problems]) from error
        return None if train is None or scored is None else Work(train, scored)

    def _flops(self, rows: list[Example]) -> float | None:
        """Of one forward pass over an example, on average over these."""
        lengths = self._lengths(rows)
        if lengths is None or self.encoder.info.flops is None:
            return None
        return self.encoder.info.flops([length for each in lengths for length in each]) / len(rows)

    def _lengths(self, rows: list[Example]) -> list[list[int]] | None:
        if self.head:
            encoded = self.head.encode(rows, self.encoder.tokenizer())
            return [[len(one.ids) for one in example.inputs] for example in encoded]
        counter = self.encoder.info.counter
        return None if counter is None else self.checks.lengths(rows, counter, self.settings)
