"""The user's own data: what is read, and as what."""

import csv
import json

import datasets
import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets._checks import compare_splits
from manyheads.datasets.table import OwnTable


def read(folder, content, split="train", name="data.tsv", **settings):
    """Write a file, read it as a split, give the table."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return OwnTable(Places(folder), **{split: name}, **settings).read(split)


def message(folder, content, **settings):
    with pytest.raises(StudyError) as error:
        read(folder, content, **settings)
    return str(error.value)


def lines(*rows, header="text\tlabel"):
    return "".join(f"{row}\n" for row in (header, *rows))


def json_lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def question(context="Ann met Bob.", text="Bob", start=8, **more):
    return {
        "id": "q1",
        "question": "Who?",
        "context": context,
        "answers": {"text": [text], "answer_start": [start]},
    } | more


def test_tsv_keeps_every_character(tmp_path):
    texts = [
        '"to be',
        "it's 5' 11\" tall",
        "NA",
        "null",
        "None",
        "n/a",
        "nan",
        "a\u2028b\x85c\x0bd",
        " spaced ",
        "😀 [SEP]",
    ]
    table = read(tmp_path, b"\xef\xbb\xbf" + lines(*(f"{text}\tx" for text in texts)).replace("\n", "\r\n").encode())
    assert table.rows["text"][:] == texts
    assert table.rows["id"][:2] == ["train-2", "train-3"]
    assert table.labels == ("x",) and "nothing can be learned" in str(table.warnings[0])


def test_csv_as_rfc_4180(tmp_path):
    texts = ['say "hi"', "a, b", "two\nlines", "x" * 200_000, "5' 11\"", "lone\rreturn"]
    with (tmp_path / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((text, "ab"[i % 2]) for i, text in enumerate(texts))])
    table = OwnTable(Places(tmp_path), train="data.csv").read("train")
    assert table.rows["text"][:] == texts
    assert table.rows["id"][:] == [f"train-{line}" for line in (2, 3, 4, 6, 7, 8)]


def test_unquoted_quote_in_csv_is_kept(tmp_path):
    assert read(tmp_path, "text,label\n5' 11\" tall,x\n", name="d.csv").rows["text"][0] == "5' 11\" tall"


def test_missing_last_line_end_and_blank_lines_at_the_end_are_no_problem(tmp_path):
    assert len(read(tmp_path, "text\tlabel\na\tx").rows) == 1
    assert len(read(tmp_path, "text\tlabel\na\tx\n\n\n").rows) == 1
    assert len(read(tmp_path, "text,label\na,x\n\n", name="data.csv").rows) == 1


def test_declared_encoding(tmp_path):
    for encoding in ("cp1252", "utf-16", "utf-16-le"):
        assert read(tmp_path, lines("café\tx").encode(encoding), encoding=encoding).rows["text"][0] == "café"


def test_labels_are_names_in_natural_or_declared_order(tmp_path):
    content = lines("a\t10", "b\t9", "c\t-", "d\t9")
    table = read(tmp_path, content)
    assert table.labels == ("9", "10") and table.rows["label"][:] == ["10", "9", "9"]
    assert dict(table.dropped) == {'label "-", which means no gold label': 1}
    table = read(tmp_path, content, labels=["many", "few", "-"], label_names={"10": "many", "9": "few"})
    assert table.labels == ("many", "few", "-") and table.rows["label"][:] == ["many", "few", "-", "few"]


def test_integers_and_truth_values_in_json_become_names(tmp_path):
    rows = [{"text": "a", "label": 1, "id": 12345678901234567890}, {"text": "b", "label": 0, "id": 2}]
    table = read(tmp_path, json.dumps(rows), name="data.json")
    assert table.labels == ("0", "1") and table.rows["id"][0] == "12345678901234567890"
    table = read(tmp_path, json_lines({"text": "a", "label": True}, {"text": "b", "label": False}), name="data.jsonl")
    assert table.labels == ("false", "true")


def test_escaped_characters_beyond_the_basic_plane_are_whole(tmp_path):
    assert (
        read(tmp_path, '{"text": "\\ud83d\\ude00 \\\\ud83d", "label": "x"}', name="d.json").rows["text"][0]
        == "😀 \\ud83d"
    )


def test_array_named_jsonl_and_lines_named_json(tmp_path):
    rows = [{"text": "a", "label": "x"}, {"text": "b\u2028", "label": "y"}]
    for name in ("data.json", "data.jsonl"):
        for content in (json.dumps(rows, indent=1, ensure_ascii=False), json_lines(*rows), json.dumps({"data": rows})):
            assert read(tmp_path, content, name=name).rows["text"][:] == ["a", "b\u2028"]


def test_rows_that_share_a_line_have_ids_of_their_own(tmp_path):
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    assert read(tmp_path, json.dumps(rows), name="data.json").rows["id"][:] == ["train-1", "train-2"]
    with pytest.raises(StudyError, match=r'data.json:1 \(train-2\): "text" is empty'):
        read(tmp_path, json.dumps([rows[0], rows[1] | {"text": ""}]), name="data.json")


def test_scores(tmp_path):
    table = read(tmp_path, lines("a\t3.5", "b\t-2e-1"), target="number")
    assert table.rows["label"][:] == [3.5, -0.2] and table.labels is None


def test_warnings_about_labels(tmp_path):
    table = read(tmp_path, lines("a\tGood", "b\tgood", "c\tbad"))
    assert "differ in case or spacing only" in str(table.warnings[0])
    assert "in no row" in str(read(tmp_path, lines("a\tx", "b\ty"), labels=["x", "y", "z"]).warnings[0])
    assert '2 texts of "text" in quotes' in str(read(tmp_path, lines('"a"\tx', '"b"\ty')).warnings[0])


def test_splits_share_the_classes_of_train(tmp_path):
    (tmp_path / "train.tsv").write_text(lines("a\tx", "b\ty"))
    (tmp_path / "dev.tsv").write_text(lines("A\ty", "c\ty"))
    (tmp_path / "test.tsv").write_text(lines("a", "b", header="text"))
    own = OwnTable(Places(tmp_path), train="train.tsv", validation="dev.tsv", test="test.tsv")
    train, dev, test = (own.read(split) for split in ("train", "validation", "test"))
    assert train.labels == dev.labels == test.labels == ("x", "y")
    assert not test.labelled and test.rows["label"][:] == [None, None] and own.reported == "validation"
    warnings = [str(problem) for problem in compare_splits(train, dev, "tasks.t")]
    assert "train has the same input as some reported rows. Found 1 of 2 rows." in warnings[0]
    assert '"x" is in train but in no reported row' in warnings[1] and len(warnings) == 2
    (tmp_path / "dev.tsv").write_text(lines("a\tz", "b\tz", "c\tX"))
    with pytest.raises(StudyError, match=r"dev.tsv:2: the label does not occur in train. Found 'z' in 2 rows"):
        own.read("validation")


def test_unlabelled_rows(tmp_path):
    assert not read(tmp_path, lines("a\t-1", "b\t-1"), split="test").labelled
    assert "the label is missing" in message(tmp_path, lines("a\tx", "b\t"), split="test")
    table = read(tmp_path, lines("a\tx", "b\t", "c\t-1", "d\ty"), drop_unlabelled=True)
    assert table.rows["text"][:] == ["a", "d"] and table.dropped["no label"] == 2


def test_reported_split(tmp_path):
    (tmp_path / "a.tsv").write_text(lines("a\tx"))
    places = Places(tmp_path)
    assert OwnTable(places, train="a.tsv", test="a.tsv").reported == "test"
    assert OwnTable(places, train="a.tsv", test="a.tsv", reported="validation").reported == "validation"
    assert OwnTable(places, train="a.tsv").read("validation") is None


def test_choices_from_columns_and_from_a_list(tmp_path):
    columns = {"text": "stem", "choices": ["A", "B"]}
    content = lines("s\tone\ttwo\tB", header="stem\tA\tB\tlabel")
    table = read(tmp_path, content, columns=columns, label_names={"A": "0", "B": "1"})
    assert table.rows[0] == {"id": "train-2", "text": "s", "choices": ["one", "two"], "label": "1"}
    table = read(tmp_path, json_lines({"text": "s", "choices": ["one", "two"], "label": 1}), name="data.jsonl")
    assert table.rows[0]["choices"] == ["one", "two"] and table.rows[0]["label"] == "1" and table.labels is None


def test_spans_in_every_form(tmp_path):
    several = [{"text": "Bob", "answer_start": 8}, {"text": "met Bob", "answer_start": 4}]
    for answers in (question()["answers"], several, []):
        table = read(tmp_path, json_lines(question(answers=answers)), name="data.jsonl")
        assert len(table.rows[0]["cluster"]) == 12
    content = "question,context,answer,start\nWho?,Ann met Bob.,Bob,8\nWhy?,Ann met Bob.,,\n"
    table = read(tmp_path, content, name="data.csv", columns={"answers": ["answer", "start"]})
    assert table.rows["answers"][:] == [{"text": ["Bob"], "answer_start": [8]}, {"text": [], "answer_start": []}]
    assert table.rows["cluster"][0] == table.rows["cluster"][1]
    test = read(tmp_path, "question,context\nWho?,Ann met Bob.\n", split="test", name="data.csv")
    assert not test.labelled


def test_parquet_with_class_names(tmp_path):
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features)
    datasets.disable_progress_bars()
    rows.to_parquet(tmp_path / "data.parquet")
    table = OwnTable(Places(tmp_path), train="data.parquet").read("train")
    assert table.rows["label"][:] == ["yes", "no"] and table.labels == ("no", "yes")
    whole = (tmp_path / "data.parquet").read_bytes()
    assert "not a whole Parquet file" in message(tmp_path, whole[: len(whole) // 2], name="data.parquet")
    assert "this is Parquet, not text" in message(tmp_path, whole, name="data.csv")
    datasets.Dataset.from_dict({"text": ["a", None], "label": [1, 0]}).to_parquet(tmp_path / "null.parquet")
    with pytest.raises(StudyError, match=r'null.parquet:2: "text" is missing or null'):
        OwnTable(Places(tmp_path), train="null.parquet").read("train")


def test_id_of_a_dataset_in_the_mirror(tmp_path, hub):
    own = OwnTable(
        Places(tmp_path, hub),
        id="nyu-mll/glue",
        subset="rte",
        columns={"text": "sentence1", "text_pair": "sentence2", "id": ""},
    )
    table = own.read("validation")
    assert len(table.rows) == 277 and table.labels == ("entailment", "not_entailment") and own.read("test") is None
    with pytest.raises(StudyError, match="not the name of a dataset"):
        OwnTable(Places(tmp_path, hub), id="../glue").read("train")


ORIGINAL = [
    ("sst2/dev.tsv", 872, ("0", "1"), {"columns": {"text": "sentence"}}),
    ("cola/in_domain_dev.tsv", 527, ("0", "1"), {"header": ["source", "label", "star", "text"]}),
    (
        "mrpc/msr_paraphrase_test.txt",
        1725,
        ("no", "yes"),
        {
            "format": "tsv",
            "columns": {"text": "#1 String", "text_pair": "#2 String", "label": "Quality"},
            "label_names": {"0": "no", "1": "yes"},
        },
    ),
    (
        "sick/SICK.txt",
        9840,
        ("CONTRADICTION", "ENTAILMENT", "NEUTRAL"),
        {
            "format": "tsv",
            "columns": {"id": "pair_ID", "text": "sentence_A", "text_pair": "sentence_B", "label": "entailment_label"},
        },
    ),
    ("squad/dev-v1.1.json", 10570, None, {}),
    ("squad/dev-v2.0.json", 11873, None, {}),
    ("squad/train-v2.0-part.json", 4719, None, {}),
]


@pytest.mark.parametrize(("file", "rows", "labels", "settings"), ORIGINAL, ids=[case[0] for case in ORIGINAL])
def test_files_in_their_original_form(original, file, rows, labels, settings):
    table = OwnTable(Places(original), train=file, **settings).read("train")
    assert len(table.rows) == rows and table.labels == labels
