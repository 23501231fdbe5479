"""What people bring: what is named is used or refused, what is declared stands, and a refusal shows the way out.

Each way out that a refusal names is taken here, and the study is then sound.
"""

import csv
import json
import shutil
from pathlib import Path

import pytest
from bad_input_case import toml
from command import call

from manyheads.core.problems import StudyError
from manyheads.study.estimate import planned, planned_lines
from manyheads.study.parser import read_study
from manyheads.study.tasks import read_tasks

CASES = Path(__file__).parents[3] / "shared" / "cases" / "people"


def read(folder, dataset, head="classification", **settings):
    """The data of a study of one task."""
    lines = [f"[tasks.own]\ndataset = {toml({'name': 'table', 'train': 'train.csv'} | dataset)}"]
    lines += [f"head = {toml({'name': head} if isinstance(head, str) else head)}"]
    lines += [f"{name} = {toml(value)}" for name, value in settings.items()]
    file = folder / "study.toml"
    file.write_text("budget = { steps = 2 }\n" + "\n".join(lines) + '\n[arms.alone]\nmodels = "one per task"\n')
    return read_tasks(read_study(file), None)["own"]


def refused(folder, dataset, head="classification", **settings):
    with pytest.raises(StudyError) as caught:
        read(folder, dataset, head, **settings)
    return str(caught.value)


def told(data):
    return "\n".join(data.summary.warnings)


@pytest.fixture
def files(tmp_path):
    """Writes the rows of a train and a dev file, whose header comes first, and returns their folder."""

    def write(header, *rows, dev=None, name="csv"):
        for split, given in (("train", rows), ("dev", rows if dev is None else dev)):
            (tmp_path / f"{split}.{name}").write_text("\n".join([header, *given]) + "\n", "utf-8")
        return tmp_path

    return write


BOTH = {"validation": "dev.csv"}


# ---- 1: a column that is named is used, all of it, or refused --------------------------------------------------------


def test_several_columns_are_one_text(files):
    folder = files("title,body,label", "A,b c,x", "D,,y", ",e,x")
    texts = read(folder, BOTH | {"columns": {"text": ["title", "body"]}}).train.rows["text"][:]
    assert texts == ["A b c", "D", "e"]
    texts = read(folder, BOTH | {"columns": {"text": ["body", "title"]}, "join": " | "}).train.rows["text"][:]
    assert texts == ["b c | A", "D", "e"]


def test_a_row_of_which_every_part_is_empty_is_named(files):
    folder = files("title,body,label", "A,b,x", ",,y")
    assert 'train.csv:3: "title + body" is empty' in refused(folder, BOTH | {"columns": {"text": ["title", "body"]}})


@pytest.mark.parametrize("ours", ["label", "id", "cluster"])
def test_what_is_one_column_takes_no_list(files, ours):
    folder = files("text,label,more", "a,x,1", "b,y,2")
    found = refused(folder, BOTH | {"columns": {ours: ["label", "more"]}})
    assert f"columns.{ours}: {ours} takes one column" in found


@pytest.mark.parametrize("theirs", [[], [""], ["text", ""]])
def test_no_column_is_not_a_list(files, theirs):
    folder = files("text,label", "a,x", "b,y")
    assert 'text = ""' in refused(folder, BOTH | {"columns": {"text": theirs}})


@pytest.mark.parametrize(
    ("head", "ours", "way"),
    [
        ("multiple_choice", "text_pair", {"text": ["text", "more"]}),
        ("classification", "choices", {"text": ["text", "more"]}),
        ("classification", "question", {"text": "more"}),
    ],
)
def test_a_head_that_does_not_read_a_named_column_says_so(files, head, ours, way):
    choices = {"choices": ["one", "two"]} if head == "multiple_choice" else {}
    folder = files("text,more,one,two,label", "a,b,c,d,0", "e,f,g,h,1")
    found = refused(folder, BOTH | {"columns": {ours: "more", **choices}}, head)
    assert f"columns.{ours}: the head {head} does not read {ours}" in found and "more" in found
    assert "b" in read(folder, BOTH | {"columns": {**way, **choices}}, head).train.rows["text"][0]


def test_a_column_that_only_happens_to_be_called_so_does_not_matter(files):
    folder = files("text,label,choices,answers,cluster", "a,x,c;d,e,1", "b,y,c;d,e,1")
    assert read(folder, BOTH).train.rows.column_names == ["id", "text", "label"]
    (folder / "train.jsonl").write_text('{"text": "a", "text_pair": "b", "choices": ["c", "d"], "label": 0}\n' * 2)
    data = read(folder, {"train": "train.jsonl", "validation": "train.jsonl"}, "multiple_choice")
    assert '"text_pair" is not read by this head' in told(data)
    assert "text_pair" not in data.train.rows.column_names


# ---- 3: declared values stand ----------------------------------------------------------------------------------------


def test_a_declared_class_is_not_a_missing_label(files):
    folder = files("text,label", "a,-1", "b,0", "c,", "d,1", "e,-1")
    data = read(folder, BOTH | {"labels": ["-1", "0", "1"], "drop_unlabelled": True})
    assert data.train.rows["label"][:] == ["-1", "0", "1", "-1"] and data.train.dropped == {"no label": 1}
    data = read(folder, BOTH | {"label_names": {"-1": "down"}, "drop_unlabelled": True})
    assert data.train.rows["label"][:] == ["down", "0", "1", "down"]
    assert read(folder, BOTH | {"drop_unlabelled": True}).train.rows["label"][:] == ["0", "1"]


def test_numbers_that_are_missing_are_left_out_and_minus_one_is_a_number(files):
    folder = files("text,label", "a,-1", "b,", "c,2.5")
    assert "drop_unlabelled = true" in refused(folder, BOTH | {"target": "number"}, "regression")
    data = read(folder, BOTH | {"target": "number", "drop_unlabelled": True}, "regression")
    assert data.train.rows["label"][:] == [-1.0, 2.5] and data.train.dropped == {"no label": 1}


def test_a_minus_beside_a_plus_is_a_class(files):
    folder = files("text,label", "a,+", "b,0", "c,-")
    assert read(folder, BOTH).train.rows["label"][:] == ["+", "0", "-"]
    folder = files("text,label", "a,yes", "b,no", "c,-")
    data = read(folder, BOTH)
    assert data.train.labels == ("no", "yes") and '1 of 3 rows have the label "-" and are not read' in told(data)


def test_the_files_own_header_is_not_a_row(files):
    folder = files("text,label", "a,x", "b,y", "c,x", "d,y")
    assert "leave `header` out" in refused(folder, BOTH | {"header": ["text", "label"]})
    data = read(folder, BOTH | {"header": ["text", "tone"], "columns": {"label": "tone"}})
    assert data.train.rows["text"][:] == ["a", "b", "c", "d"] and len(data.reported.rows) == 4
    assert any("own header" in reason for reason in data.summary.dropped)
    folder = files("review,stars", *(f"t{i},{i % 2}" for i in range(8)))
    data = read(folder, BOTH | {"header": ["text", "label"]})
    assert "the first line may be the file's own header" in told(data)
    assert not read(files("a,x", "b,y", "c,x"), BOTH | {"header": ["text", "label"]}).summary.dropped


# ---- 6: numbers and labels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["1.00", "1.25", "3.50"], "are numbers with a decimal point"),
        (["joy", "fear", "joy,fear"], "as if a cell held several labels"),
        (["a", "b", "a|b"], "as if a cell held several labels"),
        (["caf\u00e9", "cafe\u0301", "tea"], "accents are composed in one"),
        (["yes", "no", "NaN"], "programs write it where there is no label"),
        (["yes", "no", "N/A"], "programs write it where there is no label"),
    ],
)
def test_labels_that_are_probably_not_meant_so_are_warned_of(files, labels, says):
    rows = [f'text {row},"{label}"' for row, label in enumerate(labels)]
    assert says in told(read(files("text,label", *rows), BOTH))
    declared = read(files("text,label", *rows), BOTH | {"labels": labels})
    assert "composed" in says or says not in told(declared)


def test_quotes_that_a_program_wrote_are_warned_of_and_the_way_out_reads_them(files):
    rows = ['"He said ""no"""\tx', "plain\ty", '"all of it"\tx', "other\ty"]
    folder = files("text\tlabel", *rows, name="tsv")
    given = {"train": "train.tsv", "validation": "dev.tsv"}
    data = read(folder, given)
    assert data.train.rows["text"][0] == '"He said ""no"""' and '2 texts of "text" in quotes' in told(data)
    data = read(folder, given | {"format": "csv", "separator": "\t"})
    assert data.train.rows["text"][:] == ['He said "no"', "plain", "all of it", "other"] and "quotes" not in told(data)


@pytest.mark.parametrize("sign", [";", "|"])
def test_columns_that_something_else_separates(files, sign):
    folder = files(f"text{sign}label", f'"a, b"{sign}x', f'"c{sign}d"{sign}y')
    assert f'separator = "{sign}"' in refused(folder, BOTH)
    assert f'separator = "{sign}"' in refused(files(f"text{sign}label", f"a{sign}x"), BOTH)
    folder = files(f"text{sign}label", f'"a, b"{sign}x', f'"c{sign}d"{sign}y')
    assert read(folder, BOTH | {"separator": sign}).train.rows["text"][:] == ["a, b", f"c{sign}d"]


def test_classes_that_a_few_examples_leave_without_one_are_named(files):
    data = read(files("text,label", *(f"t{i},c{i}" for i in range(9))), BOTH, examples=4)
    lost = set(data.train.labels) - set(data.train.rows["label"][:])
    assert len(lost) == 5 and "examples = 4 leaves 5 of 9 classes without an example" in told(data)
    assert "leaves" not in told(read(files("text,label", *["a,x", "b,y"] * 4), BOTH, examples=7))


# ---- 8: what is held out ---------------------------------------------------------------------------------------------


def test_a_part_is_held_out_once_for_all_each_class_in_its_share(files):
    rows = [f"text {i},{'rare' if i % 10 == 0 else 'common'}" for i in range(200)]
    folder = files("text,label", *rows)
    held = {"validation": 0.2, "test": 0.1}
    data = read(folder, {}, hold_out=held)
    again = read(folder, {}, hold_out=held, report="test")
    assert data.split == "validation" and again.split == "test"
    parts = [data.train.rows["id"][:], data.reported.rows["id"][:], again.reported.rows["id"][:]]
    assert again.train.rows["id"][:] == parts[0] and sum(map(len, parts)) == 200 == len(
        {*parts[0], *parts[1], *parts[2]}
    )
    assert [len(part) for part in parts[1:]] == [40, 20]
    assert data.reported.rows["label"][:].count("rare") == 4 and again.reported.rows["label"][:].count("rare") == 2


def test_rows_of_one_cluster_stay_together(files):
    rows = [f"text {i},{'xy'[i % 2]},thread {i // 3}" for i in range(120)]
    dataset = {"columns": {"cluster": "thread"}}
    data = read(files("text,label,thread", *rows), dataset, hold_out={"validation": 0.25})
    ours, theirs = (set(table.rows["cluster"][:]) for table in (data.train, data.reported))
    assert not ours & theirs and len(ours | theirs) == 40
    assert len(data.reported.rows) == 30 and abs(data.reported.rows["label"][:].count("x") - 15) <= 1


def test_a_row_without_a_cluster_is_one_of_its_own(files):
    folder = files("text,label,thread", "a,x,t", "b,y,t", "c,x,", "d,y,")
    clusters = read(folder, BOTH | {"columns": {"cluster": "thread"}}).train.rows["cluster"][:]
    assert clusters[0] == clusters[1] and len(set(clusters)) == 3


@pytest.mark.parametrize(("share", "says"), [(1.0, "less than 1"), (0.0, "more than 0"), ("a", "number")])
def test_shares_have_a_range(files, share, says):
    assert says in refused(files("text,label", "a,x", "b,y"), {}, hold_out={"validation": share})


def test_what_is_there_is_not_held_out_again(files):
    found = refused(files("text,label", "a,x", "b,y"), BOTH, hold_out={"validation": 0.5})
    assert 'hold_out.validation: there is a split "validation" already' in found
    found = refused(files("text,label", "a,x", "b,y"), {}, hold_out={"validation": 0.5, "test": 0.5})
    assert "nothing is left to train on" in found


def test_scores_on_train_are_refused_or_marked(files):
    folder = files("text,label", "a,x", "b,y", "c,x", "d,y")
    assert "hold_out = { validation = 0.2 }" in refused(folder, {})
    for asked in ({"report": "train"}, {}):
        dataset = {} if asked else {"reported": "train"}
        found = refused(folder, dataset, **asked)
        assert "hold_out = { validation = 0.2 }" in found and "allow_train = true" in found
        assert "SCORES ARE ON THE TRAINING DATA" in told(read(folder, dataset, allow_train=True, **asked))
        assert "Write `report`" in told(read(folder, dataset, allow_train=True, **asked)) or asked
    assert read(folder, {}, hold_out={"validation": 0.5}).split == "validation"


def test_scores_on_train_are_marked_where_the_answer_stands(files):
    rows = [f"a {word} film {i},{label}" for i in range(8) for word, label in (("fine", "x"), ("dull", "y"))]
    folder = files("text,label", *rows)
    read(folder, {}, report="train", allow_train=True)
    text = (folder / "study.toml").read_text() + '[arms.again]\n[encoder]\nname = "bag_of_words"\n'
    (folder / "study.toml").write_text('question = "Does it help?"\nseeds = [1, 2]\n' + text)
    code, out, err = call("run", folder / "study.toml", "--out", folder / "out", "--workers", "0")
    assert code == 0, err
    told = "SCORES ON THE TRAINING DATA (own), which show nothing of new examples. "
    assert told in out and json.loads((folder / "out" / "results.json").read_text())["answer"].startswith(told)
    assert told.strip() in (folder / "out" / "report.html").read_text("utf-8")


# ---- refusals and their ways out -------------------------------------------------------------------------------------

ROWS = ("a,x,1", "b,y,1", "c,x,2")
REFUSALS = {
    "an id that repeats": (("text,label,id", *ROWS), BOTH, {"columns": {"id": ""}}, 'columns = { id = "" }'),
    "an id that repeats, and groups": (
        ("text,label,id", *ROWS),
        BOTH,
        {"columns": {"id": "", "cluster": "id"}},
        'cluster = "id"',
    ),
    "an empty id": (("text,label,id", "a,x,", "b,y,2"), BOTH, {"columns": {"id": ""}}, 'columns = { id = "" }'),
    "one number in two ways": (
        ("text,label", "a,1.0", "b,1", "c,0"),
        BOTH,
        {"label_names": {"1": "1.0"}},
        'label_names = { "1" = "1.0" }',
    ),
    "more classes than anybody has": (
        ("text,label", *(f"t{i},c{i}" for i in range(1100))),
        BOTH,
        {"labels": [f"c{i}" for i in range(1100)]},
        "declare all with labels",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_the_way_out_of_a_refusal_leads_out(files, case):
    (header, *rows), dataset, way, says = REFUSALS[case]
    folder = files(header, *rows)
    assert says in refused(folder, dataset)
    read(folder, dataset | way)


@pytest.mark.parametrize("way", [{"labels": ["x", "y", "z"]}, {"unseen": "wrong"}])
def test_a_class_that_only_dev_has(files, way):
    folder = files("text,label", "a,x", "b,y", dev=["c,x", "d,z"])
    found = refused(folder, BOTH)
    assert "labels = [...]" in found and 'unseen = "wrong"' in found
    data = read(folder, BOTH | way)
    assert data.train.labels == data.reported.labels == ("x", "y", "z")
    assert 'label "z" is not in train and so cannot be learned. Found 1 reported row' in told(data)


def test_a_class_written_otherwise_in_dev(files):
    folder = files("text,label", "a,1.0", "b,0.0", dev=["c,1", "d,0"])
    found = refused(folder, BOTH)
    assert 'label_names = { "1.0" = "1" }' in found and 'label_names = { "0.0" = "0" }' in found
    data = read(folder, BOTH | {"label_names": {"1.0": "1", "0.0": "0"}})
    assert data.train.labels == ("0", "1") and data.reported.rows["label"][:] == ["1", "0"]


def test_classes_for_a_regression(files):
    folder = files("text,label", "a,1.00", "b,1.25", "c,2.5")
    found = refused(folder, BOTH, "regression")
    assert found.count('Set target = "number"') == 2 and "record" not in found
    assert read(folder, BOTH | {"target": "number"}, "regression").train.rows["label"][:] == [1.0, 1.25, 2.5]


@pytest.mark.parametrize(
    ("labels", "settings"),
    [(["1", "2", "1e19"], {}), (["1", "2", "-1e300"], {}), (["1", "2", "3"], {"center": 0.0, "spread": 1e-300})],
)
def test_labels_whose_squares_are_no_numbers_are_refused(files, labels, settings):
    folder = files("text,label", *(f"text {row},{label}" for row, label in enumerate(labels)))
    found = refused(folder, BOTH | {"target": "number"}, {"name": "regression", **settings})
    assert "its square no number" in found and "Divide the labels" in found


@pytest.mark.parametrize(
    ("written", "plain"),
    [("1,037", "1037"), ("1.234.567,5", "1234567.5"), ("12'000", "12000"), ("1 037,25", "1037.25"), ("3,5", "a point")],
)
def test_scores_with_separators(files, written, plain):
    found = refused(files("text,label", f'a,"{written}"', "b,2"), BOTH | {"target": "number"}, "regression")
    assert plain in found and ("a point" in found) == (plain == "a point")


def test_the_right_choice_by_its_text(files, tmp_path):
    rows = [{"text": "q", "choices": ["a", "b"], "label": "b"}, {"text": "r", "choices": ["c", "d", "e"], "label": "c"}]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = read(tmp_path, {"train": "train.jsonl", "validation": "train.jsonl"}, "multiple_choice")
    assert data.train.rows["label"][:] == ["1", "0"]
    rows[0]["choices"] = ["b", "b"]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = refused(tmp_path, {"train": "train.jsonl", "validation": "train.jsonl"}, "multiple_choice")
    assert "train.jsonl:1: the label is neither one of the 2 choices nor the number of one" in found


@pytest.mark.parametrize("header", ["v1,v2,,,", "v1,v2,note,note,"])
def test_names_of_columns_that_nobody_uses_do_not_matter(files, header):
    folder = files(header, "x,a,,,", "y,b,,,")
    data = read(folder, BOTH | {"columns": {"text": "v2", "label": "v1"}})
    assert data.train.rows["text"][:] == ["a", "b"]
    found = refused(files("text,text,label,,", "a,b,x,,", "c,d,y,,"), BOTH)
    assert 'two columns are called "text"' in found


@pytest.mark.parametrize(
    ("name", "says"), [("trian.csv", 'Did you mean "train.csv"?'), ("C:\\new\\t.csv", "single quotes")]
)
def test_a_file_that_is_not_there(files, name, says):
    found = refused(files("text,label", "a,x", "b,y"), BOTH | {"train": name})
    assert "looked in" in found and says in found and "Found" not in found


def test_a_type_of_chunks_that_only_dev_has(tmp_path):
    (tmp_path / "train.conll").write_text("Ann B-PER\nruns O\n\nBob B-PER\nsat O\n")
    (tmp_path / "dev.conll").write_text("Rome B-LOC\nis O\n\nAnn B-PER\nsat O\n")
    given = {"name": "conll", "train": "train.conll", "validation": "dev.conll"}
    found = refused(tmp_path, given, "tagging")
    assert "labels = [...]" in found and 'unseen = "wrong"' in found
    for way in ({"labels": ["O", "B-PER", "I-PER", "B-LOC"]}, {"unseen": "wrong"}):
        data = read(tmp_path, given | way, "tagging")
        assert data.reported.rows["tags"][0] == ["B-LOC", "O"]
    assert "1 words have one of 1 tags that train does not" in told(data) and "B-LOC" not in data.train.labels


@pytest.mark.parametrize("path", ["C:\\users\\d.csv", "data\\unlabelled\\d.csv", "D:\\data set\\x.tsv"])
def test_a_path_of_windows_that_is_no_text_of_toml(files, path):
    folder = files("text,label", "a,x", "b,y")
    read(folder, BOTH)
    text = (folder / "study.toml").read_text()
    for written, refusal in ((f'"{path}"', "not valid TOML"), (f"'{path}'", "no file")):
        (folder / "study.toml").write_text(text.replace('"train.csv"', written))
        with pytest.raises(StudyError) as caught:
            read_tasks(read_study(folder / "study.toml"), None)
        assert refusal in str(caught.value)
        assert ("single quotes" in str(caught.value)) is (refusal == "not valid TOML") or refusal == "no file"


# ---- the cases as people have them -----------------------------------------------------------------------------------

SAYS = {
    "choices-with-question": 'text = ["ONE", "OTHER"]',
    "comma-joined-labels": "as if a cell held several labels",
    "dev-only-label": 'unseen = "wrong"',
    "doccano-jsonl": "conll",
    "fasttext": "a tab, the text",
    "float-int-labels": 'label_names = { "1.0" = "1" }',
    "hf-token-json": "words, tags",
    "id-of-thread": 'columns = { id = "" }',
    "many-classes": "of 150 classes without an example",
    "multi-label-json": "make a task of each",
    "no-validation": "hold_out = { validation = 0.2 }",
    "pandas-tsv-quotes": 'separator = "\\t"',
    "regression-without-target": 'Set target = "number"',
    "score-thousands": "1037",
    "scores-as-classes": "numbers with a decimal point",
    "semicolon-csv": 'separator = ";"',
    "split-column": "train has the same input as some reported rows",
}
READS = {
    "classes-1200": lambda own: len(own.train.labels) == 1200,
    "duplicated-unused-columns": lambda own: own.train.labels is not None and not own.summary.dropped,
    "empty-extra-columns": lambda own: own.train.rows.column_names == ["id", "text", "label"],
    "mc-answer-text": lambda own: set(own.train.rows["label"][:]) <= {"0", "1", "2", "3"},
    "minus-one-class": lambda own: own.train.labels == ("-1", "0", "1") and own.train.dropped == {"no label": 8},
    "plus-minus": lambda own: own.train.labels == ("0", "+", "-") and not own.train.dropped,
    "two-text-columns": lambda own: len(own.train.rows["text"][0].split()) > 4,
    "unrelated-choices-column": lambda own: "choices" not in own.train.rows.column_names,
}


@pytest.mark.skipif(not CASES.is_dir(), reason="the folder ../shared/cases/people is not here")
@pytest.mark.parametrize("case", [*SAYS, *READS])
def test_a_case_as_people_have_it(case, tmp_path):
    folder = Path(shutil.copytree(CASES / case, tmp_path / "case"))
    try:
        tasks = read_tasks(read_study(folder / "study.toml"), None)
    except StudyError as error:
        assert case in SAYS and SAYS[case].lower() in str(error).lower(), str(error)
    else:
        (own,) = tasks.values()
        assert case in READS or SAYS[case] in told(own), told(own)
        assert case in SAYS or READS[case](own)


@pytest.mark.skipif(not CASES.is_dir(), reason="the folder ../shared/cases/people is not here")
def test_rows_without_a_number_are_left_out_of_their_task_alone():
    tasks = read_tasks(read_study(CASES / "partial-number" / "study.toml"), None)
    with (CASES / "partial-number" / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    stars = [float(row["stars"]) for row in rows if row["stars"]]
    assert tasks["stars"].train.rows["label"][:] == stars and len(tasks["mood"].train.rows) == len(rows)
    assert tasks["stars"].train.dropped == {"no label": len(rows) - len(stars)}


@pytest.mark.skipif(not CASES.is_dir(), reason="the folder ../shared/cases/people is not here")
def test_columns_that_the_study_names_decide_what_a_task_is():
    tasks = read_tasks(read_study(CASES / "squad-answerability" / "study.toml"), None)
    assert {"question", "context", "answers"} <= set(tasks["qa"].train.rows.column_names)
    rows = tasks["answerable"].train.rows
    assert set(rows.column_names) == {"id", "text", "text_pair", "label"} and len(tasks["answerable"].train.labels) == 2


@pytest.mark.skipif(not CASES.is_dir(), reason="the folder ../shared/cases/people is not here")
def test_a_plan_of_less_than_an_epoch_does_not_tell_of_repetitions():
    lines = "\n".join(planned_lines(planned(CASES / "round-robin-note" / "study.toml", None, None)))
    assert "small 0.20" in lines and "is seen" not in lines


@pytest.mark.slow
@pytest.mark.skipif(not CASES.is_dir(), reason="the folder ../shared/cases/people is not here")
def test_an_answer_is_of_its_own_tasks_text(tmp_path):
    folder = Path(shutil.copytree(CASES / "predict-text-and-pair", tmp_path / "case"))
    assert call("run", folder / "study.toml", "--out", tmp_path / "out", "--workers", "0")[0] == 0
    model = tmp_path / "out" / "joint" / "1" / "model"
    answers = [call("predict", model, "--task", "mood", folder / name) for name in ("alone.jsonl", "ask.jsonl")]
    both = call("predict", model, "--task", "mood", "--task", "fit", folder / "ask.jsonl")
    assert answers[0] == answers[1] and answers[0][0] == both[0] == 0
    (alone,), (together,) = ([json.loads(line) for line in out.splitlines()] for _, out, _ in (answers[0], both))
    assert together["mood"] == {key: value for key, value in alone.items() if key != "id"}
