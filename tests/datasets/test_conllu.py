"""Treebanks in CoNLL-U: values by hand, real files against the Hub's layout, and trees against an oracle."""

import itertools

import datasets
import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets.conllu import Conllu
from manyheads.datasets.universal_dependencies import UniversalDependencies
from manyheads.metrics.conllu import UPOS, sentences, tree_problem

TEXT = """# newdoc
# sent_id = s-1
# text = Don't go to Ulm
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\tMood=Imp|VerbForm=Fin\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
2.1\tyou\tyou\tPRON\tPRP\t_\t_\t_\t3:nsubj\t_
3\tgo\tgo\tVERB\tVB\tMood=Imp\t0\troot\t_\tSpaceAfter=No
4\tto\tto\tADP\tIN\t_\t5\tcase\t_\t_
5\tUlm\tUlm\tPROPN\tNNP\tNumber=Sing\t3\tobl:to\t_\t_

# sent_id = s-2
1\tNew York\t_\tPROPN\tNNP\t_\t0\troot\t_\t_"""


def read(folder, text=TEXT, split="train", **settings):
    """Write a file, read it as a split, give the table."""
    (folder / f"{split}.conllu").write_text(text, "utf-8", newline="")
    return Conllu(Places(folder), **{split: f"{split}.conllu"}, **settings).read(split)


def test_values_by_hand(tmp_path):
    table = read(tmp_path)
    assert list(table.rows) == [
        {
            "id": "s-1", "words": ["Do", "n't", "go", "to", "Ulm"], "tags": ["AUX", "PART", "VERB", "ADP", "PROPN"],
            "heads": [3, 3, 0, 5, 3], "relations": ["aux", "advmod", "root", "case", "obl:to"],
        },
        {"id": "s-2", "words": ["New York"], "tags": ["PROPN"], "heads": [0], "relations": ["root"]},
    ]  # fmt: skip
    assert table.labels == UPOS and len(UPOS) == 17
    assert [str(one) for one in table.warnings] == [
        "train.conllu: 1 multiword tokens and 1 empty nodes are no words of the trees, and were left out."
    ]


@pytest.mark.parametrize(
    ("target", "first"),
    [
        ("xpos", ["VB", "RB", "VB", "IN", "NNP"]),
        ("feats", ["Mood=Imp|VerbForm=Fin", "_", "Mood=Imp", "_", "Number=Sing"]),
        ("deprel", ["aux", "advmod", "root", "case", "obl:to"]),
    ],
)
def test_what_is_tagged(tmp_path, target, first):
    table = read(tmp_path, target=target)
    assert table.rows["tags"][0] == first
    assert table.labels == tuple(sorted({tag for row in table.rows["tags"][:] for tag in row}))


def test_line_ends_make_no_difference(tmp_path):
    expected = list(read(tmp_path).rows)
    for text in (TEXT + "\n", TEXT + "\n\n\n", TEXT.replace("\n", "\r\n"), TEXT.replace("\n\n", "\n \t\n\n")):
        assert list(read(tmp_path, text).rows) == expected


def test_a_sentence_does_not_inherit_the_name_of_comments_alone(tmp_path):
    table = read(tmp_path, "# sent_id = lost\n\n1\ta\t_\tX\t_\t_\t0\troot\t_\t_\n")
    assert table.rows["id"][:] == ["train-3"]


def test_trees_may_be_left_out_and_need_not_be_there(tmp_path):
    assert set(read(tmp_path, trees=False).rows.column_names) == {"id", "words", "tags"}
    bad = TEXT.replace("\t5\tcase", "\t4\tcase")
    assert read(tmp_path, bad, trees=False).rows["words"][0][3] == "to"
    with pytest.raises(StudyError, match=r"train.conllu:4: word 4 is its own head, in sentence s-1"):
        read(tmp_path, bad)
    none = "1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n"
    assert "heads" not in read(tmp_path, none).rows.column_names
    with pytest.raises(StudyError, match=r"1 of 1 words have no DEPREL, in this sentence"):
        read(tmp_path, none, target="deprel")


def test_what_only_another_split_has(tmp_path):
    (tmp_path / "train.conllu").write_text(TEXT)
    (tmp_path / "dev.conllu").write_text(TEXT.replace("advmod", "vocative").replace("AUX", "AUXX"))
    files = {"train": "train.conllu", "validation": "dev.conllu"}
    table = Conllu(Places(tmp_path), **files, target="deprel").read("validation")
    assert "1 words have one of 1 tags that train does not. Found ['vocative']" in str(table.warnings[0])
    assert "vocative" not in table.labels and table.rows["tags"][0][1] == "vocative"
    with pytest.raises(StudyError, match=r"Found 'AUXX' at 1 words\. Did you mean .AUX.\?"):
        Conllu(Places(tmp_path), **files).read("validation")


def test_an_unlabelled_test_split(tmp_path):
    (tmp_path / "train.conllu").write_text(TEXT)
    (tmp_path / "test.conllu").write_text("1\ta" + "\t_" * 8 + "\n")
    data = Conllu(Places(tmp_path), train="train.conllu", test="test.conllu")
    table = data.read("test")
    assert data.reported == "test" and not table.labelled and table.rows.column_names == ["id", "words"]


# More cases, through the command, are in tests/bad_input/group_e.py.
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEXT.replace("\tgo\tgo\t", "\t\tgo\t"), "train.conllu:8: the word is empty"),
        (TEXT.replace("2.1\tyou", "3.1\tyou"), "train.conllu:7: an empty node does not follow word 2. Found '3.1'"),
        (TEXT.replace("1-2\t", "2-1\t"), "train.conllu:4: a range of words does not begin at word 1. Found '2-1'"),
        (TEXT.replace("3\tgo", "# go\n3\tgo"), "train.conllu:8: a comment stands among the words"),
        (TEXT.replace("\tAUX\t", "\t_\t"), "train.conllu:4: 1 of 5 words have no UPOS, in sentence s-1"),
        (TEXT.replace("\taux\t", "\t_\t"), "word 1 has no DEPREL, in sentence s-1"),
        (TEXT.replace("3\tgo", "\u0663\tgo"), "the id of word 3 of the sentence is not 3"),
        ("# nothing\n", "there are no sentences"),
    ],
)
def test_bad_files(tmp_path, text, says):
    with pytest.raises(StudyError) as error:
        read(tmp_path, text)
    assert says in str(error.value)


def test_a_mistake_costs_only_its_sentence_and_all_are_told():
    broken = TEXT.replace("4\tto", "9\tto")
    found = []
    assert [one.sent_id for one in sentences(broken + "\n\n" + TEXT, "f", found.append)] == ["s-2", "s-1", "s-2"]
    assert [str(problem).split(":")[1] for problem in found] == ["9"]


def test_trees_are_what_an_oracle_calls_trees():
    """All 4^3 and 5^4 assignments of heads: Cayley's formula says how many of them are trees with one root."""
    for size in (1, 2, 3, 4):
        good = 0
        for heads in itertools.product(range(size + 1), repeat=size):
            reached = [0]
            for place in reached:
                reached += [word for word, head in enumerate(heads, 1) if head == place and word not in reached]
            is_tree = len(reached) == size + 1 and heads.count(0) == 1
            assert (tree_problem(list(map(str, heads)), ["dep"] * size) is None) == is_tree, heads
            good += is_tree
        assert good == size ** (size - 1)


def test_a_long_chain_is_checked_in_one_pass():
    size = 20_000
    assert tree_problem([str(place) for place in range(size)], ["dep"] * size) is None
    heads = [*(str(place + 2) for place in range(size - 1)), "1"]
    heads[-1], heads[0] = "2", "0"
    what, found, _ = tree_problem(heads, ["dep"] * size)
    assert "in a circle" in what and found.startswith("2 > 3")


# ---- Universal Dependencies ----


@pytest.fixture(scope="module")
def subset(hub, tmp_path_factory):
    """A mirror with the real validation split as both of its splits: the real train split takes seconds to read."""
    folder = tmp_path_factory.mktemp("hub") / "universal-dependencies" / "universal_dependencies"
    (folder / "en_ewt").mkdir(parents=True)
    files = "".join(f"  - split: {split}\n    path: en_ewt/{split}-*\n" for split in ("train", "validation"))
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: en_ewt\n  data_files:\n{files}---\n")
    inside = hub / "universal-dependencies" / "universal_dependencies" / "en_ewt"
    for split in ("train", "validation"):
        (folder / "en_ewt" / f"{split}-0.parquet").symlink_to(next(inside.glob("validation-*.parquet")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
        yield folder.parents[1]


@pytest.mark.parametrize("target", ["upos", "xpos", "feats", "deprel"])
def test_the_original_file_and_the_hub_are_the_same(subset, original, target):
    data = UniversalDependencies(Places(subset, subset), target=target).read("train")
    own = Conllu(Places(original / "ud_english_ewt"), train="en_ewt-ud-dev.conllu", target=target).read("train")
    assert len(own.rows) == 2001 and sum(map(len, own.rows["words"][:])) == 25_147
    assert own.labels == data.labels and own.rows.column_names == data.rows.column_names
    for column in own.rows.column_names:
        assert own.rows[column][:] == data.rows[column][:], column
    assert "359 multiword tokens and 4 empty nodes" in str(own.warnings[0])


def test_multiword_lines_of_the_hub_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "universal-dependencies" / "universal_dependencies"
    (folder / "xx").mkdir(parents=True)
    files = "".join(f"  - split: {split}\n    path: xx/{split}-*\n" for split in ("train", "validation"))
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: xx\n  data_files:\n{files}---\n")
    texts = {
        "tokens": ["don't", "do", "n't", "you", "go"], "lemmas": ["_", "do", "not", "you", "go"],
        "xpos": ["None", "VB", "RB", "None", "VB"], "feats": ["None", "{'Mood': 'Imp', 'X': 'A,B'}", *["None"] * 3],
        "head": ["None", "3", "3", "None", "0"], "deprel": ["_", "aux", "advmod", "_", "root"],
        "deps": ["None"] * 5, "misc": ["None"] * 5,
    }  # fmt: skip
    kinds = {name: datasets.List(datasets.Value("string")) for name in texts}
    kinds |= {"idx": datasets.Value("string"), "upos": datasets.List(datasets.ClassLabel(names=["_", "AUX", "VERB"]))}
    rows = {name: [values] for name, values in texts.items()} | {"idx": ["s"], "upos": [[0, 1, 1, 0, 2]]}
    datasets.Dataset.from_dict(rows, datasets.Features(kinds)).to_parquet(folder / "xx" / "train-0.parquet")
    short = {**rows, "xpos": [["VB"]]}
    datasets.Dataset.from_dict(short, datasets.Features(kinds)).to_parquet(folder / "xx" / "validation-0.parquet")
    table = UniversalDependencies(Places(tmp_path, tmp_path), subset="xx", target="feats").read("train")
    assert list(table.rows) == [
        {"id": "s", "words": ["do", "n't", "go"], "tags": ["Mood=Imp|X=A,B", "_", "_"], "heads": [3, 3, 0],
         "relations": ["aux", "advmod", "root"]},
    ]  # fmt: skip
    with pytest.raises(
        StudyError, match=r"row 1 has not one value for each word in every column. Found 5 tokens, .* 1 xpos"
    ):
        UniversalDependencies(Places(tmp_path, tmp_path), subset="xx").read("validation")
