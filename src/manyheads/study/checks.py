"""What every part of a study file is checked with: tables, names and methods. Every problem is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from manyheads import registry
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.settings import NAME, Settings, odd_numbers, problems_of, spelt
from manyheads.study.spec import DEFAULTS, FAMILY_OF, Choice, Study, Table

Model = TypeVar("Model", bound=Settings)
TABLES = ("tasks", "arms", "dataset", "head", "encoder", "sampling", "weighting", "sharing", "analyses", "sweep")
"""What is checked by what it holds, not by the model of the table that it stands in."""


class Checker:
    """Reads values out of nested tables, and keeps every problem.

    :param raw: The whole file, parsed.
    :param code: The folder of `--code`.
    """

    def __init__(self, raw: Table, code: Path | None) -> None:
        self.raw = raw
        self.code = code
        self.problems: list[Problem] = []

    def problem(self, where: str, what: str, found: str = "", remedy: str = "") -> None:
        self.problems.append(Problem(where, what, found, remedy))

    def read(self, model: type[Model], table: Table, where: str) -> Model:
        """A table as a model. What is wrong in it is kept as a problem, and read as if it had been left out."""
        typed = {key: value for key, value in table.items() if key not in TABLES}
        self.problems += odd_numbers(typed, model, where)
        try:
            return model.model_validate(table)
        except ValidationError as error:
            self.problems += problems_of(error, model, where)
            wrong = {item["loc"][0] for item in error.errors(include_url=False)}
            return model.model_validate({key: value for key, value in table.items() if key not in wrong})

    def tables(self, key: str, one: str, example: str) -> dict[str, Table]:
        given = self.raw.get(key, {})
        if given == {}:
            self.problem(key, f"a study needs at least one {one}", "", f"Begin one with {example}.")
        tables: dict[str, Table] = {}
        for name, table in given.items() if isinstance(given, dict) else ():
            if not NAME.fullmatch(name):
                remedy = "Use up to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit."
                self.problem(f"{key}.{name}", "not a name", shown(name), remedy)
            elif name.lower() in {other.lower() for other in tables}:
                self.problem(f"{key}.{name}", "differs from another name by case only", shown(name), "Rename one.")
            elif not isinstance(table, dict):
                self.problem(f"{key}.{name}", "should be a table", shown(table), f"Begin it with [{key}.{name}].")
            else:
                tables[name] = table
        return tables

    def choice(self, where: str, table: Table, key: str) -> Choice:
        at = f"{where}.{key}" if where else key
        given = table.get(key, {} if key in DEFAULTS else None)
        name = given.get("name", DEFAULTS.get(key)) if isinstance(given, dict) else None
        if not isinstance(name, str):
            example = f'For example {key} = {{ name = "{registry.names(FAMILY_OF[key], self.code)[0]}" }}.'
            self.problem(at, "should be a table with a name", "nothing" if given is None else shown(given), example)
            return Choice("")
        return self.member(
            at, FAMILY_OF[key], name, {setting: given[setting] for setting in given if setting != "name"}
        )

    def member(self, at: str, family: str, name: str, settings: Table) -> Choice:
        """A member of a family, its settings checked against what may be set."""
        try:
            self.problems += registry.describe(family, name, self.code).problems(settings, at)
        except StudyError as error:
            self.problems += [replace(problem, where=at) for problem in error.problems]
        return Choice(name, settings)

    def analysis(self, name: str, table: Any, study: Study) -> Choice:
        """An analysis, asked whether its settings fit the study if there is nothing else wrong with them."""
        where, before = f"analyses.{spelt(name)}", len(self.problems)
        if not isinstance(table, dict):
            self.problem(where, "should be a table", shown(table), f"Begin it with [{where}].")
            return Choice(name)
        choice = self.member(where, "analyses", name, table)
        if len(self.problems) == before and study.arms:
            self.asked("analyses", choice, study, where)
        return choice

    def asked(self, family: str, choice: Choice, about: Any, where: str) -> None:
        """Keep what a member itself finds wrong with its settings."""
        try:
            self.problems += registry.checks(family, choice.name, self.code).problems(about, choice.settings, where)
        except StudyError as error:
            self.problems += error.problems
