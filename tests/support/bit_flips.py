"""Single bits of a finished study's files, flipped at random, and what the commands that read the file make of it.

A flip is noticed if a command refuses, or says a line more than it says of the sound folder. A flip that is not noticed
must make no difference: what is printed, answered and written is as that of the sound folder, byte by byte.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner

from manyheads.cli import app

STUDY = """
seeds = [1, 2]
budget = { steps = 4 }

[encoder]
name = "bag_of_words"

[training]
batch_size = 8
learning_rate = 1e-2

[tasks.food]
dataset = { name = "small_world", subset = "food_sentiment", size = 40 }
head = { name = "classification" }

[tasks.film]
dataset = { name = "small_world", subset = "film_sentiment", size = 40 }
head = { name = "classification" }

[arms.alone]
models = "one per task"

[arms.joint]

[analyses.changed_answers]
"""
"""Small enough to be run many times."""
KINDS = {
    "weights": "*/*/model/*.safetensors",
    "model": "*/*/model/[!hR]*",
    "cards": "*/*/model/README.md",
    "records": "*/*/record.json",
    "predictions": "*/*/predictions/*.jsonl",
    "metrics": "*/*/metrics.jsonl",
    "results": "results.json",
    "report": "report.html",
    "tables": "tables/*",
    "figures": "figures/*",
    "analyses": "analyses/*/*",
    "study": "study.toml",
    "mark": ".manyheads",
    "lock": "lock",
}
"""The files of a study's folder, by what they are."""
ASKED = "".join(json.dumps({"text": text}) + "\n" for text in ("A fine soup.", "Dreadful bread.", "The film is long."))


def command(*given: object, stdin: str = "") -> tuple[int, str, list[str]]:
    """A command's exit code, what it printed, and the lines it said beside that but for those of progress."""
    result = CliRunner().invoke(app, [str(one) for one in given], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr.splitlines()


@dataclass
class Flips:
    """A finished study whose bits are flipped.

    :param folder: Holds study.toml; everything else is made in it.
    """

    folder: Path
    pristine: dict[Path, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.study, self.out = self.folder / "study.toml", self.folder / "out"
        self.study.write_text(STUDY, "utf-8")
        assert command("run", self.study, "--out", self.out, "--workers", 0)[0] == 0
        self.again()  # whatever a second command writes otherwise than the first
        self.pristine = _files(self.out)
        self.sound = {name: read() for name, read in self.readers.items()}

    def again(self) -> tuple[int, str, list[str]]:
        return command("run", self.study, "--out", self.out, "--workers", 0)

    @property
    def readers(self) -> dict[str, Callable[[], tuple[int, str, list[str]]]]:
        return {
            "predict": lambda: command("predict", self.out / "joint/1/model", "--task", "food", stdin=ASKED),
            "report": lambda: command("report", self.out),
            "run": self.again,
        }

    def flip(self, kind: str, rng: random.Random) -> str | None:
        """Flip a bit of a file of this kind; what went wrong silently, or None. The folder is as before then."""
        files = sorted(path for path in self.pristine if path.match(KINDS[kind]) and self.pristine[path])
        if kind in ("weights", "model"):
            files = [path for path in files if path.match("joint/1/model/*")]
        path = rng.choice(files)
        content = bytearray(self.pristine[path])
        bit = rng.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        where = f"{path}, bit {bit} of {8 * len(content)}"
        try:
            for name in ("predict", "report") if kind in ("weights", "model") else ("report", "run"):
                (self.out / path).write_bytes(content)
                told = self.read(name)
                if not told and (wrong := self.differing()):
                    return f"{where}: {name} said nothing of {', '.join(map(str, wrong))}"
            return None
        finally:
            self.restore()

    def read(self, name: str) -> bool:
        """Whether a command said something that it does not say of the sound folder.

        :raises AssertionError: If it did not, and printed something else.
        """
        code, printed, said = self.readers[name]()
        sound_code, sound_printed, sound_said = self.sound[name]
        told = code != sound_code or set(said) - set(sound_said) != set()
        assert told or printed == sound_printed, f"{name} printed, and said nothing:\n{printed}"
        return told

    def differing(self) -> list[Path]:
        """The files that are not as they were, beside locks, which every command signs, and the mark."""
        now = _files(self.out)
        every = now.keys() | self.pristine.keys()
        return [
            path
            for path in sorted(every)
            if now.get(path) != self.pristine.get(path) and path.name not in ("lock", ".manyheads")
        ]

    def restore(self) -> None:
        """Have the folder as it was."""
        for path in _files(self.out).keys() - self.pristine.keys():
            (self.out / path).unlink()
        for path, content in self.pristine.items():
            if not (self.out / path).is_file() or (self.out / path).read_bytes() != content:
                (self.out / path).parent.mkdir(parents=True, exist_ok=True)
                (self.out / path).write_bytes(content)


def battery(folder: Path, number: int, kinds: Iterable[str] = KINDS, seed: int = 1) -> list[str]:
    """Flip so many bits, spread over the kinds of files; what went wrong silently, a line each."""
    flips, rng, wrong, kinds = Flips(folder), random.Random(seed), list[str](), list(kinds)
    for index in range(number):
        try:
            found = flips.flip(kinds[index % len(kinds)], rng)
        except AssertionError as error:
            found = f"{kinds[index % len(kinds)]}: {error}"
        wrong += [found] if found else []
    return wrong


def cache_battery(folder: Path, cache: Path, number: int, seed: int = 1) -> list[str]:
    """The same for the token cache: each flip is followed by a run of the study into a new folder.

    :param cache: The folder of the cache, which the environment names.
    """
    study, rng, wrong = folder / "study.toml", random.Random(seed), list[str]()
    study.write_text(STUDY.replace("seeds = [1, 2]", "seeds = [1]").replace("[analyses.changed_answers]", ""), "utf-8")

    def trained() -> tuple[list[str], dict[Path, bytes]]:
        shutil.rmtree(folder / "out", ignore_errors=True)
        code, _, said = command("run", study, "--out", folder / "out", "--workers", 0)
        files = _files(folder / "out")
        return [line for line in said if code or "token cache" in line], {
            path: content for path, content in files.items() if path.suffix in (".safetensors", ".jsonl")
            and path.name != "metrics.jsonl"
        }  # fmt: skip

    trained()
    pristine, (_, sound) = _files(cache), trained()
    for _ in range(number):
        path = rng.choice(sorted(pristine))
        content = bytearray(pristine[path])
        bit = rng.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        (cache / path).write_bytes(content)
        told, found = trained()
        if found != sound and not told:
            wrong.append(f"{path}, bit {bit} of {8 * len(content)}")
        shutil.rmtree(cache)
        for path, content in pristine.items():
            (cache / path).parent.mkdir(parents=True, exist_ok=True)
            (cache / path).write_bytes(content)
    return wrong


def _files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
