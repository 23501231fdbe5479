"""Your own data: CSV, TSV, JSON (lines or one document), Parquet, or any dataset of the Hub with suitable columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.settings import PositiveInt
from manyheads.core.values import SPLITS, TEST, TRAIN, VALIDATION, Places, Table
from manyheads.datasets import Dataset
from manyheads.datasets._checks import Problems
from manyheads.datasets._files import FORMATS, Records, dataset_records, path_problem, read_records
from manyheads.datasets._hub import load
from manyheads.datasets._rows import COLUMNS, Layout, Rows
from manyheads.datasets._shapes import refuse_shapes


class OwnTable(Dataset):
    """Files of the user's own, one for each split, or a dataset of the Hub by its id.

    The columns decide what kind of task it is (`columns` renames them). With `text`, maybe `text_pair`, and `label` it
    is classification or regression. With `choices` too (several columns, or one with lists) it is multiple choice; its
    label is the number of the right choice, from 0. With `question`, `context` and `answers` (as in SQuAD, or two
    columns: text and start) it is a search for spans; of JSON, SQuAD's own layout is read too. An `id` is used if there
    is one; without, ids are `<split>-<line>`, or `<split>-<row>` if rows share a line.

    Nothing is guessed: `.csv` is read as RFC 4180 says, `.tsv` has no quoting at all, `NA` and `null` are texts. Rows
    with the label "-" (no gold label, as in SNLI) are dropped and counted. Licence: yours.

    :param train: A file, relative to the folder of the study.
    :param validation: Another such file.
    :param test: Another such file.
    :param id: Instead of files, `organisation/name` on the Hub or in the `--data` folder.
    :param subset: The subset of `id`, if it has several.
    :param columns: Which columns stand for ours: `{ text = "review", label = "stars" }`; `{ id = "" }` uses none.
    :param labels: The classes in order; without, the names that occur in train, sorted (numbers by size).
    :param label_names: New names for the values in the file: `{ "0" = "negative" }`. `labels` are the new names.
    :param target: classes, or number for a regression.
    :param header: Names for the columns of a CSV or TSV file whose first line is already data.
    :param format: The format, where the suffix does not tell.
    :param encoding: The encoding of text files.
    :param reported: The split to report; without, validation if there is one, else test.
    :param repair: Correct an answer's offset if its right place is beyond doubt; without it, a wrong one is an error.
    :param drop_unlabelled: Drop (and count) rows whose label is empty, null or -1.
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
        target: Literal["classes", "number"] = "classes",
        header: Sequence[str] = (),
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
        self.layout = Layout(columns or {}, labels, label_names or {}, numbers, repair, drop_unlabelled)
        self.header, self.format, self.encoding, self.limit = list(header), format, encoding, limit
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
        for setting, names in (("labels", self.layout.labels), ("header", self.header)):
            if twice := sorted({name for name in names if list(names).count(name) > 1}):
                found.append(Problem(f"table: {setting}", "names stand twice", shown(twice), "Remove one of each."))
        try:
            b"    ".decode(self.encoding)  # `codecs.lookup` would take "hex", which gives no text
        except UnicodeError:
            pass
        except LookupError:
            found.append(Problem("table: encoding", "unknown encoding", shown(self.encoding), "Try utf-8 or cp1252."))
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
        source = self._from_hub(split) if self.hub else self._from_file(split, problems)
        if source is None:
            return None
        where, records = source
        refuse_shapes(records, where, self.layout.columns, problems)
        table = Rows(records, where, split, self.layout, known, problems).table()
        if broken is not None:
            raise broken
        if split == TRAIN:
            self.train = table
        return table

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
        records = read_records(path, file, problems, format=format, encoding=self.encoding, header=self.header)
        return file, records

    def _from_hub(self, split: str) -> tuple[str, Records] | None:
        data = load(self.places, self.hub, self.subset, split)
        where = " ".join(part for part in (self.hub, self.subset, split) if part)
        return None if data is None else (where, dataset_records(data, where))
