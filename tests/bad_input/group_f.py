"""Group F: odd texts, settings, files and mixtures."""

import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pyarrow as pa
import torch
from bad_input_case import Case, inside, own, read, rows, study, task
from pyarrow import parquet
from transformers import BertConfig, BertModel
from typer.testing import CliRunner

from manyheads.cli import app
from manyheads.core.values import Places
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.encoders.pretrained import resolve
from manyheads.heads.classification import Classification
from manyheads.study.estimate import planned
from manyheads.study.parser import read_study

GOOD = {"data.tsv": rows("a\tx", "b\ty")}
STUDY = study(own())
RUN = ("run", "study.toml", "--out", "out", "--workers", "0")
TINY = '[encoder]\nmodel = "tiny"\n'
TRAINED = study(own(), more=TINY + "[training]\nlearning_rate = 1e-3\n").replace("budget", "seeds = [1]\nbudget", 1)


def changed(old: str, new: str, text: str = STUDY) -> str:
    """A study with one thing changed."""
    assert old in text
    return text.replace(old, new, 1)


def refused(number: int, given: str, peers: str, study: str, *says: str, files: dict[str, bytes | str] = GOOD) -> Case:
    """A study that is not run."""
    return Case(number, given, peers, files, study, says)


# ---- Models and folders ----


@cache
def _folder(name: str) -> tempfile.TemporaryDirectory[str]:
    """A folder that goes with the process."""
    return tempfile.TemporaryDirectory(prefix=f"manyheads-tests-{name}-")


@cache
def _tiny(vocabulary: int) -> Path:
    """A random encoder of one narrow layer with MiniLM's tokenizer."""
    folder = Path(_folder(f"tiny-{vocabulary}").name)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(**size, vocab_size=vocabulary)).save_pretrained(folder)
    PretrainedTokenizer(resolve("minilm", Places(Path()))).save(folder)
    return folder


def with_tiny(folder: Path) -> None:
    """Lay a small encoder beside the study."""
    shutil.copytree(_tiny(30_522), folder / "tiny")


def with_narrow(folder: Path) -> None:
    """A small encoder whose embedding has fewer rows than its tokenizer has pieces."""
    shutil.copytree(_tiny(20_000), folder / "tiny")


@cache
def _finished() -> Path:
    """The folder of a study that was run, with its data and its encoder."""
    folder = Path(_folder("finished").name)
    with_tiny(folder)
    (folder / "data.tsv").write_text(str(GOOD["data.tsv"]), "utf-8")
    (folder / "study.toml").write_text(TRAINED, "utf-8")
    with inside(folder):
        result = CliRunner().invoke(app, list(RUN))
    assert result.exit_code == 0, result.output
    return folder


def with_results(folder: Path) -> None:
    """Lay a finished study's output and encoder beside this study."""
    for name in ("out", "tiny"):
        shutil.copytree(_finished() / name, folder / name)


def write_nothing_in_parquet(folder: Path) -> None:
    """A Parquet file with a missing text."""
    parquet.write_table(pa.table({"text": ["a", None], "label": ["x", "y"]}), folder / "data.parquet")


def write_numbers_in_parquet(folder: Path) -> None:
    """A Parquet file as pandas writes it that has read `NA` as a number."""
    parquet.write_table(pa.table({"text": [float("nan")] * 2, "label": ["x", "y"]}), folder / "data.parquet")


def link_to_nothing(folder: Path) -> None:
    """A link whose file is gone."""
    (folder / "data.tsv").symlink_to("gone.tsv")


def make_pipe(folder: Path) -> None:
    """A pipe that nobody writes into, as the data and as a study."""
    os.mkfifo(folder / "data.tsv")
    os.mkfifo(folder / "pipe.toml")


# ---- What is handled ----


def special_tokens_are_text(folder: Path) -> None:
    """They are cut into pieces like other text: in the ids, a separator stands only where the program put one."""
    tokenizer = PretrainedTokenizer(resolve("minilm", Places(folder)))
    table = read(folder).train
    encoded = Classification(8, table.labels).encode([dict(row) for row in table.rows], tokenizer)
    special = [tokenizer.inner.sep_token_id, tokenizer.inner.mask_token_id, tokenizer.inner.cls_token_id]
    counts = [[one.inputs[0].ids.tolist().count(id) for id in special] for one in encoded]
    assert table.rows["text"][0] == "good [SEP] bad [MASK] [CLS]" and counts == [[1, 0, 1], [1, 0, 1]]


def warnings_are_in_the_report(folder: Path) -> None:
    """Warnings are in `results.json` and in the report too, this one counted over all texts."""
    results = json.loads((folder / "out" / "results.json").read_text("utf-8"))
    told = " ".join(results["tasks"]["own"]["warnings"])
    report = (folder / "out" / "report.html").read_text("utf-8")
    for phrase in (
        "the encoder has no pieces for 100% of the text",
        "rows of train have the same input as another row",
    ):
        assert phrase in told and phrase in report


def exponents_are_numbers(folder: Path) -> None:
    """A number, as TOML has it."""
    assert read_study(folder / "study.toml").arms["joint"].training.learning_rate == 1e-5


def paths_are_beside_the_study(folder: Path) -> None:
    """Paths are relative to the study file, wherever the command is given."""
    assert read(folder / "inner").train.rows["text"][:] == ["a", "b"]


def nothing_is_dropped(folder: Path) -> None:
    """The smaller batch is kept."""
    assert planned(folder / "study.toml", None, None)["arms"]["joint"]["steps"] == {"all": 1}


HALF = 'sampling = { name = "weighted", weights = { own = 0.5, small = 0.5 } }'
BIG = {"data.tsv": rows(*(f"a{i}\t{'xy'[i % 2]}" for i in range(2000))),
            "small.tsv": rows(*(f"b{i}\t{'xy'[i % 2]}" for i in range(20)))}  # fmt: skip
TWO = study(own(), more=task("small", own("small.tsv")))
HANDLED = [
    Case(78, "A text that is one word of a million characters", "[UNK], silently and slowly",
         {"data.tsv": rows("a" * 1_000_000 + "\tx", "b\ty")}, STUDY,
         ('a word of more than 100 characters in 1 text of "text"', "one at data.tsv:2"), 0),
    Case(79, "Texts of emoji only", "many [UNK], silently", {"data.tsv": rows("🦦🦦 🪿\tx", "🫎🫎🫎\ty")}, STUDY,
         ("the encoder has no pieces for 100% of the text",), 0),
    Case(79, "Texts of emoji only, some twice with two labels", "many [UNK], silently",
         {"data.tsv": rows("🦦🦦 🪿\tx", "🫎🫎🫎\ty", "🫎🫎🫎\tx"), "dev.tsv": rows("🦦\tx", "🫎\ty")},
         changed('report = "train"', 'report = "validation"',
                 changed('"train" = "data.tsv"', '"train" = "data.tsv", "validation" = "dev.tsv"', TRAINED)),
         ("own: warning: tasks.own: rows of train have the same input",), 0, RUN,
         holds=warnings_are_in_the_report, prepare=with_tiny),
    Case(80, "[SEP], [MASK] and [CLS] in a text", "they become the special tokens",
         {"data.tsv": rows("good [SEP] bad [MASK] [CLS]\tx", "b\ty")}, STUDY, (), 0, holds=special_tokens_are_text),
    Case(84, "`learning_rate = 1e-5` (in YAML, that is a text)", "a text in PyYAML", GOOD,
         study(own(), more="[training]\nlearning_rate = 1e-5\n"), (), 0, holds=exponents_are_numbers),
    Case(90, "A study in another folder than the current one", "not found",
         {"inner/data.tsv": GOOD["data.tsv"], "inner/study.toml": STUDY}, "", (), 0, ("check", "inner/study.toml"),
         holds=paths_are_beside_the_study),
    Case(92, "A task that is 100 times larger than another, proportionally", "the small one is hardly seen", BIG, TWO,
         ("share of batches: own 98.4%, small 1.6%", "epochs: own 1.00, small 1.00"), 0),
    Case(92, "A task that is 100 times larger than another, half and half", "the small one is seen 100 times", BIG,
         changed("[arms.joint]\n", f"[arms.joint]\n{HALF}\n", TWO), ("share of batches: own 50.0%, small 50.0%",
         "epochs: "), 0),
    Case(93, "Fewer rows than a batch holds", "ZeroDivisionError", GOOD, STUDY, (), 0, holds=nothing_is_dropped),
]  # fmt: skip

# ---- What is refused ----


def arm(line: str) -> str:
    """The study with a line more in its arm."""
    return study(own(), arm=line)


def weights(value: str, family: str = "weighting", name: str = "fixed") -> str:
    """The study with a task's weight."""
    return arm(f'{family} = {{ name = "{name}", weights = {{ own = {value} }} }}')


FORBIDDEN, PASSED, OVERWRITTEN = "“Extra inputs are not permitted”", "NaN passes", "one overwrites the other"
SILENT, TRACE = "silent", "a traceback"
REFUSED = [
    refused(79, "A text of invisible characters only (zero-width spaces, soft hyphens)", "an empty sequence, silently",
            STUDY, 'data.tsv:2: "text" is empty', "u200b", files={"data.tsv": rows("\u200b \xad\tx", "b\ty")}),
    Case(81, "Nothing as a text, in Parquet", "ValueError without the row", {}, study(own("data.parquet")),
         ('data.parquet:2: "text" is missing or null',), prepare=write_nothing_in_parquet),
    Case(81, "NaN as a text, in Parquet", "ValueError without the row", {}, study(own("data.parquet")),
         ('data.parquet:1: "text" is of type float, not a string',), prepare=write_numbers_in_parquet),
    refused(82, "`max_length = 513` for an encoder of 512", "an error about sizes, in training",
            study(own(), {"name": "classification", "max_length": 513}), "longer than the encoder takes", "513",
            "Choose 512"),
    Case(83, "A tokenizer with more pieces than the embedding has rows", "IndexError, or a device assertion", GOOD,
         study(own(), more=TINY), ("its embedding has no row for", "piece 30,521", "20,000 rows"), prepare=with_narrow),
    refused(84, '`learning_rate = "1e-5"`', "a text in PyYAML", study(own(),
            more='[training]\nlearning_rate = "1e-5"\n'),
            "training.learning_rate", "valid number", "without quotes"),
    refused(85, "A misspelt key of the study", FORBIDDEN, changed("budget", "bugdet"), "bugdet: there is no such key",
            'Did you mean "budget"?'),
    refused(85, "A misspelt setting of training", FORBIDDEN, study(own(), more="[training]\nlearning_rat = 1e-5\n"),
            "training.learning_rat", 'Did you mean "learning_rate"?'),
    refused(85, "A misspelt setting of a method", FORBIDDEN,
            arm('sampling = { name = "weighted", wieghts = { own = 1.0 } }'),
            "arms.joint.sampling.wieghts", 'Did you mean "weights"?'),
    refused(85, "A misspelt method", FORBIDDEN, arm('sampling = { name = "proportionall" }'),
            'Did you mean "proportional"?'),
    refused(86, "A key that stands twice (YAML takes the last)", "the last one wins", changed("head =",
            'report = "test"\nhead ='),
            "not valid TOML", "at line 7"),
    refused(86, "A table that stands twice (YAML takes the last)", "the last one wins", study(own(), more=task("own",
            own())),
            "not valid TOML", "Cannot declare ('tasks', 'own') twice (at line 9"),
    refused(87, "A negative weight of a loss", PASSED, weights("-1.0"), "arms.joint.weighting.weights.own"),
    refused(87, "nan as the weight of a loss", PASSED, weights("nan"), "arms.joint.weighting.weights.own"),
    refused(87, "inf as the weight of a loss", PASSED, weights("inf"), "arms.joint.weighting.weights.own"),
    refused(87, "All weights of losses 0", PASSED, weights("0.0"), "arms.joint.weighting.weights: all weights are 0"),
    refused(87, "A negative share of the batches", PASSED, weights("-1.0", "sampling", "weighted"),
            "arms.joint.sampling.weights.own"),
    refused(87, "nan as a share of the batches", PASSED, weights("nan", "sampling", "weighted"),
            "arms.joint.sampling.weights.own"),
    refused(87, "All shares of the batches 0", PASSED, weights("0.0", "sampling", "weighted"),
            "arms.joint.sampling.weights"),
    refused(87, "nan as the learning rate", PASSED, study(own(), more="[training]\nlearning_rate = nan\n"),
            "more than 0"),
    refused(88, "Two tasks whose names differ by case only", OVERWRITTEN, study(own(), more=task("OWN", own())),
            "tasks.OWN: differs from another name by case only"),
    refused(88, "Two arms whose names differ by case only", OVERWRITTEN, STUDY + "\n[arms.Joint]\n",
            "differs from another name by case"),
    refused(88, "Two points of a sweep that are one", OVERWRITTEN, arm("sweep = { training.batch_size = [8, 8] }"),
            "two arms get the same name"),
    refused(88, "An arm named like a file of the results", OVERWRITTEN, STUDY.replace("arms.joint", "arms.figures"),
            "is the name of a file of the study"),
    Case(89, "Data that changed since some runs of the study", SILENT, {"data.tsv": rows("a\tx", "c\ty")}, TRAINED,
         ("out/joint/1: the data of own has changed since this run", "--fresh"), 2, RUN, prepare=with_results),
    refused(91, "A file that is not there", TRACE, changed("data.tsv", "date.tsv"), "no file 'date.tsv', looked in",
            'Did you mean "data.tsv"?'),
    refused(91, "A file in a folder that is not there", TRACE, changed("data.tsv", "no/such/folder.tsv"),
            "there is no folder",
            "relative to the study file"),
    refused(91, "A folder", TRACE, changed('"data.tsv"', '"inside", "format" = "tsv"'), "this is a folder",
            "inside.csv",
            files={"inside/inside.csv": "text,label\n"}),
    Case(91, "A link to nothing", TRACE, {}, STUDY, ("this link points to nothing", "gone.tsv"),
            prepare=link_to_nothing),
    Case(91, "A pipe", "waits for ever", {}, STUDY, ("not a regular file (a pipe",), prepare=make_pipe),
    Case(91, "A pipe as the study", "waits for ever", {}, "", ("pipe.toml: not a regular file (a pipe",), 2,
         ("check", "pipe.toml"), prepare=make_pipe),
    Case(91, "A pipe to score", "waits for ever", {}, "", ("data.tsv: this is not a file",), 2,
         ("score", "regression", "--gold", "data.tsv", "--predictions", "data.tsv"), prepare=make_pipe),
    Case(91, "A study that is not there", TRACE, {}, STUDY, ("stud.toml: cannot be read",
            'Did you mean "study.toml"?'), 2,
         ("check", "stud.toml")),
    Case(91, "A folder of data that is not there", "looks on the Hub, silently", GOOD, STUDY,
         ("--data: there is no such folder. Found 'nowhere'",), 2, ("check", "study.toml", "--data", "nowhere")),
    Case(91, "A folder without results", TRACE, {}, "", ("Give the folder that `manyheads run` wrote",), 2, ("report",
            "out")),
    Case(91, "A folder without a model", TRACE, {}, "", ("not a model that manyheads saved",), 2, ("predict", "out")),
    refused(94, "A misspelt metric", "KeyError after hours", study(own(), {"name": "classification",
            "metric": "acuracy"}),
            "tasks.own.head.metric", 'Did you mean "accuracy"?'),
    refused(94, "F1 of two classes for three", "KeyError after hours", study(own(), {"name": "classification",
            "metric": "f1"}),
            "metric f1 is for two labels. Found 3", files={"data.tsv": rows("a\tx", "b\ty", "c\tz")}),
    Case(95, "Results of other settings in the output folder", "goes on, silently", GOOD, changed("1e-3", "1e-2",
            TRAINED),
         ("was trained with training.learning_rate = 0.001", "0.01 in the study", "--fresh"), 2, RUN,
         prepare=with_results),
]  # fmt: skip

CASES = [*HANDLED, *REFUSED]
