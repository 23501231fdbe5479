"""What people bring to heads and readers: what is cut, the unit of scores, the positive class, other shapes of data."""

import json
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from command import call
from sklearn import metrics as oracle

from manyheads import registry
from manyheads.core.encoder_info import cut_off
from manyheads.core.problems import StudyError
from manyheads.core.tensors import States
from manyheads.core.values import Places
from manyheads.datasets.conll import Conll
from manyheads.datasets.table import OwnTable
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.heads import _classification_checks, _tagging_checks
from manyheads.heads.classification import Classification
from manyheads.heads.multiple_choice import MultipleChoice
from manyheads.heads.regression import Regression
from manyheads.metrics import conlleval
from manyheads.metrics.resampled import score
from manyheads.results.reader import read_results
from manyheads.study.estimate import planned
from manyheads.study.parser import read_study
from manyheads.study.tasks import read_tasks

PEOPLE = Path(__file__).resolve().parents[3] / "shared" / "cases" / "people"
BAG = '[encoder]\nname = "bag_of_words"\n'


def case(name, folder):
    """A copy of a person's folder."""
    if not (PEOPLE / name).is_dir():
        pytest.skip(f"needs the folder {PEOPLE / name}, which is not there")
    shutil.copytree(PEOPLE / name, folder / name)
    return folder / name / "study.toml"


def check(study):
    code, out, err = call("check", study)
    return code, " ".join((out + err).split())


def study(folder, files, dataset, head, more="", seeds="[1]"):
    """A study of one task, `own`, in a folder with these files."""
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    path = folder / "study.toml"
    task = f"[tasks.own]\ndataset = {dataset}\nhead = {head}\n"
    path.write_text(
        f'seeds = {seeds}\nbudget = {{ steps = 3 }}\n{BAG}{task}{more}[arms.alone]\nmodels = "one per task"\n'
    )
    return path


def csv(rows, header="text,label"):
    return "\n".join([header, *rows]) + "\n"


TWO = '{ name = "table", train = "train.csv", validation = "dev.csv" }'


@pytest.fixture(scope="module")
def tokenizer(minilm):
    return PretrainedTokenizer(minilm)


# ---- What is cut ----

LONG = " ".join(f"word{number}" for number in range(700))


@pytest.mark.parametrize("pair", [None, "a short second text", LONG])
@pytest.mark.parametrize("overflow", ["truncate", "head_tail", "windows"])
def test_sequences_are_as_long_as_the_companion_says(tokenizer, pair, overflow):
    class Counter:
        def pieces(self, texts):
            return [len(one.ids) for one in tokenizer.pieces(texts)]

        def special(self, pair):
            return -tokenizer.room(pair, 0)

    for text in ("tiny", LONG[:400], LONG):
        example = {"text": text} if pair is None else {"text": text, "text_pair": pair}
        settings = {"max_length": 96, "overflow": overflow, "stride": None, "window_pooling": "mean"}
        (encoded,) = Classification(4, ["a", "b"], **settings).encode([example], tokenizer)
        sizes = [[len(one.ids) for one in encoded.inputs]]
        assert sizes == _classification_checks.lengths([example], Counter(), settings)
        pieces = sum(Counter().pieces([one for one in (text, pair) if one is not None]))
        assert _classification_checks.cuts([example], Counter(), settings) == [(pieces, encoded.truncated)]
        assert overflow != "windows" or pair is not None or encoded.truncated == 0


def test_head_and_tail_are_those_of_the_paper(tokenizer):
    ids = tokenizer.pieces([LONG])[0].ids
    (one,) = Classification(4, ["a", "b"], max_length=512, overflow="head_tail").encode([{"text": LONG}], tokenizer)
    assert one.inputs[0].ids[1:-1].tolist() == [*ids[:128], *ids[-382:]]
    assert one.truncated == len(ids) - 510
    (short,) = Classification(4, ["a", "b"], overflow="head_tail").encode([{"text": "short"}], tokenizer)
    (plain,) = Classification(4, ["a", "b"]).encode([{"text": "short"}], tokenizer)
    assert short.inputs[0].ids.tolist() == plain.inputs[0].ids.tolist()


def test_windows_hold_every_piece_and_begin_a_stride_apart(tokenizer):
    head = Classification(4, ["a", "b"], max_length=34, overflow="windows", stride=20)
    ids = tokenizer.pieces([LONG])[0].ids.tolist()
    (one,) = head.encode([{"text": LONG}], tokenizer)
    for number, window in enumerate(one.inputs):
        assert window.ids[1:-1].tolist() == ids[20 * number : 20 * number + 32]
    assert 20 * (len(one.inputs) - 1) + 32 >= len(ids) and one.truncated == 0
    assert head.counts([one, *head.encode([{"text": "short"}], tokenizer)]) == {
        "windows": len(one.inputs) + 1,
        "windowed": 1,
    }


def test_windows_of_a_pair_lie_over_its_longer_text(tokenizer):
    head = Classification(4, ["a", "b"], max_length=40, overflow="windows")
    short = tokenizer.pieces(["when does it sail"])[0].ids.tolist()
    for example in ({"text": "when does it sail", "text_pair": LONG}, {"text": LONG, "text_pair": "when does it sail"}):
        (one,) = head.encode([example], tokenizer)
        assert len(one.inputs) > 2 and one.truncated == 0
        for window in one.inputs:
            second = int(example["text_pair"] != LONG)
            assert window.ids[window.token_types == second].tolist()[1 - second : -1] == short


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_states_of_windows_are_pooled_by_hand(pooling):
    torch.manual_seed(0)
    head = Classification(4, ["a", "b"], dropout=0.0, overflow="windows", window_pooling=pooling)
    if pooling == "attention":
        assert torch.equal(head.query, torch.zeros(4))
        with torch.no_grad():
            head.query.copy_(torch.tensor([0.5, -1.0, 2.0, 0.0]))
    states = torch.randn(7, 4)
    found = head(States((states,), (2, 3, 2)), (2, 1)).detach().numpy()
    first, alone = states[[0, 2]].numpy().astype(np.float64), states[5].numpy()
    weights = np.exp(first @ np.array([0.5, -1.0, 2.0, 0.0]))
    by_hand = {"mean": first.mean(0), "max": first.max(0), "attention": weights / weights.sum() @ first}[pooling]
    weight, bias = (one.detach().numpy() for one in (head.output.weight, head.output.bias))
    assert found == pytest.approx(np.stack([by_hand, alone]) @ weight.T + bias, abs=1e-6)


def test_windows_that_would_lie_apart_are_refused(tokenizer, tmp_path):
    with pytest.raises(
        StudyError, match=r"windows would lie apart.*stride 95, room 94 of max_length 96. Choose at most 94"
    ):
        Classification(4, ["a", "b"], max_length=96, overflow="windows", stride=95).encode([{"text": LONG}], tokenizer)
    head = '{ name = "classification", max_length = 2, overflow = "windows" }'
    path = study(tmp_path, {"train.csv": csv(["a,x", "b,y"]), "dev.csv": csv(["c,x", "d,y"])}, TWO, head)
    path.write_text(path.read_text().replace(BAG, '[encoder]\nmodel = "minilm"\n'))
    code, text = check(path)
    assert code == 2 and "Choose a larger max_length" in text


def test_long_documents(tmp_path, tokenizer):
    path = case("long-documents", tmp_path)
    code, text = check(path)
    rows = OwnTable(Places(path.parent), train="train.csv").read("train").rows["text"][:]
    sizes = [len(one.ids) for one in tokenizer.pieces(rows)]
    share = round(100 * sum(max(0, size - 126) for size in sizes) / sum(sizes))
    assert code == 0 and f"max_length = 128 cuts {share} % of the word pieces (40 of 40 sampled examples)" in text
    assert "tasks.own (validation): max_length = 128 cuts 83 %" in text
    for remedy, left in (('overflow = "windows"', False), ('overflow = "head_tail"', True)):
        other = path.with_name("other.toml")
        other.write_text(path.read_text().replace('name = "classification"', f'name = "classification", {remedy}'))
        code, text = check(other)
        assert code == 0 and ("cuts 83 %" in text) == left


def test_what_was_cut_is_a_warning_of_the_results(tmp_path):
    rows = [f"{'very ' * 20}good,yes", f"{'very ' * 20}bad,no"] * 4
    path = study(
        tmp_path, {"train.csv": csv(rows), "dev.csv": csv(rows)}, TWO, '{ name = "classification", max_length = 8 }'
    )
    path.write_text(path.read_text().replace(BAG, '[encoder]\nmodel = "minilm"\nlayers = 1\n'))
    code, out, err = call("run", path, "--out", tmp_path / "out")
    assert code == 0, out + err
    (task,) = read_results(tmp_path / "out").tasks.values()
    # 6 of 21 pieces stay.
    assert any("(train): max_length = 8 cuts 71 % of the word pieces (8 of 8 examples)" in one for one in task.warnings)
    assert any("(validation): max_length = 8 cuts 71 %" in one for one in task.warnings)
    assert "cuts 71 %" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("head", ["multiple_choice", "tagging", "span"])
def test_the_cuts_of_other_heads_are_counted_as_encoding_counts_them(head, tokenizer):
    class Counter:
        def pieces(self, texts):
            return [len(one.ids) for one in tokenizer.pieces(texts)]

        def special(self, pair):
            return -tokenizer.room(pair, 0)

    example = {
        "text": LONG, "choices": ["a", LONG, "b c"], "words": ["x" * 99, "short"], "question": LONG, "context": "It.",
    }  # fmt: skip
    entry, checks = registry.describe("heads", head), registry.checks("heads", head)
    labels = ["a", "b"] if head == "tagging" else None
    settings = entry.resolved({"nullable": True} if head == "span" else {"max_word": 8} if head == "tagging" else {})
    made = registry.load("heads", head)(4, labels, **settings)
    (one,) = made.encode([example], tokenizer)
    ((pieces, cut),) = checks.cuts([example], Counter(), settings)
    assert 0 < one.truncated == cut < pieces
    setting = registry.constant("heads", head, "cut_by")
    (warning,) = cut_off(setting, settings[setting], [(pieces, cut)], "here", overflow="")
    assert f"{setting} = {settings[setting]} cuts" in str(warning) and "overflow" not in str(warning)


def test_a_little_that_is_cut_is_no_warning():
    assert cut_off("max_length", 8, [(10, 0)] * 19 + [(12, 1)], "here", overflow="") == []
    assert len(cut_off("max_length", 8, [(10, 0)] * 18 + [(11, 1)] * 2, "here", overflow="")) == 1


# ---- Scores in any unit ----

PRICES = [f"house number {number},{number * 1000.0}" for number in range(1, 50)]


def test_a_regression_is_scaled_by_what_it_trains_on(tmp_path):
    files = {"train.csv": csv(PRICES), "dev.csv": csv(PRICES[:9])}
    data = TWO.replace("}", ', target = "number" }')
    path = study(tmp_path, files, data, '{ name = "regression" }', more="examples = 30\n")
    task = read_tasks(read_study(path), None)["own"]
    labels = task.train.rows["label"][:]
    assert len(labels) == 30
    settings = task.task.head.settings
    assert settings["center"] == pytest.approx(statistics.fmean(labels))
    assert settings["spread"] == pytest.approx(statistics.pstdev(labels))
    head = Regression(4, None, **settings)
    outputs = torch.tensor([(value - settings["center"]) / settings["spread"] for value in labels])
    assert head.loss(outputs * 0, torch.tensor(labels), ()).item() == pytest.approx(1, rel=1e-5)  # of the mean: 1
    assert [one["value"] for one in head.decode(outputs, [])] == pytest.approx(labels, rel=1e-5)
    (note,) = planned(path, None, None)["tasks"]["own"]["notes"]
    assert f"(label - {settings['center']:,.6g})" in note


@pytest.mark.parametrize(
    ("given", "settled"),
    [("center = 0, spread = 1", (0, 1)), ("center = 5", (5, None)), ("low = 0, high = 50000", (0.0, 1.0))],
)
def test_what_is_set_is_not_settled(given, settled, tmp_path):
    files = {"train.csv": csv(PRICES), "dev.csv": csv(PRICES[:9])}
    data = TWO.replace("}", ', target = "number" }')
    path = study(tmp_path, files, data, f'{{ name = "regression", {given} }}')
    found = read_tasks(read_study(path), None)["own"].task.head.settings
    assert found["center"] == settled[0] and (settled[1] is None or found["spread"] == settled[1])
    unscaled = settled == (0, 1) or "low" in given
    assert (planned(path, None, None)["tasks"]["own"]["notes"] == []) == unscaled


def test_labels_that_are_all_the_same_have_a_spread(tmp_path):
    files = {"train.csv": csv(["a,3.0", "b,3.0"]), "dev.csv": csv(["c,3.0", "d,4.0"])}
    path = study(tmp_path, files, TWO.replace("}", ', target = "number" }'), '{ name = "regression" }')
    assert read_tasks(read_study(path), None)["own"].task.head.settings == {"center": 3.0, "spread": 1.0}


def test_a_range_and_a_center_are_refused():
    with pytest.raises(ValueError, match="the range scales the loss already"):
        Regression(4, None, low=0, high=5, center=2.0)


def test_runs_of_a_format_before_keep_their_unit(tmp_path):
    """As format 2 left them: no center, no spread; what is finished is so, and a new seed is trained as it was."""
    files = {"train.csv": csv(PRICES), "dev.csv": csv(PRICES[:9])}
    data = TWO.replace("}", ', target = "number" }')
    path = study(tmp_path, files, data, '{ name = "regression", center = 0, spread = 1 }')
    assert call("run", path, "--out", tmp_path / "out")[0] == 0
    (record,) = (tmp_path / "out").rglob("record.json")
    content = json.loads(record.read_text())
    content["format"] = 2
    content.pop("seal", None)
    head = content["settings"]["tasks"]["own"]["head"]["settings"]
    for key in ("center", "spread", "overflow", "stride", "window_pooling"):
        del head[key]
    record.write_text(json.dumps(content))
    path = study(tmp_path, files, data, '{ name = "regression" }', seeds="[1, 2]")
    code, out, err = call("run", path, "--out", tmp_path / "out")
    assert code == 0 and "own: center = 0.0, spread = 1.0, as its runs in" in " ".join((out + err).split())
    assert json.loads(record.read_text()) == content
    (other,) = [one for one in (tmp_path / "out").rglob("record.json") if one != record]
    settings = json.loads(other.read_text())["settings"]["tasks"]["own"]["head"]["settings"]
    assert (settings["center"], settings["spread"]) == (0.0, 1.0)
    # A folder of its own begins with what the data say.
    assert call("run", path, "--out", tmp_path / "fresh")[0] == 0
    records = [json.loads(one.read_text()) for one in (tmp_path / "fresh").rglob("record.json")]
    assert {one["settings"]["tasks"]["own"]["head"]["settings"]["center"] for one in records} == {25000.0}


# ---- The positive class ----


def test_f1_and_auc_are_about_the_class_that_is_named():
    generator = np.random.default_rng(0)
    gold = generator.choice(["fraud", "legit"], 60, p=[0.3, 0.7])
    sure = np.clip(generator.normal(0.4 + 0.2 * (gold == "fraud"), 0.2), 0.01, 0.99)
    answers = [
        {"label": "fraud" if p > 0.5 else "legit", "probabilities": {"fraud": float(p), "legit": 1 - float(p)}}
        for p in sure
    ]
    rows = [{"label": str(one)} for one in gold]
    found = [one["label"] for one in answers]
    for positive, likely in (("fraud", sure), ("legit", 1 - sure)):
        measures = Classification(4, ["fraud", "legit"], positive=positive).measures(answers, rows)
        assert score(measures["f1"]) == pytest.approx(oracle.f1_score(gold, found, pos_label=positive))
        assert score(measures["auc"]) == pytest.approx(oracle.roc_auc_score(gold == positive, likely))
    default = Classification(4, ["fraud", "legit"])
    assert default.positive == "legit" and Classification(4, ["a", "b", "c"]).positive is None
    assert np.array_equal(default.measures(answers, rows)["f1"].items, measures["f1"].items)
    for labels, says in (
        (["fraud", "legit"], "positive is not one of the labels"),
        (["a", "b", "c"], "for two labels"),
    ):
        with pytest.raises(ValueError, match=says):
            Classification(4, labels, positive="Fraud")


def test_positive_class(tmp_path):
    path = case("positive-class", tmp_path)
    code, text = check(path)
    assert code == 0 and "f1 and auc are about the class 'legit'" in text
    assert "f1 is about the class 'legit', the commoner one" in text and 'set positive = "fraud"' in text
    path.write_text(path.read_text().replace('metric = "f1"', 'metric = "f1", positive = "fraud"'))
    code, text = check(path)
    assert code == 0 and "f1 and auc are about the class 'fraud' (declared)" in text and "warning" not in text


@pytest.mark.parametrize(
    ("labels", "head", "warned"),
    [
        (["a"] * 2 + ["b"] * 6, 'metric = "auc"', True),
        (["a"] * 6 + ["b"] * 2, 'metric = "f1"', False),
        (["a"] * 2 + ["b"] * 6, 'metric = "accuracy"', False),
        (["a"] * 2 + ["b"] * 6, 'metric = "f1", positive = "b"', False),
    ],
)
def test_the_commoner_class_is_warned_of_where_it_matters(labels, head, warned, tmp_path):
    rows = [f"text {number},{label}" for number, label in enumerate(labels)]
    files = {"train.csv": csv(rows), "dev.csv": csv(["c,a", "d,b"])}
    path = study(tmp_path, files, TWO, f'{{ name = "classification", {head} }}')
    assert ("the commoner one" in check(path)[1]) == warned


def test_data_sets_with_a_convention_say_so():
    for name in registry.names("datasets"):
        assert registry.constant("datasets", name, "positive_is_last") == (name in ("glue", "imdb", "yelp_polarity"))


def test_the_report_names_the_positive_class(tmp_path):
    rows = ["good,yes", "bad,no"] * 4
    path = study(
        tmp_path, {"train.csv": csv(rows), "dev.csv": csv(rows)}, TWO, '{ name = "classification", positive = "no" }'
    )
    assert call("run", path, "--out", tmp_path / "out")[0] == 0
    assert read_results(tmp_path / "out").tasks["own"].positive == "no"
    assert "Positive class" in (tmp_path / "out" / "report.html").read_text("utf-8")


# ---- Tags of other schemes ----


def conll(folder, content, **settings):
    (folder / "train.txt").write_text(content, "utf-8")
    return Conll(Places(folder), train="train.txt", **settings).read("train")


BILOU = "Ann\tB-PER\nvan\tI-PER\nDyck\tL-PER\nsaw\tO\nLyon\tU-LOC\n"


@pytest.mark.parametrize(
    ("scheme", "content"),
    [
        ("bilou", BILOU),
        ("bmes", BILOU.replace("I-", "M-").replace("L-PER", "E-PER").replace("U-", "S-")),
        ("bmes", BILOU.replace("I-", "M-").replace("L-PER", "E-PER").replace("U-", "W-")),
    ],
)
def test_schemes_with_other_letters_are_refused_or_read(scheme, content, tmp_path):
    with pytest.raises(StudyError, match=f'Set scheme = "{scheme}", which reads them as BIOES'):
        conll(tmp_path, content)
    table = conll(tmp_path, content, scheme=scheme)
    assert table.rows["tags"][:] == [["B-PER", "I-PER", "E-PER", "O", "S-LOC"]]
    assert list(conlleval.chunks(table.rows["tags"][0])) == [("PER", 0, 3), ("LOC", 4, 5)]
    assert "are read and answered in BIOES" in str(table.warnings[0])
    assert conll(tmp_path, content, scheme="plain").rows["tags"][:] == [
        [one.split("\t")[1] for one in content.split("\n")[:-1]]
    ]


@pytest.mark.parametrize(
    ("tags", "meant"),
    [
        (["PER-B", "PER-I", "O"], "B-PER"),
        (["B__PER", "I__PER", "O"], "B-PER"),
        (["PER__B", "PER__I", "O"], "B-PER"),
        (["U_LOC", "O"], "S-LOC"),
        (["LOC_U", "LOC_B", "LOC_L", "O"], "S-LOC"),
    ],
)
def test_tags_in_other_forms_are_refused_with_what_to_write(tags, meant, tmp_path):
    with pytest.raises(StudyError, match=f"Did you mean '{meant}'"):
        conll(tmp_path, "".join(f"word {tag}\n" for tag in tags))
    # Of any other reader, the head says it.
    settings = registry.describe("heads", "tagging").resolved({})
    assert "the tags look like chunks" in (_tagging_checks.unfit(tags, settings) or "")
    assert _tagging_checks.unfit(tags, {**settings, "metric": "accuracy"}) is None


@pytest.mark.parametrize(
    "tags", [["NOUN", "VERB", "S"], ["B", "M"], ["NN-S", "NN-P", "VB-D"], ["U", "L"], ["M-x", "N-x"]]
)
def test_tags_that_are_no_chunks_stay_plain(tags, tmp_path):
    assert conll(tmp_path, "".join(f"word {tag}\n" for tag in tags)).labels == tuple(sorted(tags))
    assert _tagging_checks.unfit(tags, registry.describe("heads", "tagging").resolved({})) is None


def test_word_segmentation_without_types(tmp_path):
    content = "a B\nb M\nc E\nd S\n"
    with pytest.raises(StudyError, match='scheme = "bmes"'):
        conll(tmp_path, content)
    tags = conll(tmp_path, content, scheme="bmes").rows["tags"][0]
    assert list(conlleval.chunks(tags)) == [("", 0, 3), ("", 3, 4)]


def test_conll_biluo(tmp_path):
    path = case("conll-biluo", tmp_path)
    code, text = check(path)
    assert code == 2 and 'Set scheme = "bilou"' in text and text.startswith("1 problem")
    path.write_text(path.read_text().replace('name = "conll"', 'name = "conll", scheme = "bilou"'))
    code, text = check(path)
    assert code == 0 and "BIOES (declared)" in text


NUMBERED = {
    "number": [f"{row // 8}\tw{row}\tO" for row in range(64)],
    "place": [f"{row % 8 + 1}\tw{row}\tO" for row in range(64)],
    "beginning": [f"{'' if row % 8 else f'Sentence: {row // 8}'}\tw{row}\tO" for row in range(64)],
    "name": [f"s{row // 8}\tw{row}\tO" for row in range(64)],
}


@pytest.mark.parametrize("kind", NUMBERED)
def test_a_file_without_blank_lines_is_warned_of(kind, tmp_path):
    lines = [line.replace("\tO", "\tB-X") if not row else line for row, line in enumerate(NUMBERED[kind])]
    table = conll(tmp_path, "\n".join(lines), word_column=2)
    (warning,) = [str(one) for one in table.warnings if "one sentence of 64 words" in str(one)]
    assert f"Column 1 looks like the {kind} of" in warning and "put a blank line" in warning


def test_only_what_looks_like_it_is_called_a_number(tmp_path):
    lines = ["word B-X", *["word O"] * 50]
    assert "Are blank lines missing" in str(conll(tmp_path, "\n".join(lines)).warnings[-1])
    lines = [f"w{row} x{row} {'B-X' if row == 0 else 'O'}" for row in range(50)]
    assert "Are blank lines missing" in str(conll(tmp_path, "\n".join(lines)).warnings[-1])
    assert not any("one sentence" in str(one) for one in conll(tmp_path, "\n".join(lines[:30])).warnings)


def test_conll_sentence_number(tmp_path):
    code, text = check(case("conll-sentence-number", tmp_path))
    assert code == 0 and "train.conll: the file is one sentence of 255 words. Column 1 looks like the number" in text


def test_conll_comments(tmp_path):
    code, text = check(case("conll-comments", tmp_path))
    assert code == 2 and text.startswith("2 problems") and "Found '# sent_id = 0'. They look like comments" in text


@pytest.mark.parametrize("first", ["# a b c\n", "#\n", "# text = Ann is here\n"])
def test_comments_are_one_problem(first, tmp_path):
    content = f"{first}Ann\tB-PER\n\n{first}Bo\tB-PER\n"
    with pytest.raises(StudyError) as error:
        conll(tmp_path, content)
    (problem,) = error.value.problems
    assert "2 lines with #" in str(problem) and "Remove them" in str(problem)
    content = "".join(line + "\n" for line in content.splitlines() if not line.startswith("#"))
    assert len(conll(tmp_path, content).rows) == 2
    assert conll(tmp_path, "#\tO\nAnn\tB-PER\n").rows["words"][:] == [["#", "Ann"]]  # a word


# ---- JSON and cells of other shapes ----


def table(folder, content, name="data.json", **settings):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return OwnTable(Places(folder), train=name, **settings).read("train")


def refused(folder, content, name="data.json", **settings):
    with pytest.raises(StudyError) as error:
        table(folder, content, name, **settings)
    (problem,) = error.value.problems
    return str(problem)


ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
PARAGRAPH = {"context": "It is noon.", "qas": [
    {"id": "1", "question": "When?", "answers": [{"text": "noon", "answer_start": 6}]},
    {"id": "2", "question": "What?", "answers": [{"text": "It", "answer_start": 0}]},
]}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ([PARAGRAPH], "data.json"),
        ({"paragraphs": [PARAGRAPH]}, "data.json"),
        ([{"title": "t", "paragraphs": [PARAGRAPH]}], "data.json"),
        ({"data": [{"title": "t", "paragraphs": [PARAGRAPH]}]}, "data.json"),
        (json.dumps(PARAGRAPH) + "\n", "data.jsonl"),
    ],
)
def test_paragraphs_are_read_wherever_they_stand(content, name, tmp_path):
    rows = table(tmp_path, content, name).rows
    assert rows["question"][:] == ["When?", "What?"] and rows["id"][:] == ["1", "2"]
    assert [one["answer_start"] for one in rows["answers"][:]] == [[6], [0]]


def test_many_lines_of_paragraphs(tmp_path):
    lines = [{**PARAGRAPH, "qas": [{**one, "id": f"{n}{one['id']}"} for one in PARAGRAPH["qas"]]} for n in range(3)]
    assert len(table(tmp_path, "".join(json.dumps(one) + "\n" for one in lines), "data.jsonl").rows) == 6


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"train": [["a", "x"]], "val": [["b", "y"]]}, "one object of lists, such as one for each split"),
        ({"train": ROWS, "dev": ROWS}, "one object of lists, such as one for each split"),
        ({"text": ["a", "b"], "label": ["x", "y"]}, "one object with a list for each column"),
        ({"text": {"0": "a"}, "label": {"0": "x"}}, "one object, and each of its values another"),
        ({"version": 1, "examples": ROWS}, "its rows seem to stand in it under 'examples'"),
    ],
)
def test_one_object_is_refused_by_what_it_is(content, says, tmp_path):
    message = refused(tmp_path, content)
    assert says in message and "Write a file for each split" in message
    assert len(table(tmp_path, ROWS).rows) == len(table(tmp_path, {"data": ROWS}).rows) == 2


@pytest.mark.parametrize("indent", [None, 1])
def test_one_row_is_a_row(indent, tmp_path):
    answers = [{"text": "noon", "answer_start": 6}, {"text": "It", "answer_start": 0}]
    row = {"question": "When?", "context": "It is noon.", "answers": answers}
    assert len(table(tmp_path, json.dumps(row, indent=indent)).rows) == 1


def test_a_dict_in_a_cell(tmp_path):
    cell = "\"{'text': ['noon'], 'answer_start': [6]}\""
    message = refused(tmp_path, csv([f"When?,It is noon.,{cell}"] * 2, "question,context,answers"), "data.csv")
    assert "objects that were printed as text" in message and "lines=True" in message


def test_answers_without_a_start(tmp_path):
    header, columns = "question,context,answer", {"answers": "answer"}
    message = refused(tmp_path, csv(["When?,It is noon.,noon"] * 2, header), "data.csv", columns=columns)
    assert 'columns = { answers = ["answer", "answer_start"] }' in message
    content = csv(["When?,It is noon.,noon,6"] * 2, f"{header},answer_start")
    assert len(table(tmp_path, content, "data.csv", columns={"answers": ["answer", "answer_start"]}).rows) == 2


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("names", [("tokens", "ner_tags"), ("words", "labels")])
@pytest.mark.parametrize("mapped", [False, True])
def test_lists_of_words_and_tags(names, mapped, tmp_path):
    words, tags = names
    content = lines({words: ["A", "b"], tags: ["O", "O"]}, {words: ["C"], tags: [3]})
    columns = {"text": words, "label": tags} if mapped else {}
    assert 'dataset = { name = "conll"' in refused(tmp_path, content, "data.jsonl", columns=columns)


@pytest.mark.parametrize(
    "row",
    [
        {"text": "Ann is here", "label": [[0, 3, "PER"]]},
        {"text": "Ann is here", "entities": [{"start": 0, "end": 3, "label": "PER"}]},
        {"text": "Ann is here", "entities": [{"start_offset": 0, "end_offset": 3, "label": "PER"}]},
    ],
)
def test_entities_with_offsets(row, tmp_path):
    message = refused(tmp_path, lines(row, {**row, "text": "Bob is here"}), "data.jsonl")
    assert "entities with the characters where they begin and end" in message and "conll" in message


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("qa-csv-no-start", 2, 'answers = ["answer", "answer_start"]'),
        ("qa-paragraph-array", 0, "40 to train on, 10 reported"),
        ("json-lists", 2, "one object of lists, such as one for each split"),
        ("doccano-jsonl", 2, "entities with the characters where they begin and end"),
        ("hf-token-json", 2, '"tokens" and "ner_tags" hold a list each'),
    ],
)
def test_shapes_of_people(name, code, says, tmp_path):
    found, text = check(case(name, tmp_path))
    assert found == code and says in text


def test_multiple_choice_is_cut_as_before(tokenizer):
    """Of the heads that share a layer, one that has no choice of overflow."""
    (one,) = MultipleChoice(4, None, max_length=16).encode([{"text": LONG, "choices": ["a", "b"]}], tokenizer)
    assert [len(each.ids) for each in one.inputs] == [16, 16]
