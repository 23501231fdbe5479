"""Group E: tagged words and dependency trees."""

from collections.abc import Callable
from pathlib import Path

from bad_input_case import Case, json_lines, read, study

from manyheads.core.values import Places
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.encoders.pretrained import resolve
from manyheads.heads.tagging import Tagging
from manyheads.scoring import score_files

TAGGED = {"name": "conll", "train": "train.txt"}
TREES = {"name": "conllu", "train": "train.conllu"}
BOTH = "Ann B-PER\nsleeps O\n\nBo B-PER\nLee I-PER\nsings O\n"


def tagged(**settings: object) -> str:
    return study({**TAGGED, **settings}, "tagging")


def words(*tags: str) -> str:
    """A file with a word for each tag; "" ends a sentence."""
    return "".join(f"w{place} {tag}\n" if tag else "\n" for place, tag in enumerate(tags))


def tree(*rows: tuple[object, ...], sent_id: str = "") -> str:
    """A sentence in CoNLL-U from (id, word, upos, head, relation)."""
    head = f"# sent_id = {sent_id}\n" if sent_id else ""
    lines = [
        "\t".join(map(str, (n, word, "_", upos, "_", "_", at, name, "_", "_"))) for n, word, upos, at, name in rows
    ]
    return head + "\n".join(lines) + "\n\n"


REST = "\t_" * 8 + "\n"
GOOD = tree((1, "Dogs", "NOUN", 2, "nsubj"), (2, "bark", "VERB", 0, "root"))


def heads(*found: object) -> str:
    """A sentence whose words have these heads."""
    return tree(*[(place, "w", "NOUN", head, "dep") for place, head in enumerate(found, 1)]) + GOOD


def encoded(folder: Path, **settings: int):
    """What the head makes of the study's rows, and the head."""
    table = read(folder).train
    head = Tagging(8, table.labels, **settings)
    tokenizer = PretrainedTokenizer(Path(resolve("minilm", Places(folder))))
    return head, [dict(row) for row in table.rows], head.encode([dict(row) for row in table.rows], tokenizer)


# ---- What is handled ----


def every_word_has_a_place(folder: Path) -> None:
    """Each of these words becomes the piece for what is unknown; there are always as many tags as words."""
    _, rows, found = encoded(folder)
    assert [len(one.metadata["firsts"]) for one in found] == [len(row["words"]) for row in rows] == [5]
    assert [target for target in found[0].targets if target >= 0] == [0, 0, 0, 0, 1]


def sentences_are(*expected: list[str], says: str, dropped: int = 0) -> Callable[[Path], None]:
    def holds(folder: Path) -> None:
        table = read(folder).train
        assert table.rows["words"][:] == list(expected)
        assert sum(table.dropped.values()) == dropped

    holds.__doc__ = says
    return holds


def every_word_is_predicted(folder: Path) -> None:
    """A sentence of 400 words is read in windows; each word is predicted once, where it has most context."""
    head, rows, found = encoded(folder, max_length=32, stride=16)
    assert len(found[0].inputs) > 20 and len(rows[0]["words"]) == 400
    assert len(found[0].metadata["firsts"]) == sum(target >= 0 for target in found[0].targets) == 400
    assert head.counts(found) == {"words": 400, "windowed": 1, "unknown_tags": 0}


def tags_are_kept(folder: Path) -> None:
    """The tags are learned as they stand."""
    assert read(folder).train.rows["tags"][:] == [["I-PER", "I-PER", "O"], ["B-PER", "I-LOC"]]


def words_of_the_tree_alone(folder: Path) -> None:
    """Read without these lines: HEAD counts words."""
    table = read(folder).train
    assert table.rows["words"][:] == [["do", "n't", "go"]] and table.rows["heads"][:] == [[3, 3, 0]]


def no_trees(folder: Path) -> None:
    """A file without any HEAD has no trees, and its words can be tagged."""
    assert set(read(folder).train.rows.column_names) == {"id", "words", "tags"}


def unseen_relation(folder: Path) -> None:
    """The word counts as wrong for the tagger."""
    data = read(folder)
    assert data.reported is not None and data.reported.rows["tags"][:] == [["vocative", "root"]]
    assert data.train.labels == ("nsubj", "root")


def las_is_wrong(folder: Path) -> None:
    """The head counts, the relation does not."""
    found = score_files("dependency", folder / "gold.conllu", folder / "found.conllu")
    assert (found["UAS"], found["LAS"], found["unknown_relations"]) == (1.0, 0.5, 1)


LOST = "the last sentence is lost"
HANDLED = [
    Case(
        65, "Words that the tokenizer leaves nothing of: U+200B, U+00AD, U+FE0F", "an assertion, or one tag too few",
        {"train.txt": "a O\n\u200b O\n\u00ad O\n\ufe0f O\nb B-X\n"}, tagged(), (), 0, holds=every_word_has_a_place,
    ),
    Case(
        68, "-DOCSTART- lines", "a sentence of one word",
        {"train.txt": "-DOCSTART- -X- O\n\na NN O\nb NN B-X\n\n-DOCSTART- -X- O\nc NN O\n"}, tagged(), (), 0,
        holds=sentences_are(["a", "b"], ["c"], says="Dropped, and counted in the report.", dropped=2),
    ),
    Case(
        69, "No blank line at the end of the file", LOST, {"train.txt": "a O\n\nb B-X"}, tagged(), (), 0,
        holds=sentences_are(["a"], ["b"], says="The last sentence is read."),
    ),
    Case(
        69, "Lines that end with \\r\\n", "tags with \\r", {"train.txt": "a O\r\n\r\nb B-X\r\n"}, tagged(), (), 0,
        holds=sentences_are(["a"], ["b"], says="Read as lines that end with \\\\n."),
    ),
    Case(
        69, "Lines of blanks between sentences", "two sentences become one", {"train.txt": "a O\n \t \nb B-X\n"},
        tagged(), (), 0, holds=sentences_are(["a"], ["b"], says="Such a line ends a sentence."),
    ),
    Case(
        70, "IOB1: a chunk begins with I", "strict IOB2 finds no chunk; others do, silently",
        {"train.txt": words("I-PER", "I-PER", "O", "", "I-PER", "B-PER")}, tagged(),
        ("the tags are chunks in IOB1 (detected), scored by the rules of conlleval",), 0,
    ),
    Case(
        70, "BIOES", "E- and S- are new classes", {"train.txt": words("B-PER", "E-PER", "O", "", "S-LOC")}, tagged(),
        ("the tags are chunks in BIOES (detected), scored by the rules of conlleval",), 0,
    ),
    Case(
        70, "IOB2 with I after O, and I-LOC after B-PER", "1.0 or 0.0, by the program",
        {"train.txt": words("I-PER", "I-PER", "O", "", "B-PER", "I-LOC")}, tagged(scheme="iob2"),
        ("in IOB2 (declared), scored by the rules of conlleval",
         "2 tags are not as IOB2 has them. Found 'I-PER' at train.txt:1"), 0, holds=tags_are_kept,
    ),
    Case(
        72, "A sentence longer than the encoder takes", "the end is dropped from the score, silently",
        {"train.txt": "".join(f"word{at} {'O' if at % 2 else 'B-X'}\n" for at in range(400))}, tagged(), (), 0,
        holds=every_word_is_predicted,
    ),
    Case(
        74, "CoNLL-U: ranges 1-2 and empty nodes 2.1", "ValueError: invalid literal for int()",
        {"train.conllu": "1-2\tdon't" + REST + tree((1, "do", "AUX", 3, "aux"), (2, "n't", "PART", 3, "advmod"))[:-1]
         + "2.1\tyou" + REST + tree((3, "go", "VERB", 0, "root"))}, study(TREES, "tagging"),
        ("1 multiword tokens and 1 empty nodes are no words of the trees, and were left out",), 0,
        holds=words_of_the_tree_alone,
    ),
    Case(
        75, "CoNLL-U: no HEAD in the whole file", "int('_')",
        {"train.conllu": tree((1, "Dogs", "NOUN", "_", "_"), (2, "bark", "VERB", "_", "_"))},
        study(TREES, "tagging"), (), 0, holds=no_trees,
    ),
    Case(
        77, "A relation that train does not have", "KeyError",
        {"train.conllu": GOOD, "dev.conllu": GOOD.replace("nsubj", "vocative")},
        study({**TREES, "validation": "dev.conllu", "target": "deprel"}, "tagging", report="validation"),
        ("1 words have one of 1 tags that train does not. Found ['vocative']",), 0, holds=unseen_relation,
    ),
    Case(
        77, "A relation that no prediction has", "KeyError",
        {"gold.conllu": GOOD.replace("nsubj", "vocative"), "found.conllu": GOOD}, "", ("unknown_relations    1",), 0,
        ("score", "dependency", "--gold", "gold.conllu", "--predictions", "found.conllu"), holds=las_is_wrong,
    ),
]  # fmt: skip


# ---- What is refused ----


def refused(number: int, given: str, peers: str, content: str, *says: str, **settings: object) -> Case:
    """A file of tagged words that is not read."""
    return Case(number, given, peers, {"train.txt": content}, tagged(**settings), says)


def no_tree(number: int, given: str, peers: str, content: str, *says: str) -> Case:
    """A treebank that is not read."""
    return Case(number, f"CoNLL-U: {given}", peers, {"train.conllu": content}, study(TREES, "tagging"), says)


NEW, ROWS = "new classes, silently", "columns shift, silently"
REFUSED = [
    refused(66, "A tab and no word before it", "a word of nothing", "a\tO\n\tB-X\n", "train.txt:2: the word is empty"),
    refused(66, "A word that is a space that does not break", "a word of nothing", "a O\n\u00a0 O\n",
            "train.txt:2: the word is empty. Found ['\\xa0', 'O']"),
    refused(67, "Tabs, then a line with spaces", ROWS, "a\tO\nb O\n", "train.txt:2: the line has no tab",
            "separated by tabs"),
    refused(67, "Spaces, then a line with a tab", ROWS, "a NN O\nb\tNN O\n", "train.txt:2: the line has tabs",
            "separated by spaces"),
    refused(67, "Lines of 3, 2 and 4 columns", ROWS, "a NN O\nb O\nc NN x O\n",
            "train.txt:2: 2 columns where line 1 has 3", "train.txt:3: 4 columns where line 1 has 3"),
    refused(67, "A comment in a file of columns", ROWS, "a O\n# a b c\n", "train.txt:2",
            "They look like comments, which are not read here, because # is a word too"),
    refused(67, "A column that the file has not", "IndexError", "a O\n", "there is no column 4 for tag_column",
            tag_column=4),
    Case(71, "Parts of speech, and metric = \"f1\"", "an F1 that means nothing", {"train.txt": "a DT\nb NN\n"},
         study(TAGGED, {"name": "tagging", "metric": "f1"}),
         ("metric f1 scores chunks", "Found ['DT', 'NN']", 'Use metric = "accuracy"')),
    refused(71, "Parts of speech, and scheme = \"iob2\"", "an F1 that means nothing", "a DT\nb NN\n",
            "train.txt:1: 2 tags are none of O, B-…, I-…. Found ['DT', 'NN']", 'scheme = "plain" and use accuracy',
            scheme="iob2"),
    refused(73, "b-per among B-PER", NEW, words("B-PER", "I-PER", "O", "b-per"),
            "train.txt:4: the tag is nearly a chunk tag. Found 'b-per'. Did you mean 'B-PER'?"),
    refused(73, "B_PER", NEW, words("B_PER", "I_PER", "O"), "train.txt:1", "Found 'B_PER'. Did you mean 'B-PER'?"),
    refused(73, "A space behind a tag", NEW, "a\tB-PER \nb\tB-PER\n", "train.txt:1",
            "Found 'B-PER '. Did you mean 'B-PER'?"),
    refused(73, "A tag without prefix among chunks", NEW, words("B-PER", "I-PER", "O", "PER"),
            "train.txt:4: 1 tags are none of O, B-…", "Found ['PER']"),
    Case(73, "A tag in validation that train does not have", "KeyError, or learned as nothing",
         {"train.txt": BOTH, "dev.txt": words("B-PRE", "O")},
         study({**TAGGED, "validation": "dev.txt"}, "tagging", report="validation"),
         ("dev.txt:1: the tag does not occur in train", 'Did you mean "B-PER"?')),
    Case(71, "Fewer tags than words in a file of predictions", "scored as far as it goes, silently",
         {"gold.jsonl": json_lines({"id": "1", "tags": ["O", "B-X"]}),
          "found.jsonl": json_lines({"id": 1, "tags": ["O"]})},
         "", ("found.jsonl (record 1): 1 tags where the gold file has 2",),
         command=("score", "tagging", "--gold", "gold.jsonl", "--predictions", "found.jsonl")),
    no_tree(74, "a range that does not begin at the next word", "mis-indexed", "3-4\tdu" + REST + GOOD,
            "train.conllu:1: a range of words does not begin at word 1"),
    no_tree(74, "spaces in place of tabs", "IndexError", GOOD.replace("\t", "  "), "train.conllu:1",
            "CoNLL-U separates them by tabs"),
    no_tree(75, "a HEAD beyond the sentence", "IndexError", heads(0, 9),
            "HEAD of word 2 is not a number from 0 to 2", "'9'"),
    no_tree(75, "a word that is its own head", "silently wrong", heads(0, 2), "word 2 is its own head"),
    no_tree(75, "words in a circle", "an endless loop", heads(0, 3, 4, 2), "in a circle", "2 > 3 > 4 > 2"),
    no_tree(75, "no root", "silently wrong", heads(2, 3, 1), "a tree has one root, and here are 0"),
    no_tree(75, "two roots", "silently wrong", heads(0, 0), "a tree has one root, and here are 2", "words 1, 2"),
    no_tree(75, "a word without HEAD among others", "int('_')", heads(0, "_"), "word 2 has no HEAD"),
    no_tree(76, "ids 1, 3", "mis-indexed heads", tree((1, "a", "X", 0, "root"), (3, "b", "X", 1, "dep")),
            "train.conllu:2: the id of word 2 of the sentence is not 2. Found '3'"),
    no_tree(76, "a blank line is missing between sentences", "one sentence", GOOD[:-1] + GOOD,
            "train.conllu:3", "is not 3. Found '1'"),
    no_tree(76, "sent_id at one sentence only", "mis-indexed", tree((1, "a", "X", 0, "root"), sent_id="s1") + GOOD,
            "1 of 2 sentences have no sent_id"),
    no_tree(76, "one sent_id twice", "the first is lost", tree((1, "a", "X", 0, "root"), sent_id="s1") * 2,
            "train.conllu:5: this sent_id already stands at line 2"),
]  # fmt: skip

CASES = [*HANDLED, *REFUSED]
