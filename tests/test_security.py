"""What a file from somebody else may not do: run code, write outside the study's folder, reach the network, or become a
part of the report."""

import ast
import csv
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from browser import CHROMIUM, Page, browse
from command import call
from pyarrow import parquet
from results_example import hostile, results, study_results, write_metrics
from waiting import LIMIT

import manyheads
from conftest import STUDY
from manyheads import registry
from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets._hub import load
from manyheads.datasets.table import OwnTable
from manyheads.encoders.pretrained import Pretrained
from manyheads.inference import answer
from manyheads.report import html_page, plots, tables
from manyheads.study.parser import read_study

SOURCE = Path(manyheads.__file__).parent

# ---- the source ------------------------------------------------------------------------------------------------------

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "code", "runpy"}
CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "pickle.load", "os.system", "os.popen"}
OPENED = {"registry.py: exec_module"}
"""The one door for code: `--code FOLDER`, whose methods `find` imports by their path."""


def dangers(source: str, name: str = "x.py") -> set[str]:
    """What in a source could run code that is in data."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= {each for each in names if each.split(".")[0] in MODULES}
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found |= {called} & CALLS
            found |= {f"{name}: exec_module"} if called.endswith(".exec_module") else set()
            for keyword in node.keywords:
                value = ast.unparse(keyword.value)
                if keyword.arg in ("trust_remote_code", "allow_pickle", "shell") and value != "False":
                    found.add(f"{keyword.arg}={value}")
            # np.load and pyarrow refuse pickles unless they are told otherwise; a call says so, for the reader.
            if called == "np.load" and not any(keyword.arg == "allow_pickle" for keyword in node.keywords):
                found.add("np.load without allow_pickle=False")
    return found


def test_nothing_in_the_source_runs_what_data_hold():
    found = {danger for path in SOURCE.rglob("*.py") for danger in dangers(path.read_text("utf-8"), path.name)}
    assert found == OPENED


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from yaml import load", "eval('1')", "exec(code)", "torch.load(path)", "__import__(name)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)", "f(trust_remote_code=trusted)", "np.load(path)",
        "np.load(path, allow_pickle=True)", "subprocess.run(line, shell=True)", "spec.loader.exec_module(module)",
    ],
)  # fmt: skip
def test_each_danger_is_noticed(line):
    assert dangers(line)


def test_annotations_are_read_and_not_run(tmp_path):
    trap = tmp_path / "ran"
    (tmp_path / "code/weighting").mkdir(parents=True)
    (tmp_path / "code/weighting/mine.py").write_text(
        f"class Mine:\n    def __init__(self, tasks, *, a: open({str(trap)!r}, 'w') = 1,"
        " b: dict[str, int | None] = None, c: Literal['x', -1] = 'x', d: tuple[int, ...] = (),"
        " e: Other[int] = 1): ...\n"
    )
    settings = {one.name: one.type for one in registry.describe("weighting", "mine", tmp_path / "code").settings}
    assert not trap.exists()
    assert str(settings["b"]) == "dict[str, int | None]" and str(settings["c"]) == "typing.Literal['x', -1]"
    assert settings["a"] == settings["e"] == registry.Any and settings["d"] == tuple[int, ...]


# ---- a study runs no code --------------------------------------------------------------------------------------------

TRAP = "from pathlib import Path\nPath(__file__).with_name('ran').write_text('')\n"


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def refused(study: str, folder: Path, *arguments: str) -> str:
    (folder / "study.toml").write_text(study, "utf-8")
    said = ""
    for command in ("check", "run"):
        code, out, err = call(
            command, folder / "study.toml", *arguments, *(("--out", folder / "out")[: 2 * (command == "run")])
        )
        assert code == 2 and "Traceback" not in out + err
        said += err
    return said


def with_model(model: Path) -> str:
    return STUDY.format(tiny=model).replace("seeds    = [1, 2]", "seeds = [1]")


@pytest.mark.parametrize("kind", ["custom", "bert"])
def test_a_model_with_code_of_its_own_does_not_run_it(tmp_path, tiny, kind):
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    names = ("AutoConfig", "AutoModel", "AutoTokenizer")
    config |= {"model_type": kind, "auto_map": dict.fromkeys(names, "modeling_trap.Trap")}
    (folder / "config.json").write_text(json.dumps(config))
    about = json.loads((folder / "tokenizer_config.json").read_text())
    about |= {"auto_map": {"AutoTokenizer": ["modeling_trap.Trap", "modeling_trap.Trap"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    (folder / "modeling_trap.py").write_text(TRAP + "class Trap: ...\n")
    if kind == "bert":  # the library's own classes, which are as good
        assert Pretrained(Places(tmp_path), model=str(folder)).width == 32
    else:
        assert "not an encoder that manyheads can run. Found custom" in refused(with_model(folder), tmp_path)
    assert not (folder / "ran").exists()


def test_pickled_weights_are_refused_and_not_opened(tmp_path, tiny):
    folder = Path(shutil.copytree(tiny, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors")))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(folder / "ran")))
    said = refused(with_model(folder), tmp_path)
    assert "cannot be loaded" in said and "It needs weights as safetensors." in said
    assert "Or open pytorch_model.bin, a pickle, where you trust it, and save it with `save_pretrained`" in said
    assert not (folder / "ran").exists()
    with pickle.loads((folder / "pytorch_model.bin").read_bytes()):
        assert (folder / "ran").exists()  # so the trap would have shown it


def test_a_dataset_with_a_loading_script_does_not_run_it(tmp_path):
    (tmp_path / "org/name").mkdir(parents=True)
    (tmp_path / "org/name/name.py").write_text(
        TRAP + "import datasets\nclass Name(datasets.GeneratorBasedBuilder): ...\n"
    )
    study = (
        '[tasks.a]\ndataset = { name = "table", id = "org/name" }\nhead = { name = "classification" }\n[arms.x]\n'
        '[encoder]\nmodel = "minilm"\n'
    )
    said = refused(study, tmp_path, "--data", str(tmp_path))
    assert said.count("1 problem:\n") == said.count("cannot be read") == 2
    assert said.count("scripts are no longer supported, but found name.py") == 2
    assert not (tmp_path / "org/name/ran").exists()


def test_code_beside_a_study_is_not_found_without_being_asked_for(tmp_path):
    (tmp_path / "weighting").mkdir()
    (tmp_path / "weighting/mine.py").write_text(TRAP + "class Mine: ...\n")
    (tmp_path / "study.toml").write_text(STUDY.format(tiny="minilm") + 'weighting = { name = "mine" }\n')
    with pytest.raises(StudyError, match='there is no "mine"'):
        read_study(tmp_path / "study.toml")
    assert not (tmp_path / "weighting/ran").exists()


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/b", "..", "__init__", "_checks", "os", "", "a\\u0000b"])
def test_a_method_is_a_file_of_its_family_and_nothing_else(tmp_path, name):
    (tmp_path / "study.toml").write_text(STUDY.format(tiny="minilm") + f'weighting = {{ name = "{name}" }}\n')
    with pytest.raises(StudyError, match="there is no"):
        read_study(tmp_path / "study.toml")


def test_a_column_of_images_opens_nothing(tmp_path, monkeypatch):
    """The library would fetch the address, or open the file, that stands in the data."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cell = {"bytes": None, "path": "http://127.0.0.1:9/x.png"}
    columns = {"text": pa.array([cell], kind), "label": ["a"]}
    features = {"text": {"_type": "Image"}, "label": {"dtype": "string", "_type": "Value"}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    (tmp_path / "org/name").mkdir(parents=True)
    for path in ("a.parquet", "org/name/train.parquet"):
        parquet.write_table(pa.table(columns).replace_schema_metadata(about), tmp_path / path)
    with pytest.raises(StudyError, match='the column "text" holds neither texts nor numbers'):
        OwnTable(Places(tmp_path), train="a.parquet").read("train")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    assert load(Places(tmp_path, tmp_path), "org/name", "", "train").column_names == ["label"]


# ---- nothing is written elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["..", "../x", "/x", "a/b", ".x", "-x", "a\\u0000", "a b", "x" * 65, "", "ä", "a\\n", "CON/x"]
)
def test_names_cannot_leave_the_folder(tmp_path, name):
    text = STUDY.format(tiny="minilm")
    for changed in (
        text.replace("[arms.joint]", f'[arms."{name}"]'),
        text.replace("[tasks.food]", f'[tasks."{name}"]'),
    ):
        (tmp_path / "study.toml").write_text(changed)
        with pytest.raises(StudyError, match="not a name"):
            read_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    "place", ["joint", "joint/1", "joint/1/predictions", "joint/1/model", "alone/1/food", "tables"]
)
def test_a_link_in_the_results_is_not_followed(study_file, tmp_path, place):
    study_file.write_text(study_file.read_text("utf-8").replace("seeds    = [1, 2]", "seeds = [1]"), "utf-8")
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "out" / place
    elsewhere.mkdir()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    if place == "tables":
        (tmp_path / "out/results.json").write_text(json.dumps(results()))
        code, _, err = call("report", tmp_path / "out")
    else:
        code, _, err = call("run", study_file, "--out", tmp_path / "out")
    assert code == 2 and f"{link}: this is a link, and what is written there would be written elsewhere" in err
    assert list(elsewhere.iterdir()) == []


def test_files_that_are_links_are_replaced_and_not_written_through(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for name in ("report.html", "results.json"):
        (tmp_path / name).symlink_to("mine.txt")
    html_page.write(study_results(), tmp_path, figures=[])
    assert (tmp_path / "mine.txt").read_text() == "mine" and not (tmp_path / "report.html").is_symlink()


def test_what_a_terminal_obeys_is_not_printed(tmp_path):
    """An id can be in a message before anybody has looked at it."""
    name = "\x1b]0;owned\x07\u202e"
    row = json.dumps({"id": name, "label": [1]}) + "\n"
    (tmp_path / "gold.jsonl").write_text(row)
    files = ("--gold", tmp_path / "gold.jsonl", "--predictions", tmp_path / "gold.jsonl")
    code, out, err = call("score", "classification", *files)
    assert code == 2 and not set(name) & set("\x1b\x07\u202e") & set(out + err)
    assert r"(record \x1b]0;owned\x07\u202e)" in err


# ---- the report ------------------------------------------------------------------------------------------------------

MARKS = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'><svg/onload=alert(1)>", "</style><b>", "{{7*7}}",
    "</script>", "<!--", "]]>", "$question", "${command}", "\u202egnp.exe", "\u2066", "&lt;", "javascript:alert(1)",
    "<h1>",
)  # fmt: skip


def skeleton(page: str) -> list[tuple]:
    """Tags and the names of their attributes, in order: what a text of the data may not change."""

    class Skeleton(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, *sorted(name for name, _ in attrs)))

        def handle_comment(self, data):
            found.append(("comment", data))

    found: list[tuple] = []
    Skeleton().feed(page)
    return found


@pytest.mark.parametrize("mark", MARKS)
def test_no_text_of_the_data_becomes_a_part_of_the_page(tmp_path, mark):
    """Against the same page with a harmless mark: the same elements with the same attributes."""
    odd, plain = (
        html_page.render(hostile(study_results(), each), tmp_path, figures=[]) for each in (mark, "harmless!")
    )
    assert skeleton(odd) == skeleton(plain)
    assert "\u202e" not in odd and "\u2066" not in odd


@pytest.mark.parametrize("mark", MARKS[:5])
def test_no_text_of_the_data_becomes_a_part_of_a_figure(tmp_path, mark):
    write_metrics(tmp_path, steps=5)
    odd, plain = (plots.figures(hostile(study_results(), each), tmp_path) for each in (mark, "harmless"))
    assert [figure.name for figure in odd] == [figure.name for figure in plain] and odd
    for one in odd:
        tags = {element.tag.split("}")[-1] for element in ElementTree.fromstring(one.svg).iter()}
        assert tags <= {"svg", "g", "path", "text", "tspan", "defs", "style", "use", "clipPath", "rect"}
        assert "onerror" not in {key for element in ElementTree.fromstring(one.svg).iter() for key in element.attrib}


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")
def test_a_browser_runs_nothing_that_came_with_the_data(tmp_path):
    write_metrics(tmp_path, steps=5)
    page = html_page.render(hostile(study_results(), "".join(MARKS)), tmp_path)
    dom, console = browse(page, tmp_path)
    # Had the policy stopped anything, or a script of the data run, the console would say so. Ours ran: it sorts.
    assert console == "" and dom.count('<button type="button">') > 20
    assert Page(page).tags.count("script") == 1 and "default-src 'none'" in page


# ---- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1+1", "'+1+1"), ("-1+1", "'-1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"), ("＝1+1", "'＝1+1"), ("-0.5", "-0.5"), ("+1.25", "+1.25"), ("-1e-05", "-1e-05"), ("0.5",
        "0.5"),
        ("+1.2 helps", "'+1.2 helps"), ("-2|cmd", "'-2|cmd"), ("", ""), ("a=1", "a=1"), ("-", "'-"),
    ],
)  # fmt: skip
def test_a_spreadsheet_runs_no_cell(text, cell):
    written = tables.TextTable("", ["a"], [[text]]).csv()
    assert list(csv.reader(io.StringIO(written, newline="")))[1] == [cell]


@pytest.mark.parametrize("mark", ["=HYPERLINK(1)", "@x", "+1+1", "\r=1"])
def test_every_table_of_hostile_results_is_safe(mark):
    given = results()
    for about in given["arms"].values():
        about["label"] = mark
    for name, text in tables.tables(study_results(given)).items():
        if name.endswith(".csv"):
            for row in csv.reader(io.StringIO(text, newline="")):
                assert all(cell[:1] not in tables.FORMULA or tables._is_number(cell) for cell in row if cell)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"), ("a & b % c", r"a \& b \% c"), ("$x_1$",
        r"\$x\_1\$"),
        ("^^5cinput", r"\textasciicircum{}\textasciicircum{}5cinput"), ("#1~", r"\#1\textasciitilde{}"), ("a\n\nb",
        "a  b"),
    ],
)  # fmt: skip
def test_latex_runs_no_cell(text, written):
    assert tables._latex_text(text) == written


# ---- saved models ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory, tiny) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    (folder / "s.toml").write_text(with_model(tiny).replace("steps = 6", "steps = 1"))
    assert call("run", folder / "s.toml", "--out", folder / "out")[0] == 0
    return folder / "out/joint/1/model"


def test_a_model_that_declares_more_than_it_holds_takes_no_memory(saved, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    config["hidden_size"] = 2_000_000  # 250 GB of words alone
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(StudyError, match=r"hidden_size of its config\.json should be from 1 to 65536"):
        list(answer(folder, ["food"], os.devnull, verify=False))


@pytest.mark.parametrize(
    "change",
    [
        lambda ours: ours["encoder"].update(name="../../evil"),
        lambda ours: ours["tasks"]["food"]["head"].update(name="os"),
        lambda ours: ours.pop("tasks"), lambda ours: ours["encoder"]["settings"].update(weights="x"),
        lambda ours: ours.clear(),
    ],
)  # fmt: skip
def test_a_model_whose_description_was_changed_is_refused(saved, tmp_path, change):
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    change(config["manyheads"])
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(StudyError):
        list(answer(folder, ["food"], os.devnull))


# ---- no network ------------------------------------------------------------------------------------------------------

NO_NETWORK = """
import pathlib, socket
def refuse(*arguments, **named):
    with pathlib.Path({log!r}).open("a") as file:
        file.write(repr(arguments[-1:]) + "\\n")
    raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


@pytest.mark.slow
def test_check_and_run_do_without_a_network(study_file, tmp_path):
    """With a local encoder and data of our own nothing is even tried, though the library is not told to be offline."""
    log, site = tmp_path / "tried", tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NO_NETWORK.format(log=str(log)))
    text = study_file.read_text("utf-8").replace("seeds    = [1, 2]", "seeds = [1]").replace("steps = 6", "steps = 1")
    study_file.write_text(text, "utf-8")
    environment = {
        key: value for key, value in os.environ.items() if key not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    }
    environment |= {"PYTHONPATH": str(site), "HF_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    code = (
        "import sys; from manyheads.cli import app; study, out = sys.argv[1:]\n"
        "app(['check', study], standalone_mode=False); app(['run', study, '--out', out], standalone_mode=False)"
    )
    command = [sys.executable, "-c", code, str(study_file), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/report.html").is_file()
    assert not log.exists(), log.read_text()
    tried = [sys.executable, "-c", "import socket; socket.create_connection(('localhost', 9))"]
    assert subprocess.run(tried, env=environment, capture_output=True).returncode and log.exists()
