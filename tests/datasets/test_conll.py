"""Columns of words and tags: values by hand, real files against the Hub's layout, and what is read back as written."""

import random

import datasets
import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets.conll import Conll
from manyheads.datasets.conll2000 import Conll2000

CHUNKS = "Ann NNP B-PER\nsleeps VBZ O\n\nBo NNP B-PER\nLee NNP I-PER\n"


def read(folder, content, split="train", **settings):
    """Write a file, read it as a split, give the table."""
    path = folder / f"{split}.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Conll(Places(folder), **{split: path.name}, **settings).read(split)


def message(folder, content, **settings):
    with pytest.raises(StudyError) as error:
        read(folder, content, **settings)
    return str(error.value)


def test_values_by_hand(tmp_path):
    table = read(tmp_path, CHUNKS)
    assert list(table.rows) == [
        {"id": "train-1", "words": ["Ann", "sleeps"], "tags": ["B-PER", "O"]},
        {"id": "train-4", "words": ["Bo", "Lee"], "tags": ["B-PER", "I-PER"]},
    ]
    assert table.labels == ("O", "B-PER", "I-PER") and table.labelled and not table.dropped
    assert [str(warning) for warning in table.warnings] == [
        "train.txt: the tags are chunks in IOB2 (detected), scored by the rules of conlleval."
    ]


def test_other_columns_and_plain_tags(tmp_path):
    table = read(tmp_path, CHUNKS, tag_column=2)
    assert table.labels == ("NNP", "VBZ") and not table.warnings
    assert table.rows["tags"][:] == [["NNP", "VBZ"], ["NNP", "NNP"]]
    assert read(tmp_path, "O Ann\nB-X Bo\n", word_column=-1, tag_column=1).rows["words"][:] == [["Ann", "Bo"]]
    assert read(tmp_path, CHUNKS, labels=["I-PER", "B-PER", "O"]).labels == ("I-PER", "B-PER", "O")


def test_runs_of_spaces_separate_and_tabs_keep_spaces_inside_words(tmp_path):
    assert read(tmp_path, "a   NN  B-X \nb NN O\n").rows["tags"][:] == [["B-X", "O"]]
    table = read(tmp_path, "New York\tB-X\n\u3000a\u00a0b\tO\n")
    assert table.rows["words"][:] == [["New York", "\u3000a\u00a0b"]]
    # Only spaces and tabs separate: these are characters of words.
    assert read(tmp_path, "a\u00a0b B-X\nc\u2028d\x0be O\n").rows["words"][:] == [["a\u00a0b", "c\u2028d\x0be"]]


def test_the_separator_may_be_declared_and_is_found_out_for_each_file(tmp_path):
    (tmp_path / "dev.txt").write_text("Bo\tB-PER\n")
    (tmp_path / "train.txt").write_text("Ann B-PER\n")
    data = Conll(Places(tmp_path), train="train.txt", validation="dev.txt")
    assert data.reported == "validation" and data.read("validation").rows["tags"][:] == [["B-PER"]]
    assert "separated by tabs" in message(tmp_path, "Ann B-PER\n", separator="tab")


def test_blank_lines_line_ends_and_documents(tmp_path):
    plain = [["Ann", "sleeps"], ["Bo"]]
    for content in (
        "Ann A\nsleeps B\n\nBo A",
        "\n\nAnn A\r\nsleeps B\r\n\r\n\r\nBo A\r\n\n",
        "Ann A\nsleeps B\n \t\nBo A\n",
    ):
        assert read(tmp_path, content).rows["words"][:] == plain
    table = read(tmp_path, "-DOCSTART- O\n\nAnn A\nsleeps B\n-DOCSTART-\nBo A\n")
    assert table.rows["words"][:] == plain and table.dropped == {"-DOCSTART- lines": 2}


def test_chunks_have_all_tags_of_their_types(tmp_path):
    (tmp_path / "train.txt").write_text("a B-X\nb O\n\nc S-Y\n")
    (tmp_path / "test.txt").write_text("a B-X\nb E-X\n")
    data = Conll(Places(tmp_path), train="train.txt", test="test.txt")
    assert data.read("train").labels == ("O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y")
    assert data.reported == "test" and data.read("test").labels == data.read("train").labels


def test_a_test_file_may_have_words_alone(tmp_path):
    (tmp_path / "train.txt").write_text(CHUNKS)
    (tmp_path / "test.txt").write_text("Ann\nsleeps\n\n.\n")
    data = Conll(Places(tmp_path), train="train.txt", test="test.txt")
    table = data.read("test")
    assert not table.labelled and table.rows.column_names == ["id", "words"] and table.labels[0] == "O"
    (tmp_path / "train.txt").write_text("Ann\n")
    with pytest.raises(StudyError, match=r"train.txt:1: there is no column -1 for tag_column: the line has 1"):
        Conll(Places(tmp_path), train="train.txt").read("train")
    assert data.read("validation") is None


@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_any_words_are_read_back_as_they_were_written(tmp_path, separator):
    rng = random.Random(0)
    letters = ["a", "é", "#", "-", "\u200b", "\ufe0f", "😀", "\u0130", "[SEP]", '"', ",", "\u00a0x", "\x85", "\u2029"]
    letters += [" b"] if separator == "\t" else []
    sentences = [
        [
            ("".join(rng.choices(letters, k=rng.randrange(1, 5))) + "z", rng.choice(["O", "B-X", "I-X"]))
            for _ in range(size)
        ]
        for size in [rng.randrange(1, 9) for _ in range(50)]
    ]
    content = "\n\n".join("\n".join(separator.join(row) for row in one) for one in sentences)
    table = read(tmp_path, content, scheme="iob2")
    assert [list(zip(row["words"], row["tags"], strict=True)) for row in table.rows] == sentences


def test_what_is_odd_is_told(tmp_path):
    table = read(tmp_path, "a B-per\nb B-PER\n" + "x" * 101 + " O\n")
    assert "tags differ in case or spacing only. Found 'B-per' (1 words), 'B-PER' (1 words)" in str(table.warnings[0])
    assert "1 words have more than 100 characters" in str(table.warnings[-1])
    table = read(tmp_path, "a O\n" * 1001 + "b B-X\n")
    assert "the longest sentence has 1,002 words. Found sentence 1. Are blank lines" in str(table.warnings[-1])


# More cases, through the command, are in tests/bad_input/group_e.py.
BAD = [
    ("a O\n" + "x" * 10_001 + " O\n", {}, ["train.txt:2: the word has 10,001 characters", "Is a separator missing?"]),
    ("a O\nb\rc O\n", {}, ["train.txt:2: a lone carriage return"]),
    (b"a O\ncaf\xe9 O\n", {}, ["train.txt:2: byte 0xe9", 'encoding = "cp1252"']),
    ("\n \n", {}, ["there are no sentences"]),
    ("-DOCSTART- O\n", {}, ["there are no sentences"]),
    ("a B-X\nb E-X\n", {"scheme": "iob2"}, ["train.txt:2", "'E-X'", 'Did you mean scheme = "bioes"?']),
    ("a B-X\nb O\n", {"labels": ["O", "B-Y"]}, ["train.txt:1", "Found 'B-X' at 1 words. Did you mean \"B-Y\"?"]),
    ("a O\n", {"labels": ["O", "O"]}, ["conll: labels: names stand twice"]),
    ("a O\n", {"tag_column": 0}, ["there is no column 0"]),
    ("a O\n", {"tag_column": 1}, ["the same column"]),
    ("a O\n", {"encoding": "utf-88"}, ["unknown encoding"]),
]


@pytest.mark.parametrize(("content", "settings", "says"), BAD)
def test_bad_files_and_settings(tmp_path, content, settings, says):
    found = message(tmp_path, content, **settings)
    assert all(phrase in found for phrase in says), found


def test_all_mistakes_at_once_but_no_more_than_the_limit(tmp_path):
    assert len(message(tmp_path, "a O\n" + "b c O\n" * 50).splitlines()) == 20
    assert len(message(tmp_path, "a O\n" + "b c O\n" * 50, limit=3).splitlines()) == 3


def test_missing_files_are_named_at_once(tmp_path):
    with pytest.raises(StudyError, match="conll: it needs files"):
        Conll(Places(tmp_path))
    with pytest.raises(StudyError) as error:
        Conll(Places(tmp_path), train="a.txt", test="b.txt")
    assert [problem.where for problem in error.value.problems] == ["conll: train", "conll: test"]


# ---- CoNLL-2000 ----


@pytest.mark.parametrize(("target", "column", "tags"), [("chunk", -1, 23), ("pos", 2, 44)])
def test_the_original_file_and_the_hub_are_the_same(hub, original, target, column, tags):
    ours = Conll2000(Places(hub, hub), target=target)
    test = ours.read("test")
    own = Conll(Places(original / "conll2000"), train="test.txt", tag_column=column).read("train")
    assert len(own.rows) == 2012 and sum(map(len, own.rows["words"][:])) == 47_377
    assert own.rows["words"][:] == test.rows["words"][:] and own.rows["tags"][:] == test.rows["tags"][:]
    assert len(test.labels) == tags and set(own.labels) <= set(test.labels)
    assert ("IOB2 (detected)" in str(own.warnings)) == (target == "chunk") and len(own.warnings) == (target == "chunk")
    assert ours.reported == "test" and ours.read("validation") is None


def test_the_empty_row_of_the_hub_is_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "eriktks" / "conll2000"
    (folder / "conll2000").mkdir(parents=True)
    files = "".join(f"  - split: {split}\n    path: conll2000/{split}-*\n" for split in ("train", "test"))
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: conll2000\n  data_files:\n{files}---\n")
    kind = datasets.List(datasets.ClassLabel(names=["O", "B-NP"]))
    features = {"id": datasets.Value("string"), "tokens": datasets.List(datasets.Value("string")), "chunk_tags": kind}
    rows = {"id": ["0", "1"], "tokens": [["a", "b"], []], "chunk_tags": [[1, 0], []]}
    datasets.Dataset.from_dict(rows, datasets.Features(features)).to_parquet(folder / "conll2000" / "train-0.parquet")
    rows |= {"chunk_tags": [[1, -1], []]}
    datasets.Dataset.from_dict(rows, datasets.Features(features)).to_parquet(folder / "conll2000" / "test-0.parquet")
    table = Conll2000(Places(tmp_path, tmp_path)).read("train")
    assert list(table.rows) == [{"id": "train-0", "words": ["a", "b"], "tags": ["B-NP", "O"]}]
    assert table.dropped == {"empty sentence": 1} and table.labels == ("O", "B-NP")
    with pytest.raises(StudyError, match=r"row 1 has a tag without a name. Found -1 of 2"):
        Conll2000(Places(tmp_path, tmp_path)).read("test")
