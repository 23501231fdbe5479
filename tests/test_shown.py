"""What files say reaches no terminal, page or table raw, and what a study leaves behind names no user or machine."""

import csv
import getpass
import io
import json
import os
import platform
import subprocess
import sys

import pytest

from manyheads.core.printable import printable
from manyheads.report import tables
from manyheads.results.schema import StudyResults

BAD = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202egnp\u2066\u200b\u2028\u200f"
TOML_BAD = BAD.replace("\x1b", "\\u001b").replace("\x07", "\\u0007").replace("\x9b", "\\u009b")
STUDY = """
question = "Really{bad}? שלום 👩\u200d💻"
seeds = [1]
budget = {{ steps = 3 }}
[encoder]
name = "bag_of_words"
[training]
learning_rate = {rate}
clip = {clip}
[tasks.own]
dataset = {{ name = "table", train = "{train}" }}
head = {{ name = "{head}" }}
report = "train"
allow_train = true
[arms.joint]
label = "=joint{bad}"
description = "{bad}"
[arms.other]
label = "other{bad}"
[arms.other.training]
epsilon = 1
"""


def command(*given, cwd, home):
    env = {**os.environ, "HOME": str(home), "MANYHEADS_CACHE": str(home / "cache"), "USER": "ann-secret"}
    done = subprocess.run(
        [sys.executable, "-m", "manyheads", *given], cwd=cwd, env=env, capture_output=True, timeout=300
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def clean(text):
    """Whether nothing in a text but line ends, tabs and carriage returns of tables acts or hides."""
    return printable(text.replace("\r\n", "\n"), "\n\t") == text.replace("\r\n", "\n")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A study with hostile texts in the folder of a user, run; its folder and all that was printed."""
    home = tmp_path_factory.mktemp("people") / "ann-secret"
    (home / "work").mkdir(parents=True)
    rows = [f'"r{n}{BAD}","a fine film {n}{BAD}",l{n % 2}{BAD}' for n in range(20)]
    (home / "work" / "d.csv").write_text("id,text,label\n" + "\n".join(rows) + "\n")
    text = STUDY.format(bad=TOML_BAD, rate="1e-3", clip="1.0", train=home / "work" / "d.csv", head="classification")
    text = text.replace("[arms.other.training]\nepsilon = 1\n", "")
    (home / "work" / "s.toml").write_text(text)
    printed = {}
    for name, given in {
        "check": ("check", str(home / "work" / "s.toml")),
        "check --json": ("check", "s.toml", "--json"),
        "run": ("run", str(home / "work" / "s.toml"), "--out", "out", "--workers", "0"),
        "run again": ("run", "s.toml", "--out", "out", "--workers", "1", "--json"),
        "report": ("report", "out"),
        "cache": ("cache",),
    }.items():
        code, out, err = command(*given, cwd=home / "work", home=home)
        assert code == 0, (name, out, err)
        printed[name] = out + err
    questions = home / "work" / "q.jsonl"
    questions.write_text(json.dumps({"id": BAD, "text": BAD}) + "\n")
    code, out, err = command(
        "predict", "out/other/1/model", str(questions), "--task", "own", cwd=home / "work", home=home
    )
    assert code == 0 and json.loads(out)["id"] == BAD, err
    printed["predict"] = out + err
    questions.write_text('{"text": 3, "id": "' + BAD.replace("\x1b", "\\u001b").replace("\x07", "") + '"}\n')
    code, out, err = command(
        "predict", "out/joint/1/model", str(questions), "--task", "own", cwd=home / "work", home=home
    )
    assert code == 2
    printed["predict refuses"] = out + err
    return home / "work" / "out", printed


def test_nothing_hostile_reaches_the_terminal(hostile):
    _, printed = hostile
    for name, text in printed.items():
        assert clean(text), (name, text)
    assert "שלום 👩\u200d💻" in printed["check"] and "\\x1b]0;owned" in printed["check"]
    assert BAD in json.loads(printed["check --json"])["question"]


def test_nothing_hostile_is_in_a_page_or_a_table(hostile):
    out, _ = hostile
    paths = [out / "report.html", *out.glob("tables/*"), *out.glob("figures/*.svg"), *out.glob("*/*/model/README.md")]
    assert len(paths) > 8
    for path in paths:
        assert clean(path.read_bytes().decode()), path
    for path in out.glob("tables/*.csv"):
        for row in csv.reader(io.StringIO(path.read_bytes().decode(), newline="")):
            assert all(cell[:1] not in tables.FORMULA or tables._is_number(cell) for cell in row if cell)


def test_tables_that_programs_read_keep_their_names(hostile):
    out, _ = hostile
    rows = list(csv.DictReader(io.StringIO((out / "tables" / "scores.csv").read_bytes().decode(), newline="")))
    assert {row["arm"] for row in rows} == {"joint", "other"}
    assert all(row["undefined"] if row["score"] == "" else 0 <= float(row["score"]) <= 1 for row in rows)


def test_what_is_left_behind_names_no_user_and_no_machine(hostile):
    out, _ = hostile
    secret = ["ann-secret", platform.node()] + ([getpass.getuser()] if getpass.getuser() not in ("root", "") else [])
    kept = {out / "study.toml", *out.glob("*/*/model/config.json")}
    assert (out / "lock").is_file()
    for path in out.rglob("*"):
        if path.is_file() and path not in kept:
            content = path.read_bytes()
            assert not [name for name in secret if name.encode() in content], path


def test_a_failed_run_names_no_folder_of_a_user_and_shows_its_reason(tmp_path):
    home = tmp_path / "ann-secret"
    home.mkdir()
    rows = [f'"r{n}{BAD}","a fine film {n}",l{n % 2}' for n in range(10)]
    (home / "weighting").mkdir()
    (home / "weighting" / "wild.py").write_text(
        "from manyheads.weighting import Weighting\n\n\nclass Wild(Weighting):\n"
        '    """No number."""\n\n'
        "    def combine(self, losses):\n        return sum(losses.values()) * float('nan')\n"
    )
    (home / "d.csv").write_text("id,text,label\n" + "\n".join(rows) + "\n")
    text = STUDY.format(bad=TOML_BAD, rate="1e-3", clip="0", train="d.csv", head="classification")
    text = text.replace("[arms.other.training]\nepsilon = 1\n", 'weighting = { name = "wild" }\n')
    (home / "s.toml").write_text(text)
    code, out, err = command(
        "run", "s.toml", "--out", str(home / "out"), "--workers", "0", "--code", ".", cwd=home, home=home
    )
    assert code == 1 and "the batch held the examples" in err, (out, err)
    assert clean(out) and clean(err)
    record = (home / "out" / "other" / "1" / "record.json").read_text()
    content = json.loads(record)
    assert content["status"] == "failed" and "ann-secret" not in record and str(tmp_path) not in record
    assert 'File "manyheads/training/' in content["traceback"] and clean(content["traceback"])
    assert StudyResults.model_validate_json((home / "out" / "results.json").read_text()).failed
