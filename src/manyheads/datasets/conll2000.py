"""CoNLL-2000: chunks and parts of speech in the Wall Street Journal.

Tjong Kim Sang and Buchholz, "Introduction to the CoNLL-2000 Shared Task: Chunking", 2000,
https://aclanthology.org/W00-0726.
"""

from typing import ClassVar, Literal

from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import TEST, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._conll_tables import check_widths, class_names, sentence_rows
from manyheads.datasets._hub import load, needs

HUB, SUBSET = "eriktks/conll2000", "conll2000"
COLUMNS = {"chunk": "chunk_tags", "pos": "pos_tags"}


class Conll2000(Dataset):
    """8,936 sentences to train on and 2,012 to test; there is no validation split.

    Read from https://huggingface.co/datasets/eriktks/conll2000 or a mirror of it. Licence: none stated (text of the
    Penn Treebank). Chunks are tagged in IOB2. The Hub's copy ends each split with an empty sentence, which is dropped
    and counted. Ids are `<split>-<row>`.

    :param target: chunk (11 types of chunks) or pos (44 parts of speech).
    :raises StudyError: If it is not found.
    """

    reported: ClassVar[str] = TEST

    def __init__(self, places: Places, *, target: Literal["chunk", "pos"] = "chunk") -> None:
        super().__init__(places)
        self.target = target

    def read(self, split: str) -> Table | None:
        data = load(self.places, HUB, SUBSET, split)
        if data is None:
            return None
        column = COLUMNS[self.target]
        needs(data, ["tokens", column], f"{HUB} {split}")
        names = getattr(data.features[column].feature, "names", None)
        if names is None:
            what = f'the column "{column}" has no names of tags'
            raise StudyError([Problem(f"{HUB} {split}", what, str(data.features[column]))])
        given = {"tokens": data["tokens"][:], column: data[column][:]}
        check_widths(given, f"{HUB} {split}")
        tags = class_names(given[column], names, f"{HUB} {split}")
        rows = [(f"{split}-{row}", words, tags[row]) for row, words in enumerate(given["tokens"]) if words]
        dropped = {"empty sentence": len(data) - len(rows)} if len(rows) < len(data) else {}
        ids, words, tags = zip(*rows, strict=True)
        return Table(sentence_rows({"id": ids, "words": words, "tags": tags}), tuple(names), dropped=dropped)
