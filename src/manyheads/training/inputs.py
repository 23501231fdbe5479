"""What the runs of a study have in common: its tasks, its encoders, and each task's examples as tokens."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import Places
from manyheads.data.columns import Examples
from manyheads.data.tokenized import Advance, Split, TokenizedSplits, encoding_counts
from manyheads.study.methods import Encoders, resolved_method
from manyheads.study.spec import Choice, Study
from manyheads.study.steps import Layout, Run, extent, layout
from manyheads.study.tasks import TaskData, examples, head_of


class StudyInputs:
    """What the runs of a study have in common.

    :param tasks: The data, as `study.tasks.read_tasks` gives it.
    :param cache: Where tokens are kept between runs and studies; None keeps them in memory.
    :param say: Called with a line for the user, if something is wrong with that folder.
    """

    def __init__(
        self,
        study: Study,
        tasks: Mapping[str, TaskData],
        data: Path | None,
        code: Path | None,
        *,
        cache: Path | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.study, self.tasks, self.code = study, tasks, code
        self.places: Places = study.places(data)
        self.encoders = Encoders(tasks, self.places, code, cache)
        self.tokens = TokenizedSplits(cache, say)
        self._splits: dict[tuple[str, str], Split] = {}
        self._counts: dict[tuple[str, str, str], dict[str, JsonValue]] = {}

    def layout(self, run: Run) -> Layout:
        """Every step of a run."""
        return layout(run, self.study, examples(self.tasks), self.code)

    def steps(self, run: Run) -> int:
        """How many steps a run is expected to have, without laying them out."""
        return int(extent(run, self.study, examples(self.tasks), self.code).steps)

    def examples(self, encoder: Choice, task: str, split: str, advance: Advance | None = None) -> Examples:
        """A split's examples as tokens: `train`, `reported` or `selection`."""
        return self.tokens.get(self._split(task, split), encoder.key, self.encoders.tokenizer(encoder), advance)

    def encoding_counts(self, encoder: Choice, task: str, split: str) -> dict[str, JsonValue]:
        """What encoding cut off and did not know; see `data.tokenized.encoding_counts`."""
        key = (task, split, encoder.key)
        if key not in self._counts:
            found, tokenizer = self.examples(encoder, task, split), self.encoders.tokenizer(encoder)
            self._counts[key] = encoding_counts(self._split(task, split).head, found, tokenizer)
        return self._counts[key]

    def prepare(self, runs: Iterable[Run], advance: Advance | None = None) -> None:
        """Tokenise every split that these runs need and that is not there yet.

        :raises StudyError: With what a head or a tokenizer refuses, of all splits. Where a method fails otherwise, its
            run will, and the others go on.
        """
        wanted = {
            (task, split, run.arm.encoder.key): run.arm.encoder
            for run in runs
            for task in run.tasks
            for split in (("train", "reported") if run.arm.alone else ("train", "reported", "selection"))
            if getattr(self.tasks[task], split) is not None
        }
        problems: list[Problem] = []
        for (task, split, _), encoder in wanted.items():
            try:
                self.examples(encoder, task, split, advance)
            except StudyError as error:
                problems += [replace(one, where=f"tasks.{task} ({split}): {one.where}") for one in error.problems]
            except Exception:
                continue
        if problems:
            raise StudyError(list(dict.fromkeys(problems)))

    def _split(self, task: str, split: str) -> Split:
        if (task, split) not in self._splits:
            given = self.tasks[task]
            method = resolved_method("heads", given.task.head, self.code)
            head = head_of(given.task, given.train.labels, self.code)
            self._splits[task, split] = Split(task, split, getattr(given, split), head, method)
        return self._splits[task, split]
