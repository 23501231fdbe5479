"""Read one split of a dataset of the Hugging Face Hub, or of a local mirror of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from pyarrow.compute import call_function

from manyheads.core.problems import Problem, StudyError, counted, shown
from manyheads.core.values import TEST, TRAIN, Places, Table
from manyheads.datasets._checks import Problems, check_ids, check_spans, clusters, repairs
from manyheads.datasets._texts import check_texts

LOCAL = "local/"
"""Datasets that only a mirror has. Nobody else's dataset of that name is to be read from the Hub."""
STRING = datasets.Value("string")
ANSWERS = {"text": datasets.List(STRING), "answer_start": datasets.List(datasets.Value("int64"))}


def load(places: Places, name: str, subset: str, split: str) -> datasets.Dataset | None:
    """One split of `<data>/<name>` if there is such a folder, else of the Hub's dataset; None if it has no such split.

    :param name: `organisation/name`, as on the Hub.
    :raises StudyError: If it is in neither place, has no such subset, or cannot be read.
    """
    if not re.fullmatch(r"\w[\w.-]{,95}/\w[\w.-]{,95}", name):
        remedy = 'Write "organisation/name".'
        raise StudyError([Problem("dataset", "this is not the name of a dataset on the Hub", shown(name), remedy)])
    folder = places.data / name if places.data else None
    path = str(folder) if folder and folder.is_dir() else name
    if path.startswith(LOCAL):
        what = f"not found in {places.data}" if places.data else "no folder with data was given"
        raise StudyError([Problem(name, what, "", "The Hub has no such dataset. Give a folder with --data FOLDER.")])
    # A study reports its own progress; the library's bars would write into it.
    datasets.disable_progress_bars()
    try:
        subsets = datasets.get_dataset_config_names(path)
        if subset and subset not in subsets:
            remedy = f"Choose from: {', '.join(subsets)}."
            raise StudyError([Problem(path, "there is no such subset", shown(subset), remedy)])
        if split not in datasets.get_dataset_split_names(path, subset or None):
            return None
        loaded = datasets.load_dataset(path, subset or None, split=split)
    except StudyError:
        raise
    except Exception as error:  # The Hub, the network and Parquet fail with any class of exception.
        raise StudyError([_unreadable(error, places.data, name, path)]) from error
    assert isinstance(loaded, datasets.Dataset)
    return loaded.select_columns([name for name, feature in loaded.features.items() if is_plain(feature)])


def is_plain(feature: Any) -> bool:
    """Whether a column holds nothing but texts and numbers. To read an image, the library would open whatever file or
    address the data name."""
    if isinstance(feature, dict):
        return all(map(is_plain, feature.values()))
    if isinstance(feature, datasets.List | datasets.LargeList):
        return is_plain(feature.feature)
    return isinstance(feature, datasets.Value | datasets.ClassLabel)


def _unreadable(error: Exception, data: Path | None, name: str, path: str) -> Problem:
    reason = shown(f"{type(error).__name__}: {error}".splitlines()[0], 200)
    if path != name:
        return Problem(
            path, "cannot be read", reason, "Copy the folder again, or look at its README.md and data files."
        )
    looked = f"not found in {data}" if data else "no folder with data was given"
    what = f"{looked}, and reading it from the Hub failed"
    return Problem(name, what, reason, "Give a folder that has it in the Hub's layout with --data FOLDER.")


def needs(data: datasets.Dataset, columns: Sequence[str], where: str) -> None:
    """Raise unless all the columns are there."""
    missing = [column for column in columns if column not in data.column_names]
    if missing:
        what = f"columns are missing: {', '.join(missing)}"
        raise StudyError([Problem(where, what, ", ".join(data.column_names), "Is this the dataset of that name?")])


def text_table(
    data: datasets.Dataset,
    where: str,
    split: str,
    texts: Sequence[str],
    *,
    label: str = "label",
    id: str = "",
    scale: tuple[float, float] | None = None,
    names: Mapping[str, str] | None = None,
) -> Table:
    """One or two texts with a label, as heads for classification and regression ask for them.

    :param where: Opens each message, such as `nyu-mll/glue sst2 train`.
    :param split: One of our three; only "test" may be without labels.
    :param texts: The columns with the text and, for pairs, the second text.
    :param id: The column with ids unique over all splits; without one, ids are `<split>-<row>`.
    :param scale: The lowest and the highest score, for regression; None for classes.
    :param names: New names for classes.
    """
    needs(data, [*texts, label, *([id] if id else [])], where)
    ids = [str(value) for value in data[id][:]] if id else [f"{split}-{row}" for row in range(len(data))]
    problems = Problems()

    def place(row: int) -> str:
        return f"{where} ({ids[row]})"

    check_ids(ids, place, problems)
    warnings = [warning for text in texts for warning in _blanks(data, text, where, place, problems)]
    values = np.asarray(data[label][:], dtype=float)
    labelled = not (split == TEST and len(values) and (values == -1).all())
    if scale:
        labels, gold = None, _scores(values, scale, labelled, place, problems)
    else:
        labels, gold = _classes(data, label, values, labelled, names or {}, place, problems)
    problems.stop()
    kind = datasets.Value("float64") if scale else STRING
    rows = data.select_columns(list(texts))
    rows = rows.rename_columns({old: new for old, new in zip(texts, ("text", "text_pair"), strict=False) if old != new})
    rows = rows.add_column("id", ids, feature=STRING).add_column("label", gold, feature=kind)
    return Table(
        rows.select_columns([c for c in ("id", "text", "text_pair", "label") if c in rows.column_names]),
        labels,
        labelled,
        warnings=warnings,
    )


def _blanks(
    data: datasets.Dataset, text: str, where: str, place: Callable[[int], str], problems: Problems
) -> list[Problem]:
    """Null texts are problems. Empty ones stand in official data, where nobody can mend them: they are only told."""
    column = data.data.column(text)
    if column.null_count:
        for row in np.flatnonzero(call_function("is_null", [column]).to_numpy()):
            problems.add(place(int(row)), f'"{text}" is missing or null')
    trimmed = call_function("utf8_trim_whitespace", [column])
    empty = call_function("sum", [call_function("equal", [trimmed, ""])]).as_py()
    return [Problem(where, f'"{text}" is empty in {counted(empty, "row")}')] if empty else []


def _scores(
    values: np.ndarray, scale: tuple[float, float], labelled: bool, place: Callable[[int], str], problems: Problems
) -> list[float | None]:
    if not labelled:
        return [None] * len(values)
    low, high = scale
    for row in np.flatnonzero(~((values >= low) & (values <= high))):
        problems.add(place(int(row)), f"the score is not within {low:g} and {high:g}", str(values[row]))
    # Stored as float32: rounding gives back the decimal number that was published (4.4, not 4.400000095).
    return np.round(values, 6).tolist()


def _classes(
    data: datasets.Dataset,
    label: str,
    values: np.ndarray,
    labelled: bool,
    names: Mapping[str, str],
    place: Callable[[int], str],
    problems: Problems,
) -> tuple[tuple[str, ...], list[str | None]]:
    feature = data.features[label]
    if not isinstance(feature, datasets.ClassLabel):
        what = f'the column "{label}" has no class names'
        raise StudyError([Problem(place(0), what, str(feature), "Read it with the dataset `table` instead.")])
    labels = tuple(names.get(name, name) for name in feature.names)
    if not labelled:
        return labels, [None] * len(values)
    for row in np.flatnonzero(~((values >= 0) & (values < len(labels)))):
        remedy = "-1 marks rows without label, which only a test split may have, and then in every row."
        problems.add(place(int(row)), "there is no class with this number", f"{values[row]:g}", remedy)
    problems.stop()
    return labels, [labels[int(value)] for value in values]


def choice_table(
    data: datasets.Dataset, where: str, split: str, text: str, choices: Sequence[str], *, opening: str = ""
) -> Table:
    """A text and its possible endings, as the head for multiple choice asks for them.

    :param opening: A column whose text opens every choice.
    """
    needs(data, [text, *choices, "label", *([opening] if opening else [])], where)
    ids = [f"{split}-{row}" for row in range(len(data))]
    problems = Problems()

    def place(row: int) -> str:
        return f"{where} ({ids[row]})"

    columns = [data[choice][:] for choice in choices]
    for name, values in zip([text, *choices], [data[text][:], *columns], strict=True):
        check_texts(values, name, place, problems)
    endings = [list(row) for row in zip(*columns, strict=True)]
    if opening:
        endings = [
            [f"{first} {ending}" for ending in row] for first, row in zip(data[opening][:], endings, strict=True)
        ]
    gold = data["label"][:]
    labelled = not (split == TEST and all(value == -1 for value in gold))
    for row, value in enumerate(gold if labelled else ()):
        if value not in range(len(choices)):
            problems.add(place(row), f"the label is not the number of one of {len(choices)} choices", shown(value))
    problems.stop()
    kinds = {"id": STRING, "text": STRING, "choices": datasets.List(STRING), "label": STRING}
    labels = [str(value) for value in gold] if labelled else [None] * len(gold)
    columns = {"id": ids, "text": data[text][:], "choices": endings, "label": labels}
    return Table(datasets.Dataset.from_dict(columns, datasets.Features(kinds)), None, labelled)


def spans(
    places: Places,
    hub: str,
    subset: str,
    split: str,
    *,
    repair: bool,
    unanswerable: bool,
    exclude_titles: Sequence[str],
) -> Table | None:
    """A split with questions on passages in the layout of SQuAD, as the head for spans asks for them; None if there is
    no such split.

    :param exclude_titles: Articles to leave out; how many rows that drops is counted.
    """
    data, where = load(places, hub, subset, split), f"{hub} {split}"
    if data is None:
        return None
    needs(data, ["id", "title", "context", "question", "answers"], where)
    every, warnings = len(data), []
    if exclude_titles:
        titles = data["title"][:]
        data = data.select([row for row, title in enumerate(titles) if title not in set(exclude_titles)])
        absent = sorted(set(exclude_titles) - set(titles)) if split == TRAIN else []
        warnings = [Problem(where, "no article to exclude has this title", shown(title)) for title in absent]
    ids, questions, contexts, answers = (data[column][:] for column in ("id", "question", "context", "answers"))
    problems = Problems()

    def place(row: int) -> str:
        return f"{where} ({ids[row]})"

    check_ids(ids, place, problems)
    for name, values in (("question", questions), ("context", contexts)):
        check_texts(values, name, place, problems)
    rows = zip(contexts, answers, strict=True)
    checked = check_spans(rows, place, problems, repair=repair, unanswerable=unanswerable)
    problems.stop()
    if checked.repaired:
        warnings.append(Problem(where, repairs(checked.repaired)))
    dropped = {"title excluded": every - len(ids)} if exclude_titles else {}
    return Table(span_rows(ids, questions, contexts, checked.answers), dropped=dropped, warnings=warnings)


def span_rows(
    ids: Sequence[str], questions: Sequence[str], contexts: Sequence[str], answers: Sequence[dict[str, list[Any]]]
) -> datasets.Dataset:
    """The columns of the head for spans; `cluster` says which questions are on the same passage."""
    columns: dict[str, Any] = {"id": ids, "question": questions, "context": contexts, "answers": answers}
    columns["cluster"] = clusters(contexts)
    kinds = {"id": STRING, "question": STRING, "context": STRING, "answers": ANSWERS, "cluster": STRING}
    return datasets.Dataset.from_dict(columns, datasets.Features(kinds))
