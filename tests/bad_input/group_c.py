"""Group C: JSON, JSON lines and Parquet."""

import json
from pathlib import Path

from bad_input_case import Case, json_lines, own, read, rows, study

STUDY = study(own("data.jsonl"))
CHOICES = study(own("data.jsonl"), "multiple_choice")
HUGE = 12345678901234567890123


def refused(number: int, given: str, peers: str, content: str, *says: str, study: str = STUDY) -> Case:
    """A file that is not read."""
    return Case(number, given, peers, {"data.jsonl": content}, study, says)


def two_rows(folder: Path) -> None:
    """Read as it is: the content decides between lines and an array."""
    assert read(folder).train.rows["text"][:] == ["a", "b"]


def ids_are_texts(folder: Path) -> None:
    """Ids are texts: no digit is lost."""
    assert read(folder).train.rows["id"][:] == [str(HUGE), str(HUGE + 1)]


def pair_is_a_character(folder: Path) -> None:
    """One character."""
    assert read(folder).train.rows["text"][:] == ["a 😀", "b"]


def write_hole(folder: Path) -> None:
    """A file of a gigabyte that takes no disk."""
    for name, start in (("data.jsonl", b'{"text": "'), ("data.tsv", b"text\tlabel\n")):
        with (folder / name).open("wb") as file:
            file.write(start)
            file.truncate(1 << 30)


A, B = {"text": "a", "label": "x"}, {"text": "b", "label": "y"}
HANDLED = [
    Case(
        37,
        "An array in a file called .jsonl",
        "an error",
        {"data.jsonl": json.dumps([A, B])},
        STUDY,
        (),
        0,
        holds=two_rows,
    ),
    Case(
        37,
        "Lines in a file called .json",
        "an error",
        {"data.json": json_lines(A, B)},
        study(own("data.json")),
        (),
        0,
        holds=two_rows,
    ),
    Case(
        39,
        "A character as a pair of escapes: \\ud83d\\ude00",
        "read",
        {"data.jsonl": '{"text": "a \\ud83d\\ude00", "label": "x"}\n{"text": "b", "label": "y"}\n'},
        STUDY,
        (),
        0,
        holds=pair_is_a_character,
    ),
    Case(
        42,
        "The same ids in train and in the reported rows",
        "metrics overwrite each other",
        {
            "data.jsonl": json_lines({"id": "7", **A}, {"id": "8", **B}),
            "dev.jsonl": json_lines({"id": "7", **A, "text": "c"}, B | {"id": "9", "text": "d"}),
        },
        study(own("data.jsonl", validation="dev.jsonl"), report="validation"),
        ("ids stand in train and in the reported split. Found 1 id, such as ['7']",),
        0,
    ),
    Case(
        43,
        "The same text with two labels",
        "silent",
        {"data.tsv": rows("a\tx", "A \ty", "b\ty"), "dev.tsv": rows("c\tx", "d\ty")},
        study(own(validation="dev.tsv"), report="validation"),
        ("rows of train have the same input as another row, but a different label. Found 2 rows",),
        0,
    ),
    Case(
        43,
        "Reported rows that stand in train too",
        "silent",
        {"data.tsv": rows("a\tx", "b\ty"), "dev.tsv": rows("A\tx", "d\ty")},
        study(own(validation="dev.tsv"), report="validation"),
        ("train has the same input as some reported rows. Found 1 of 2 rows",),
        0,
    ),
    Case(
        44,
        "Ids that are whole numbers of 23 digits",
        "digits are lost",
        {"data.jsonl": json_lines({"id": HUGE, **A}, {"id": HUGE + 1, **B})},
        STUDY,
        (),
        0,
        holds=ids_are_texts,
    ),
]

GENERIC, LAST = "“An error occurred while generating the dataset”", "the last one wins"
FLOAT, MISSING, DEEP = "accepted as a number", "rows of None", "RecursionError, or no memory"
REFUSED = [
    refused(
        36,
        "The last line is cut off",
        GENERIC,
        '{"text": "a", "label": "x"}\n{"text": "b", "la',
        "data.jsonl:2",
        "column 15",
        "cut off",
    ),
    refused(
        36, "An array is cut off", GENERIC, '[{"text": "a", "label": "x"},\n {"text": "b"', "data.jsonl:2", "cut off"
    ),
    refused(36, "An array without its end", GENERIC, '[{"text": "a", "label": "x"}\n', '"," or "]" is missing'),
    refused(
        36,
        "An array with a comma missing",
        GENERIC,
        '[{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}]',
        "data.jsonl:2",
        '"," or "]"',
    ),
    refused(
        36,
        "More text behind an array",
        GENERIC,
        '[{"text": "a", "label": "x"}]\n[]',
        "more text stands after the array",
    ),
    refused(
        37,
        "Two values on a line",
        GENERIC,
        '{"text": "a", "label": "x"} {}\n{"text": "b", "label": "x"}\n',
        "data.jsonl:1",
        "column 29",
    ),
    refused(
        37, "Objects over several lines", GENERIC, '{"text":\n"a"}\n{"text":\n"b"}\n', "data.jsonl:1", "broken JSON"
    ),
    refused(
        37,
        "A broken document of SQuAD's layout",
        GENERIC,
        '{\n "data": [\n  {"paragraphs": [}',
        "data.jsonl:3",
        "column 19",
    ),
    refused(37, "Lists in place of objects", GENERIC, '["a", "x"]\n["b", "y"]\n', "a row is not an object"),
    refused(
        38,
        "A key that stands twice in an object",
        LAST,
        '{"text": "a", "text": "b", "label": "x"}\n',
        "data.jsonl:1",
        "'text' stands twice",
    ),
    refused(
        39,
        "Half of a pair of escapes: \\ud83d",
        "TypeError in the tokenizer",
        '{"text": "a \\ud83d", "label": "x"}\n',
        "data.jsonl:1",
        "surrogate",
        "column 13",
    ),
    refused(
        39,
        "The second half alone",
        "TypeError in the tokenizer",
        '{"text": "\\ud83d\\ude00\\ude00", "label": "x"}\n',
        "surrogate",
        "column 23",
    ),
    refused(40, "NaN", FLOAT, '{"text": "a", "label": NaN}\n', "data.jsonl:1", "NaN is not a JSON value"),
    refused(40, "Infinity", FLOAT, '{"text": "a", "label": -Infinity}\n', "-Infinity is not a JSON value"),
    refused(
        41,
        "A key that is missing in some rows",
        MISSING,
        '{"text": "a", "label": "x"}\n{"label": "x"}\n',
        "data.jsonl:2",
        '"text" is missing or null',
    ),
    refused(
        41,
        "null as a text",
        MISSING,
        '{"text": null, "label": "x", "id": "r9"}\n',
        "data.jsonl:1 (r9)",
        "missing or null",
    ),
    refused(41, "A number as a text", "TypeError", '{"text": 5, "label": "x"}\n', "of type int, not a string"),
    refused(
        41,
        "One choice only",
        "trains on nothing",
        json_lines({"text": "a", "choices": ["b"], "label": 0}),
        "choices are not a list of two",
        study=CHOICES,
    ),
    refused(
        41,
        "An empty choice",
        "an empty sequence",
        json_lines({"text": "a", "choices": ["b", ""], "label": 0}),
        'data.jsonl:1: "choices" is empty',
        study=CHOICES,
    ),
    refused(
        41,
        "A choice that is not there",
        "IndexError",
        json_lines({"text": "a", "choices": ["b", "c"], "label": 2}),
        "neither one of the 2 choices nor the number of one",
        study=CHOICES,
    ),
    refused(
        42,
        "An id that stands twice",
        "metrics overwrite each other",
        json_lines({"id": 7, **A}, {"id": "7", **B}),
        "data.jsonl:2",
        "data.jsonl:1",
        "'7'",
    ),
    Case(
        42,
        "An empty id",
        "metrics overwrite each other",
        {"data.tsv": rows("\ta\tx", header="id\ttext\tlabel")},
        study(own()),
        ("an id is empty or no string",),
    ),
    refused(
        44,
        "An id with a decimal point",
        "1.0 and 1 are one",
        '{"id": 1.0, "text": "a", "label": "x"}\n',
        "an id is empty or no string",
        "1.0",
    ),
    refused(
        45,
        "100,000 brackets inside one another",
        DEEP,
        '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}\n",
        "nested too deeply",
    ),
    Case(
        45,
        "A line of a gigabyte",
        DEEP,
        {},
        STUDY,
        ("data.jsonl:1: the line has more than 268,435,456 bytes",),
        prepare=write_hole,
    ),
    Case(
        45,
        "TSV: a line of a gigabyte",
        DEEP,
        {},
        study(own()),
        ("data.tsv:2: the line has more than 64,000,000 bytes",),
        prepare=write_hole,
    ),
    Case(
        45,
        "A Parquet file that is cut off",
        "an error of Arrow",
        {"data.parquet": b"PAR1" + b"\0" * 20},
        study(own("data.parquet")),
        ("not a whole Parquet file",),
    ),
]

CASES = [*HANDLED, *REFUSED]
