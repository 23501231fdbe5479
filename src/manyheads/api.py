"""From Python, in a notebook for instance: read, check and run a study, and ask a model. The commands do the same."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import Answer, Example
from manyheads.inference import replies
from manyheads.report.notebook import Results
from manyheads.runner.pool import HUNG, STOP_WITHIN
from manyheads.runner.progress import Progress
from manyheads.runner.run_study import conduct
from manyheads.study.estimate import planned, planned_lines
from manyheads.study.parser import read_study
from manyheads.study.spec import Study as Settings
from manyheads.training.model import MultiTaskModel, open_model

Place = str | os.PathLike[str]
"""A path as Python users give it."""
DATA = "MANYHEADS_DATA"
"""Where the datasets are if `data` does not say it, as for the commands."""


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """The plan of a study. It shows itself as `manyheads check` prints it.

    :param content: The same as plain values, as `manyheads check --json` prints it.
    """

    content: Mapping[str, Any]

    def __str__(self) -> str:
        return "\n".join(planned_lines(self.content))

    __repr__ = __str__


@dataclass(frozen=True, slots=True, repr=False)
class Study:
    """A study that was read from its file; `Study.read(file)` makes one.

    :param settings: The file's content as it will be run.
    :param code: A folder with methods of one's own, or None.
    """

    settings: Settings
    code: Path | None = None

    @classmethod
    def read(cls, path: Place, *, code: Place | None = None) -> "Study":
        """Read and check a study file; its data is looked at by `check` and `run`.

        :param code: A folder with methods of one's own, laid out like manyheads.
        :raises StudyError: With every mistake in the file.
        """
        code = _path(code)
        return cls(read_study(Path(path), code), code)

    @property
    def path(self) -> Path:
        """The study file."""
        return self.settings.path

    @property
    def question(self) -> str:
        """What the study asks."""
        return self.settings.question

    def check(self, *, data: Place | None = None) -> Plan:
        """The plan: runs, steps, shares, epochs, cost. Nothing is trained.

        :param data: A folder with datasets in the layout of the Hub; without, $MANYHEADS_DATA.
        :raises StudyError: With every mistake in the study and its data.
        """
        self._unchanged()
        return Plan(planned(self.path, _data(data), self.code))

    def run(
        self,
        *,
        out: Place | None = None,
        data: Place | None = None,
        workers: int = 0,
        fresh: bool = False,
        retry_failed: bool = False,
        hung_after: float = HUNG / 60,
        stop_within: float = STOP_WITHIN,
        verify: bool = True,
    ) -> Results:
        """Train every arm, compare them, and write tables, a report and models.

        Asked again, it goes on where it stopped, and trains nothing that is finished; so it does after an interrupt.
        Progress is written to standard error.

        :param out: Where results go; `runs/<study>` by default.
        :param data: A folder with datasets in the layout of the Hub; without, $MANYHEADS_DATA.
        :param workers: Runs at the same time, each in a process of its own; with 0, this process does them one after
            another. A script that has workers keeps its program under `if __name__ == "__main__":`, since each of them
            imports it anew; a notebook need not.
        :param fresh: Start anew in a new folder beside the old one.
        :param retry_failed: Do the runs again that failed before, and what is left.
        :param hung_after: Minutes without a sign of life until a run has failed.
        :param stop_within: Seconds that workers have to save their runs after an interrupt.
        :param verify: Read the files of finished runs, to see that they are as they were written.
        :raises StudyError: If the study, its data or the folder is not as it should be; nothing is trained then. Runs
            that fail while they train raise nothing: they are in `failed` of the results.
        """
        self._unchanged()
        _check_script(workers)
        with Progress(sys.stderr) as progress:
            content, folder = conduct(
                self.path,
                _path(out),
                _data(data),
                self.code,
                workers=workers,
                fresh=fresh,
                progress=progress,
                retry_failed=retry_failed,
                hung_after=60 * hung_after,
                stop_within=stop_within,
                verify=verify,
            )
        return Results(content, folder)

    def _unchanged(self) -> None:
        """See that what will be run is what was read."""
        if read_study(self.path, self.code).text != self.settings.text:
            what, remedy = "the file has changed since it was read", "Read it again with Study.read."
            raise StudyError([Problem(str(self.path), what, "", remedy)])

    def __repr__(self) -> str:
        arms, seeds = ", ".join(self.settings.arms), ", ".join(map(str, self.settings.seeds))
        return f"Study({str(self.path)!r}: arms {arms}; tasks {', '.join(self.settings.tasks)}; seeds {seeds})"


def _check_script(workers: int) -> None:
    """Refuse workers to a script that would start itself anew in each of them: every run would fail."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    if not workers or script is None or not Path(script).is_file():
        return
    if b"__name__" not in Path(script).read_bytes():
        what = "each worker imports this script, and would run it again"
        remedy = 'Put what it does under `if __name__ == "__main__":`, or use workers=0.'
        raise StudyError([Problem(script, what, "", remedy)])


@dataclass(frozen=True, slots=True, repr=False)
class Model:
    """A trained model; `Model.open(folder)` opens one, `results.model(arm, seed)` says where it is.

    :param network: The encoder and the heads, a `torch.nn.Module`.
    """

    network: MultiTaskModel

    @classmethod
    def open(cls, folder: Place, *, code: Place | None = None, verify: bool = True) -> "Model":
        """Open what a run left in its folder `model`.

        :param code: A folder with methods of one's own, if the model has some.
        :param verify: Compare its files with the SHA-256 that were written down of them.
        :raises StudyError: If the folder holds no model, or one that is not as the run wrote it.
        """
        return cls(open_model(Path(folder), _path(code), verify=verify))

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it can be asked."""
        return tuple(self.network.tasks)

    def answer(self, questions: Iterable[str | Example], task: str | Sequence[str]) -> list[Answer]:
        """One answer for each question, as `manyheads predict` prints them.

        :param questions: Texts; or dicts with what the task asks for, such as `question` and `context`, maybe an `id`.
        :param task: A task; of several, each answer has a part for each, and they share one pass of the encoder.
        :raises StudyError: If the model has no such task, or questions are not what it asks for; all at once.
        """
        given = [question if isinstance(question, str) else dict(question) for question in questions]
        return replies(self.network, [task] if isinstance(task, str) else list(task), given)

    def __repr__(self) -> str:
        return f"Model(tasks {', '.join(self.tasks)})"


def _path(given: Place | None) -> Path | None:
    return None if given is None else Path(given)


def _data(given: Place | None) -> Path | None:
    return _path(given if given is not None else os.environ.get(DATA) or None)
