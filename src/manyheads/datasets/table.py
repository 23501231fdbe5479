"""Your own data: CSV, TSV, JSON (lines or one document), Parquet, or any dataset of the Hub with suitable columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from manyheads.core.problems import Problem, StudyError, repeated, shown
from manyheads.core.settings import PositiveInt
from manyheads.core.values import SPLITS, TEST, TRAIN, VALIDATION, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._checks import Problems
from manyheads.datasets._decode import encoding_problem
from manyheads.datasets._files import FORMATS, Reading, Records, dataset_records, path_problem, read_records
from manyheads.datasets._hub import load
from manyheads.datasets._rows import COLUMNS, NO_GOLD, SINGLE, UNLABELLED, Layout, Rows, wanted
from manyheads.datasets._shapes import NAMES, refuse_shapes

UNPACKED = 500
"""So many of the longest texts may a packed file hold."""


class OwnTable(Dataset):
    """Files of the user's own, one for each split, or a dataset of the Hub by its id.

    The head decides which columns are read; `columns` says which of the file's they are. Classification and regression
    read `text`, maybe `text_pair`, and `label`. Multiple choice reads `choices` too (several columns, or one with
    lists); its label is the right choice, by its number from 0 or its text. A search for spans reads `question`,
    `context` and `answers` (as in SQuAD, or two columns: text and start); of JSON, SQuAD's own layout is read too.
    Several columns for one text are joined. An `id` is used if there is one; without, ids are `<split>-<line>`, or
    `<split>-<row>` if rows share a line. A `cluster` says which rows belong together, such as those of one thread.

    Nothing is guessed: `.csv` is read as RFC 4180 says, `.tsv` has no quoting at all, `NA` and `null` are texts. Rows
    with the label "-" (no gold label, as in SNLI) are dropped and counted, unless it is declared or stands beside "+".
    Licence: yours.

    :param train: A file, relative to the folder of the study.
    :param validation: Another such file.
    :param test: Another such file.
    :param id: Instead of files, `organisation/name` on the Hub or in the `--data` folder.
    :param subset: The subset of `id`, if it has several.
    :param columns: Which columns stand for ours: `{ text = ["title", "body"], label = "stars" }`; `{ id = "" }` uses
        none.
    :param join: What stands between the texts of several columns that are one; empty ones are left out.
    :param labels: The classes in order; without, the names that occur in train, sorted (numbers by size).
    :param label_names: New names for the values in the file: `{ "0" = "negative" }`. `labels` are the new names.
    :param target: classes, or number for a regression.
    :param unseen: Rows of other splits whose label train does not have: refuse them, or count them as wrong.
    :param header: Names for the columns of a CSV or TSV file whose first line is already data.
    :param separator: What stands between the columns of a CSV file: `;`, `|` or a tab; a comma if left out.
    :param format: The format, where the suffix does not tell.
    :param encoding: The encoding of text files.
    :param reported: `report` of the task does the same, and is the name to use.
    :param repair: Correct an answer's offset if its right place is beyond doubt; without it, a wrong one is an error.
    :param drop_unlabelled: Drop (and count) rows whose label is empty or null, or -1 where classes are named and -1 is
        not declared to be one.
    :param limit: How many problems are shown at once.
    :raises StudyError: At once for settings and missing files; in `read` for what is wrong inside.
    """

    def __init__(
        self,
        places: Places,
        *,
        train: str = "",
        validation: str = "",
        test: str = "",
        id: str = "",
        subset: str = "",
        columns: Mapping[str, str | Sequence[str]] | None = None,
        labels: Sequence[str] = (),
        label_names: Mapping[str, str] | None = None,
        join: str = " ",
        unseen: Literal["refuse", "wrong"] = "refuse",
        target: Literal["classes", "number"] = "classes",
        header: Sequence[str] = (),
        separator: Literal["", ",", ";", "|", "\t"] = "",
        format: Literal["", "csv", "tsv", "jsonl", "json", "parquet"] = "",
        encoding: str = "utf-8",
        reported: Literal["", "train", "validation", "test"] = "",
        repair: bool = False,
        drop_unlabelled: bool = False,
        limit: PositiveInt = 20,
    ) -> None:
        super().__init__(places)
        self.files = {name: file for name, file in zip(SPLITS, (train, validation, test), strict=True) if file}
        self.hub, self.subset = id, subset
        numbers = target == "number"
        names = label_names or {}
        self.layout = Layout(columns or {}, labels, names, numbers, repair, drop_unlabelled, join, bool(header))
        self.unseen = unseen == "wrong"
        self.header, self.format, self.encoding, self.limit = list(header), format, encoding, limit
        self.separator = separator or ","
        self.train: Table | None = None
        if problems := self._setting_problems():
            raise StudyError(problems)
        fallback = TEST if self.files and VALIDATION not in self.files and TEST in self.files else VALIDATION
        # The contract's default is the class's; here it depends on the files.
        self.reported = reported or fallback  # pyright: ignore[reportAttributeAccessIssue]

    def _setting_problems(self) -> list[Problem]:
        found = []
        if bool(self.files) == bool(self.hub):
            what, remedy = "it needs files or an id, one of the two", 'Set train = "FILE", or id = "organisation/name".'
            found.append(Problem("table", what, shown({**self.files, "id": self.hub}), remedy))
        known = f"Choose from: {', '.join(COLUMNS)}."
        unknown = sorted(set(self.layout.columns) - set(COLUMNS))
        found += [Problem("table: columns", "unknown column", shown(name), known) for name in unknown]
        for ours, theirs in self.layout.columns.items():
            where = f"table: columns.{ours}"
            if not isinstance(theirs, str) and ours in SINGLE and len(theirs) > 1:
                what, remedy = f"{ours} takes one column", SINGLE[ours]
                found.append(Problem(where, what, shown(list(theirs)), remedy))
            if not isinstance(theirs, str) and (not theirs or "" in theirs):
                found.append(Problem(where, "no column is named", shown(theirs), f'To use none: {ours} = "".'))
        for setting, names in (("labels", self.layout.labels), ("header", self.header)):
            if twice := repeated(names):
                found.append(Problem(f"table: {setting}", "names stand twice", shown(twice), "Remove one of each."))
        if problem := encoding_problem(self.encoding, "table: encoding"):
            found.append(problem)
        for split, file in self.files.items():
            path = self.places.study / file
            if problem := path_problem(path, f"table: {split}"):
                found.append(problem)
            elif not self.format and path.suffix.lower() not in FORMATS:
                remedy = f"Set format to one of {', '.join(FORMATS.values())}."
                found.append(Problem(f"table: {split}", "the suffix does not tell the format", shown(file), remedy))
        return found

    def read(self, split: str) -> Table | None:
        if split == TRAIN and self.train is not None:
            return self.train
        known, broken = self._known(split)
        problems = Problems(self.limit)
        source = self._source(split, problems)
        if source is None:
            return None
        where, records = source
        refuse_shapes(records, where, self.layout.columns, problems)
        table = Rows(records, where, split, self.layout, known, problems, self.asked).table()
        if broken is not None:
            raise broken
        if split == TRAIN:
            if self.unseen and table.labels is not None:
                table = replace(table, labels=(*table.labels, *self._unseen(table.labels)))
            self.train = table
        return table

    def _unseen(self, known: Sequence[str]) -> list[str]:
        """The classes that only other splits have: none is ever learned, so each row of one counts as wrong."""
        found = set[str]()
        name = self.layout.columns.get("label", "label")
        for split in (VALIDATION, TEST):
            _, records = self._source(split, Problems(self.limit)) or ("", None)
            if records is not None and (column := name if isinstance(name, str) else name[0]) in records.names:
                spelt = (str(value) for value in records.column(column) if value not in (*UNLABELLED, NO_GOLD))
                found |= {self.layout.label_names.get(value, value) for value in spelt}
        return sorted(found - set(known))

    def _source(self, split: str, problems: Problems) -> tuple[str, Records] | None:
        return self._from_hub(split) if self.hub else self._from_file(split, problems)

    def _known(self, split: str) -> tuple[Sequence[str], StudyError | None]:
        """The classes of train, for another split; or what is wrong with train, told if this split is sound itself."""
        if split == TRAIN or self.layout.labels or self.layout.numbers:
            return (), None
        try:
            train = self.read(TRAIN)
        except StudyError as error:
            return (), error
        return (train.labels or () if train else ()), None

    def _from_file(self, split: str, problems: Problems) -> tuple[str, Records] | None:
        if split not in self.files:
            return None
        file = self.files[split]
        path = Path(self.places.study / file)
        if problem := path_problem(path, f"table: {split}"):
            raise StudyError([problem])
        format = self.format or FORMATS[path.suffix.lower()]
        most = max(UNPACKED * self.places.longest_text, 10 * path.stat().st_size)
        how = Reading(format, self.encoding, self.header, self.separator, {*wanted(self.layout.columns), *NAMES}, most)
        return file, read_records(path, file, problems, how)

    def _from_hub(self, split: str) -> tuple[str, Records] | None:
        data = load(self.places, self.hub, self.subset, split)
        where = " ".join(part for part in (self.hub, self.subset, split) if part)
        return None if data is None else (where, dataset_records(data, where))
