"""Group G: folders that results are written into and are somebody's, and models that are left out."""

from pathlib import Path

from bad_input_case import Case, own, rows, study

GOOD = {"data.tsv": rows("a\tx", "b\ty")}
STUDY = study(own(), more='[encoder]\nname = "bag_of_words"\n')
RUN = ("run", "study.toml", "--out", "out", "--workers", "0")
OVERWRITTEN, THROUGH = "overwritten, silently", "the target is written over"


def refused(given: str, peers: str, *says: str, files: dict[str, str] | None = None, **more: object) -> Case:
    """A folder that is not taken."""
    return Case(95, given, peers, {**GOOD, **(files or {})}, STUDY, says, command=RUN, **more)  # type: ignore[arg-type]


def link(name: str) -> "Case":
    """A place in the study's folder that is a link to a file of the user's."""

    def prepare(folder: Path) -> None:
        (folder / "out").mkdir()
        (folder / "out" / name).symlink_to(folder / "mine.txt")

    says = (f"out/{name}: this is a link, and what is written there would be written elsewhere",)
    return refused(f"`--out` with a link `{name}`", THROUGH, *says, files={"mine.txt": "mine"}, prepare=prepare)


CASES = [
    refused("`--out` with a `study.toml` and tables of one's own", OVERWRITTEN,
            "out: holds files that manyheads did not write", "'study.toml', 'tables'",
            files={"out/study.toml": "mine", "out/tables/main.csv": "mine"}),
    refused("`--out` with notes of one's own", "written beside them", "Found 'notes.txt'. Choose another --out",
            files={"out/notes.txt": "mine"}),
    refused("`--out` with a file `lock` of one's own", OVERWRITTEN, "Found 'lock'", files={"out/lock": "mine"}),
    link("lock"), link("results.json"),
    Case(95, "Models that are kept in another way", "a default", GOOD, f'keep_models = "some"\n{STUDY}',
         ("keep_models", "some")),
]  # fmt: skip
