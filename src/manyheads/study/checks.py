"""What every part of a study file is checked with: keys, values, names and methods. Every problem is kept."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from manyheads import registry
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.settings import problem_of
from manyheads.study.spec import DEFAULTS, FAMILY_OF, Budget, Choice, Study, TrainingSettings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """To make one takes longer than to check a whole study with it."""
    return TypeAdapter(kind)


class Checker:
    """Reads values out of nested tables, and keeps every problem.

    :param raw: The whole file, parsed.
    :param code: The folder of `--code`.
    """

    def __init__(self, raw: dict[str, Any], code: Path | None) -> None:
        self.raw = raw
        self.code = code
        self.problems: list[Problem] = []

    def problem(self, where: str, what: str, found: str = "", remedy: str = "") -> None:
        self.problems.append(Problem(where, what, found, remedy))

    def keys(self, where: str, table: Mapping[str, Any], known: set[str]) -> None:
        for key in table:
            if key not in known:
                spelt = key if NAME.fullmatch(key) else shown(key)
                at = f"{where}.{spelt}" if where else spelt
                remedy = registry.close(key, known) if known else "It takes no settings."
                self.problem(at, "there is no such key", "", remedy)

    def value(self, where: str, table: Mapping[str, Any], key: str, kind: Any, default: Any) -> Any:
        return self.checked(f"{where}.{key}" if where else key, table[key], kind, default) if key in table else default

    def checked(self, where: str, value: Any, kind: Any, default: Any) -> Any:
        try:
            return _adapter(kind).validate_python(value, strict=True)
        except ValidationError as error:
            self.problems += [problem_of(item, kind, where) for item in error.errors(include_url=False)]
            return default

    def tables(self, key: str, one: str, example: str) -> dict[str, dict[str, Any]]:
        given = self.raw.get(key)
        if not isinstance(given, dict) or not given:
            self.problem(key, f"a study needs at least one {one}", "", f"Begin one with {example}.")
            return {}
        tables: dict[str, dict[str, Any]] = {}
        for name, table in given.items():
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

    def choice(self, where: str, table: dict[str, Any], key: str) -> Choice:
        at = f"{where}.{key}" if where else key
        given = table.get(key, {"name": DEFAULTS[key]} if key in DEFAULTS else None)
        if not isinstance(given, dict) or not isinstance(given.get("name", DEFAULTS.get(key)), str):
            example = f'For example {key} = {{ name = "{registry.names(FAMILY_OF[key], self.code)[0]}" }}.'
            self.problem(at, "should be a table with a name", "nothing" if given is None else shown(given), example)
            return Choice("")
        name = given.get("name", DEFAULTS.get(key))
        settings = {setting: value for setting, value in given.items() if setting != "name"}
        return self.member(at, FAMILY_OF[key], name, settings)

    def member(self, at: str, family: str, name: str, settings: dict[str, Any]) -> Choice:
        """A member of a family, its settings checked against what may be set."""
        try:
            entry = registry.describe(family, name, self.code)
        except StudyError as error:
            self.problem(at, error.problems[0].what, "", error.problems[0].remedy)
            return Choice(name, settings)
        known = {setting.name: setting for setting in entry.settings}
        self.keys(at, settings, set(known))
        for setting in entry.settings:
            if setting.name in settings:
                self.checked(f"{at}.{setting.name}", settings[setting.name], setting.type, None)
            elif setting.default is registry.REQUIRED:
                self.problem(
                    f"{at}.{setting.name}", f'"{name}" needs this setting', "", f"It is a {setting.annotation}."
                )
        return Choice(name, settings)

    def analysis(self, name: str, table: Any, study: Study) -> Choice:
        """An analysis, asked whether its settings fit the study if there is nothing else wrong with them."""
        where, before = f"analyses.{name if NAME.fullmatch(name) else shown(name)}", len(self.problems)
        if not isinstance(table, dict):
            self.problem(where, "should be a table", shown(table), f"Begin it with [{where}].")
            return Choice(name)
        choice = self.member(where, "analyses", name, table)
        if len(self.problems) == before and study.arms:
            try:
                checks = registry.checks("analyses", name, self.code)
            except StudyError as error:
                self.problems.extend(error.problems)
                return choice
            if checks is not None:
                self.problems.extend(checks.problems(study, dict(choice.settings), where))
        return choice

    def training(self, where: str, table: dict[str, Any]) -> TrainingSettings:
        """What an arm's own `[training]` says, and what the study's says of the rest."""
        given: dict[str, Any] = {}
        own: set[str] = set()
        for at, part in (("training", self.raw.get("training", {})), (f"{where}.training", table.get("training", {}))):
            if isinstance(part, dict):
                given |= part
                own = set(part)
            else:
                self.problem(at, "should be a table", shown(part), "For example { batch_size = 32 }.")
                own = set()
        try:
            return TrainingSettings.model_validate(given)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                at = f"{where}.training" if item["loc"][0] in own else "training"
                self.problems.append(problem_of(item, TrainingSettings, at))
            return TrainingSettings()

    def budget(self, where: str, table: dict[str, Any]) -> Budget:
        at = f"{where}.budget" if "budget" in table else "budget"
        return self.checked(at, table.get("budget", self.raw.get("budget", {"epochs": 3})), Budget, Budget(epochs=1))
