"""Group B: labels and scores."""

from pathlib import Path

import datasets
from bad_input_case import Case, json_lines, own, read, rows, study, task

STUDY = study(own())
BOTH = {"train": "data.tsv", "validation": "dev.tsv"}
TWO = study(own(**BOTH), report="validation")
NUMBERS = own(target="number")
SCORES = study(NUMBERS, "regression")
LINES = study(own("data.jsonl"))


def refused(number: int, given: str, peers: str, content: bytes | str, *says: str, study: str = STUDY) -> Case:
    """A file that is not read."""
    return Case(number, given, peers, {"data.jsonl" if "jsonl" in study else "data.tsv": content}, study, says)


def labels(folder: Path, name: str = "own") -> list[object]:
    """The labels that were read."""
    return read(folder, name).train.rows["label"][:]


def unlabelled_rows_are_dropped(folder: Path) -> None:
    """The row is left out and counted."""
    assert labels(folder) == ["0", "1"] and read(folder).train.labels == ("0", "1")


def order_of_a_file_is_nothing(folder: Path) -> None:
    """Labels are names from the file to the prediction: the numbers of a file's own metadata decide nothing."""
    data = read(folder)
    assert data.reported is not None and data.train.labels == data.reported.labels
    assert data.train.rows["label"][:] == ["contradiction", "neutral", "entailment"]
    assert data.reported.rows["label"][:] == ["entailment", "neutral", "contradiction"]


def write_two_orders(folder: Path) -> None:
    """Class names in the metadata of Parquet, in opposite orders."""
    names = ["entailment", "neutral", "contradiction"]
    for file, order in (("data.parquet", names[::-1]), ("dev.parquet", names)):
        columns = {"text": ["a", "b", "c"], "text_pair": ["d", "e", "f"], "label": [0, 1, 2]}
        kinds = {"text": datasets.Value("string"), "text_pair": datasets.Value("string")}
        features = datasets.Features({**kinds, "label": datasets.ClassLabel(names=order)})
        (folder / file).write_bytes(b"")
        datasets.Dataset.from_dict(columns, features).to_parquet(str(folder / file))


def polarity_is_named(folder: Path) -> None:
    """`label_names` says what each number means; both tasks then have the same names."""
    assert labels(folder) == ["entailment", "not_entailment"] and labels(folder, "wnli") == labels(folder)[::-1]


def disagreements_are_dropped(folder: Path) -> None:
    """The rows are left out and counted."""
    assert labels(folder) == ["x", "y"]


def whole_numbers_are_numbers(folder: Path) -> None:
    """Read as numbers with a decimal point."""
    assert labels(folder) == [1.0, 2.0, 3.5]


def with_one_label(label: str) -> str:
    """JSON lines of one label."""
    return json_lines({"id": "1", "label": label}, {"id": "2", "label": label})


HANDLED = [
    Case(
        21, "−1 among the labels 0 and 1 of train, with `drop_unlabelled = true`", "IndexError, or a device assertion",
        {"data.tsv": rows("a\t0", "b\t1", "c\t-1")}, study(own(drop_unlabelled=True)), ("1 left out: no label",), 0,
        holds=unlabelled_rows_are_dropped,
    ),
    Case(
        21, "−1 among the labels 0 and 1 of train", "IndexError, or a device assertion",
        {"data.tsv": rows("a\t0", "b\t1", "c\t-1")}, STUDY, ('warning: data.tsv: "-1" is a class here',
        "Found 1 row."), 0,
    ),
    Case(
        23, "Two files whose class numbers mean opposite names", "6 to 30 % accuracy: numbers are compared", {},
        study(own("data.parquet", validation="dev.parquet"), report="validation"), (), 0,
        holds=order_of_a_file_is_nothing, prepare=write_two_orders,
    ),
    Case(
        24, "Tasks of opposite polarity (0 is entailment in RTE, and is not in WNLI)", "silent inversion",
        {"rte.tsv": rows("a\t0", "b\t1"), "wnli.tsv": rows("a\t0", "b\t1")},
        study(own("rte.tsv", label_names={"0": "entailment", "1": "not_entailment"}),
              more=task("wnli", own("wnli.tsv", label_names={"0": "not_entailment", "1": "entailment"}))),
        (), 0, holds=polarity_is_named,
    ),
    Case(
        26, "The label `-`, as MNLI and SNLI write it", "dropped silently, or a class",
        {"data.tsv": rows("a\tx", "b\t-", "c\ty", "d\t-")}, STUDY,
        ('2 left out: label "-", which means no gold label',), 0, holds=disagreements_are_dropped,
    ),
    Case(
        27, "Labels that differ in case or spaces only", "more classes, silently",
        {"data.tsv": rows("a\tYes", "b\tyes", "c\tno")}, STUDY,
        ("labels differ in case or spacing only", "'Yes' (1 row), 'yes' (1 row)"), 0,
    ),
    Case(
        29, "A declared class that is in the reported rows and not in train", "never predicted, silently",
        {"data.tsv": rows("a\tx", "b\ty"), "dev.tsv": rows("c\tz", "d\tx")},
        study(own(labels=["x", "y", "z"], **BOTH), report="validation"),
        ('label "z" is not in train and so cannot be learned', "Found 1 reported row.",
        'label "y" is in train but in no'), 0,
    ),
    Case(
        30, "A train file of one class, of two that are declared", "trains happily; Matthews 0",
        {"data.tsv": rows("a\tx", "b\tx")}, study(own(labels=["x", "y"])),
        ("warning: data.tsv: all rows have the same label",), 0,
    ),
    Case(
        33, "Whole numbers as the scores of a regression", "an error about dtypes", {"data.tsv": rows("a\t1", "b\t2",
        "c\t3.5")},
        SCORES, (), 0, holds=whole_numbers_are_numbers,
    ),
    Case(
        35, "Constant predictions: Matthews", "nan in the average, or 0",
        {"gold.jsonl": json_lines({"id": "1", "label": "x"}, {"id": "2", "label": "y"}),
        "guess.jsonl": with_one_label("x")},
        "", ("matthews             undefined",), 0,
        ("score", "classification", "--gold", "gold.jsonl", "--predictions", "guess.jsonl"),
    ),
    Case(
        35, "Constant gold: Pearson", "nan in the average, or 0",
        {"gold.jsonl": with_one_label("1").replace('"1"}', "1}"),
         "guess.jsonl": json_lines({"id": "1", "label": 1}, {"id": "2", "label": 2})},
        "", ("pearson              undefined",), 0,
        ("score", "regression", "--gold", "gold.jsonl", "--predictions", "guess.jsonl"),
    ),
]  # fmt: skip

ASSERTED, CASTED, FLOATED = (
    "`t < n_classes` fails on the device",
    "cast to one type, silently",
    "ValueError, or a NaN loss",
)
KNOWN = study(own(labels=["x", "y"]))
REFUSED = [
    refused(21, "No label in a row of train", "IndexError", rows("a\tx", "b\t", "c\ty"),
            "data.tsv:3: the label is missing",
            "test split"),
    refused(21, "−1 in train where the classes are declared", "IndexError, or a device assertion", rows("a\tx",
            "b\t-1"),
            "not one of the declared", "-1 the mark", study=KNOWN),
    Case(21, "A test split without labels that is to be scored", "metrics of nothing",
         {"data.tsv": rows("a\tx", "b\ty"), "test.tsv": rows("c\t-1")}, study(own(test="test.tsv"), report="test"),
         ("no labels",)),
    refused(22, "A label that is none of the declared", ASSERTED, rows("a\tx", "b\tz"), "data.tsv:3", "Known: x, y",
            study=KNOWN),
    refused(22, "A number beyond the declared classes", ASSERTED, rows("a\t0", "b\t2"), "'2' in 1 row.",
            "Known: 0, 1", study=study(own(labels=["0", "1"]))),
    refused(25, "`contradictory` where `contradiction` is declared", "KeyError, or a class more",
            rows("a\tcontradictory", "b\tneutral"), 'Did you mean "contradiction"?',
            study=study(own(labels=["contradiction", "neutral"]))),
    refused(26, "No row has a gold label", "an empty dataset, later", rows("a\t-"), "no row has a label"),
    refused(27, "The labels 1 and 1.0", CASTED, rows("a\t1", "b\t1.0"), "data.tsv:3", "two ways", "'1' and '1.0'"),
    refused(27, "The labels 1 and ' 1'", CASTED, rows("a\t1", "b\t 1"), "two ways", "' 1'"),
    refused(27, 'JSON: the labels "1" and 1', CASTED,
            json_lines({"text": "a", "label": "1"}, {"text": "b", "label": 1}), "several types",
            "'1' at data.jsonl:1", study=LINES),
    refused(27, "JSON: the labels true and 1", CASTED,
            json_lines({"text": "a", "label": True}, {"text": "b", "label": 1}), "several types", "True", study=LINES),
    refused(28, "`labels = [true, false]` (in YAML, `[yes, no]` become that)", "[True, False], silently", rows("a\tx"),
            "tasks.own.dataset.labels", "valid string", "in quotes", study=study(own(labels=[True, False]))),
    refused(28, "A class that is declared twice", "the last one wins", rows("a\tx"), "names stand twice",
            study=study(own(labels=["x", "x"]))),
    Case(29, "A label that is in the reported rows only", "KeyError, or never predicted",
         {"data.tsv": rows("a\tpositive", "b\tnegative"), "dev.tsv": rows("c\tpositiv", "d\tnegative")}, TWO,
         ("dev.tsv:2: the label does not occur in train", "'positiv' in 1 row.", 'Did you mean "positive"?')),
    refused(30, "A train file of one class", "trains happily; Matthews 0", rows("a\tx", "b\tx"), "at least two labels"),
    refused(30, "A label of 1,001 different values", "a class for each", rows(*(f"a{i}\tl{i}" for i in range(1001))),
            "1,001 different labels", 'target = "number"'),
    refused(31, "A score with a comma: 3,5", FLOATED, rows("a\t3,5"), "data.tsv:2", "'3,5'", "a point, not a comma",
            study=SCORES),
    refused(31, "No score", FLOATED, rows("a\t"), "not a finite number", study=SCORES),
    refused(31, "The score nan", FLOATED, rows("a\tnan"), "not a finite number", "'nan'", study=SCORES),
    refused(31, "The score inf", FLOATED, rows("a\tinf"), "not a finite number", study=SCORES),
    refused(31, "The score 1_0, which Python would read", "10, silently", rows("a\t1_0"), "not a finite number",
            study=SCORES),
    refused(32, "A score out of the declared range", "silent", rows("a\t1", "b\t9"),
            "outside the declared range 0.0 to 5.0",
            study=study(NUMBERS, {"name": "regression", "low": 0.0, "high": 5.0})),
    refused(33, "A label with a decimal point for a classifier", "an error about dtypes", json_lines({"text": "a",
            "label": 3.5}),
            "decimal point", 'target = "number"', study=LINES),
    refused(33, "Names for a regression", "an error about dtypes", rows("a\tgood", "b\tbad"),
            "the labels are names of classes",
            study=study(own(), "regression")),
    refused(34, "A list of labels", "all zero, silently", json_lines({"text": "a", "label": ["x", "y"]}),
            "of type list",
            "one label", study=LINES),
]  # fmt: skip

CASES = [*HANDLED, *REFUSED]
