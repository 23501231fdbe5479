"""Tokens of a study: what they depend on and nothing else, made once for all runs, workers and later studies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyheads.cli import app
from manyheads.data import tokenized
from manyheads.data.batches import identity
from manyheads.data.token_cache import ABOUT, DATA, PLACE, TokenCache
from manyheads.data.tokenized import HERE, source_hash
from manyheads.runner.pool import in_processes
from manyheads.runner.queue import RunQueue, WaitingRun
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def inputs_of(path, folder, change=lambda text: text, code=None):
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    study = read_study(path, code)
    return StudyInputs(study, read_tasks(study, None, code), None, code, cache=folder)


def prepared(path, folder, change=lambda text: text, code=None):
    found = inputs_of(path, folder, change, code)
    found.prepare(runs(found.study))
    return found


def test_each_split_is_tokenised_once_and_then_found(study_file, folder):
    first = prepared(study_file, folder)
    assert sorted(count for count, _ in first.tokens.made) == [40, 40, 200, 200] and first.tokens.found == []
    assert first.tokens.told().startswith("tokens: 480 examples tokenised in ")
    first.prepare(runs(first.study))
    assert len(first.tokens.made) == 4
    again = prepared(study_file, folder)
    assert again.tokens.made == [] and again.tokens.told() == f"tokens: 480 examples from the cache {folder}"
    for key, examples in first.tokens.examples.items():
        assert identity(examples) == identity(again.tokens.examples[key])
        assert [one.targets for one in examples] == [one.targets for one in again.tokens.examples[key]]


def test_progress_is_told_while_tokenising(study_file, folder, monkeypatch):
    told = []
    found = inputs_of(study_file, folder)
    monkeypatch.setattr("manyheads.data.batches.CHUNK", 150)
    found.prepare(runs(found.study), lambda *each: told.append(each))
    assert [each for each in told if each[0] == "food (reported)"] == [
        ("food (reported)", 150, 200),
        ("food (reported)", 200, 200),
    ]


TOKENS_CHANGE = {
    "another length": ("max_length = 48", "max_length = 47"),
    "other rows": ('"food_sentiment", size = 40', '"food_sentiment", size = 44'),
    "other wrong labels": ('"food_sentiment", size = 40', '"food_sentiment", size = 40, noise = 0.4'),
    "another head setting": ("max_length = 48", "max_length = 48, dropout = 0.2"),
}


@pytest.mark.parametrize("change", TOKENS_CHANGE)
def test_what_the_tokens_may_depend_on_makes_another_entry(study_file, folder, change):
    prepared(study_file, folder)
    new = prepared(study_file, folder, lambda text: text.replace(*TOKENS_CHANGE[change]))
    assert 1 <= len(new.tokens.made) <= 2 and len(new.tokens.found) == 4 - len(new.tokens.made)


def test_what_they_do_not_depend_on_does_not(study_file, folder):
    prepared(study_file, folder)
    text = study_file.read_text("utf-8")
    study_file.write_text(text.replace("1e-3", "1e-4").replace("tasks.food", "tasks.meals"), "utf-8")
    assert prepared(study_file, folder).tokens.made == []


def test_another_tokenizer_makes_other_entries(study_file, folder, tmp_path, tiny):
    prepared(study_file, folder)
    for path in tiny.iterdir():
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / path.name).write_bytes(path.read_bytes())
    same = prepared(study_file, folder, lambda text: text.replace(str(tiny), str(tmp_path / "model")))
    assert same.tokens.made == []
    file = tmp_path / "model" / "tokenizer_config.json"
    content = json.loads(file.read_text("utf-8"))
    content["do_lower_case"] = False
    file.write_text(json.dumps(content), "utf-8")
    assert len(prepared(study_file, folder).tokens.made) == 4


def test_changed_encoding_code_reads_nothing_stale(study_file, folder, monkeypatch):
    prepared(study_file, folder)
    monkeypatch.setattr(tokenized, "source_hash", lambda *files: "another")
    assert len(prepared(study_file, folder).tokens.made) == 4


def test_the_source_is_the_files_and_all_of_ours_that_they_import(tmp_path):
    (tmp_path / "one").mkdir()
    mine, beside = tmp_path / "one" / "mine.py", tmp_path / "one" / "_beside.py"
    mine.write_text("from manyheads.heads.span import Span\n")

    def fresh(*files):
        source_hash.cache_clear()
        return source_hash(*files)

    known = fresh(mine)
    beside.write_text("x = 1\n")
    assert fresh(mine) != known
    beside.unlink()
    assert fresh(mine) == known
    span = HERE / "heads" / "span.py"
    assert {path.name for path in tokenized._imported(span.read_bytes())} >= {
        "_spans.py",
        "_windows.py",
        "values.py",
    }
    assert fresh(HERE / "heads" / "span.py") != fresh(HERE / "heads" / "classification.py")


LOGGED = '''"""A head that writes down which process encodes how many examples. http://nowhere"""

import os
from pathlib import Path

from manyheads.heads.classification import Classification


class Logged(Classification):
    """Classification.

    :param log: A file.
    """

    def __init__(self, width, labels, *, log: str = "") -> None:
        super().__init__(width, labels, max_length=48)
        self.log = log

    def encode(self, examples, tokenizer):
        with Path(self.log).open("a") as file:
            file.write(f"{os.getpid()} {len(examples)} {os.environ.get('RAYON_NUM_THREADS')}\\n")
        return super().encode(examples, tokenizer)
'''


def logged(study_file, tmp_path):
    """The study with a head for food that writes down its calls; the folder of that head, and the file."""
    (tmp_path / "code" / "heads").mkdir(parents=True)
    (tmp_path / "code" / "heads" / "logged.py").write_text(LOGGED, "utf-8")
    old, new = (
        'head    = { name = "classification", max_length = 48 }',
        f'head = {{ name = "logged", log = "{tmp_path}/log" }}',
    )
    text = study_file.read_text("utf-8")
    assert old in text
    study_file.write_text(text.replace(old, new), "utf-8")
    return tmp_path / "code", tmp_path / "log"


@pytest.mark.slow
def test_workers_find_what_the_first_process_has_tokenised(study_file, folder, tmp_path):
    code, log = logged(study_file, tmp_path)
    found = inputs_of(study_file, folder, code=code)
    queue = RunQueue([WaitingRun(run) for run in runs(found.study)[:3]], tmp_path / "out")
    records = list(in_processes(queue, found, tmp_path / "out", lambda *_: None, workers=2))
    assert [record.status for record in records] == ["finished"] * 3, records
    assert sorted(log.read_text().split("\n")[:-1]) == [f"{os.getpid()} 200 None", f"{os.getpid()} 40 None"]


@pytest.mark.slow
def test_without_a_cache_each_worker_tokenises_on_its_own_threads(study_file, tmp_path):
    code, log = logged(study_file, tmp_path)
    found = inputs_of(study_file, None, code=code)
    queue = RunQueue([WaitingRun(run) for run in runs(found.study)[:2]], tmp_path / "out")
    records = list(in_processes(queue, found, tmp_path / "out", lambda *_: None, workers=2))
    assert [record.status for record in records] == ["finished"] * 2, records
    lines = [line.split() for line in log.read_text().splitlines()]
    ours = [line for line in lines if line[0] == str(os.getpid())]
    theirs = [line for line in lines if line[0] != str(os.getpid())]
    assert len(ours) == 2 and theirs
    assert {threads for _, _, threads in theirs} == {str(max(1, len(os.sched_getaffinity(0)) // 2))}


THREADS = """
import os, sys
from manyheads.training.device import use_threads
from manyheads.encoders._tokenizer import PretrainedTokenizer
use_threads(int(sys.argv[1]))
before = len(os.listdir("/proc/self/task"))
tokenizer = PretrainedTokenizer(sys.argv[2])
tokenizer.pieces(["some words " * 20] * 500)
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "started"), [(1, {0, 1}), (3, {3})])
def test_the_tokenizer_starts_as_many_threads_as_a_worker_may_use(number, started, tiny):
    command = [sys.executable, "-c", THREADS, str(number), str(tiny)]
    assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) in started


def test_what_a_head_refuses_is_known_before_anything_is_trained(study_file, tmp_path):
    """The room that special tokens leave is known to the tokenizer only."""
    text = study_file.read_text("utf-8").replace("stride = 24, max_question = 24", "stride = 72, max_question = 24")
    study_file.write_text(text, "utf-8")
    code, _, err = call("run", study_file, "--out", tmp_path / "out")
    assert code == 2 and err.count("Choose at most 69") == 2
    assert "tasks.questions (train): head" in err and "tasks.questions (reported): head" in err
    assert not list((tmp_path / "out").rglob("record.json"))


def test_a_head_that_breaks_fails_its_run_and_no_other(study_file, folder, tmp_path):
    code_folder, _ = logged(study_file, tmp_path)
    path = code_folder / "heads" / "logged.py"
    path.write_text(path.read_text("utf-8").replace("        with Path", "        1 / 0\n        with Path"), "utf-8")
    code, _, err = call("run", short(study_file), "--out", tmp_path / "out", "--code", code_folder)
    assert code == 1 and "failed: alone/1/food: division by zero" in err
    record = json.loads((tmp_path / "out" / "alone" / "1" / "questions" / "record.json").read_text("utf-8"))
    assert record["status"] == "finished"


# ---- The commands ----


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def short(study_file):
    study_file.write_text(study_file.read_text("utf-8").replace("seeds    = [1, 2]", "seeds = [1]"), "utf-8")
    return study_file


def test_run_says_what_it_tokenised_and_cache_what_is_kept(study_file, folder, tmp_path):
    assert call("cache")[1] == f"{folder}: 0 entries, 0 bytes\n"
    code, _, err = call("run", short(study_file), "--out", tmp_path / "one")
    assert code == 0 and "tokens: 480 examples tokenised in " in err and "from the cache" not in err
    code, _, err = call("run", study_file, "--out", tmp_path / "two")
    assert code == 0 and f"tokens: 480 examples from the cache {folder}\n" in err
    predictions = Path("joint/1/predictions/food.jsonl")
    assert (tmp_path / "one" / predictions).read_bytes() == (tmp_path / "two" / predictions).read_bytes()
    assert "tokens:" not in call("run", study_file, "--out", tmp_path / "two")[2]

    code, out, _ = call("cache")
    size = sum(path.stat().st_size for path in (folder / PLACE).rglob("*") if path.is_file())
    assert code == 0 and out.startswith(f"{folder}: 4 entries, {size / 1000:.0f} kB\n")
    assert (
        "  food (train), classification: 40 examples, " in out and "  questions (reported), span: 200 examples" in out
    )
    kept = json.loads(call("cache", "--json")[1])
    assert kept["bytes"] == size and sum(entry["examples"] for entry in kept["entries"]) == 480
    assert {path.name for path in (folder / PLACE).rglob("*") if path.is_file()} == {DATA, ABOUT}

    code, out, _ = call("cache", "--clear")
    assert code == 0 and out == f"4 entries removed, {size / 1000:.0f} kB freed\n"
    assert json.loads(call("cache", "--clear", "--json")[1]) == {
        "folder": str(folder), "removed": 0, "freed": 0, "left": 0,
    }  # fmt: skip
    assert not (folder / PLACE).exists()


def test_run_goes_on_where_there_can_be_no_cache(study_file, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "file"))
    code, _, err = call("run", short(study_file), "--out", tmp_path / "out")
    assert code == 0 and err.count("tokens are kept in memory instead") == 1


def test_a_damaged_entry_is_mended_by_the_next_run(study_file, folder, tmp_path):
    assert call("run", short(study_file), "--out", tmp_path / "one")[0] == 0
    victim = next(iter(folder.rglob(DATA)))
    victim.write_bytes(victim.read_bytes()[:-100])
    code, _, err = call("run", study_file, "--out", tmp_path / "two")
    assert code == 0 and err.count("is damaged and is made anew") == 1
    assert len(TokenCache(folder, print).entries()) == 4
