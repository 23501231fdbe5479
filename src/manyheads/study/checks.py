"""What every part of a study file is checked with: keys, values, names and methods. Every problem is kept."""

import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from manyheads import registry
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.study.spec import BUDGETS, DEFAULTS, FAMILY_OF, OPTIMIZERS, POSITIVE, TRAINING, Choice, Study

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
            for item in error.errors(include_url=False):
                at = ".".join([where, *(str(part) for part in item["loc"] if "[" not in str(part))])
                self.problem(at, item["msg"][0].lower() + item["msg"][1:], shown(item["input"]), _remedy(item))
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

    def training(self, where: str, table: dict[str, Any], only_given: bool = False) -> dict[str, Any]:
        given = table.get("training", {})
        at = f"{where}.training" if where else "training"
        if not isinstance(given, dict):
            self.problem(at, "should be a table", shown(given), "For example { batch_size = 32 }.")
            return {}
        self.keys(at, given, set(TRAINING))
        values = {
            key: self.value(at, given, key, kind, default)
            for key, (kind, default) in TRAINING.items()
            if key in given or not only_given
        }
        for key in POSITIVE & set(values):
            if not 0 < values[key] < float("inf"):
                self.problem(
                    f"{at}.{key}", "should be more than 0", shown(values[key]), f"For example {TRAINING[key][1]}."
                )
        if not 0 <= values.get("warmup", 0) < 1:
            self.problem(f"{at}.warmup", "is a share of all steps, from 0 to below 1", shown(values["warmup"]), "")
        if values.get("clip", 0) < 0:
            self.problem(f"{at}.clip", "should be 0 (off) or more", shown(values["clip"]), "")
        often = values.get("checkpoint", {"minutes": 10.0})
        if len(often) != 1 or not all(0 < number < float("inf") for number in often.values()):
            remedy = "For example { minutes = 10 } or { steps = 500 }."
            self.problem(f"{at}.checkpoint", "should be one of minutes and steps, above 0", shown(often), remedy)
        if "optimizer" in values:
            values["optimizer"] = self.optimizer(f"{at}.optimizer", values["optimizer"])
        return values

    def optimizer(self, where: str, given: dict[str, Any]) -> dict[str, Any]:
        name = given.get("name")
        if not isinstance(name, str) or name not in OPTIMIZERS:
            self.problem(where, f"there is no {shown(name)}", "", registry.close(str(name), OPTIMIZERS))
            return {"name": "adamw"}
        known = OPTIMIZERS[name]
        self.keys(where, given, {"name", *known})
        values = {key: self.value(where, given, key, *known[key]) for key in known}
        betas = values.get("betas", [0.9, 0.999])
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            self.problem(f"{where}.betas", "should be two numbers from 0 to below 1", shown(betas), "")
        if not 0 <= values["weight_decay"] < float("inf"):
            self.problem(f"{where}.weight_decay", "should be 0 or more", shown(values["weight_decay"]), "")
        if not 0 < values.get("epsilon", 1.0) < float("inf"):
            self.problem(f"{where}.epsilon", "should be more than 0", shown(values["epsilon"]), "")
        if not 0 <= values.get("momentum", 0.0) < 1:
            self.problem(f"{where}.momentum", "should be from 0 to below 1", shown(values["momentum"]), "")
        return {"name": name, **values}

    def budget(self, where: str, table: dict[str, Any]) -> tuple[str, float]:
        at = f"{where}.budget" if "budget" in table else "budget"
        given = table.get("budget", self.raw.get("budget", {"epochs": 3}))
        if not isinstance(given, dict) or len(given) != 1 or next(iter(given)) not in BUDGETS:
            self.problem(at, "should set one of epochs, steps, examples", shown(given), "For example { epochs = 3 }.")
            return "epochs", 1
        key, amount = next(iter(given.items()))
        amount = self.checked(f"{at}.{key}", amount, BUDGETS[key], 1)
        if not 0 < amount < float("inf"):
            self.problem(f"{at}.{key}", "should be more than 0", shown(amount), "")
        return key, amount


def _remedy(item: Any) -> str:
    """What would mend a value, from pydantic's account of what is wrong with it."""
    given = item["input"]
    choices = re.findall(r"'([^']*)'", item["ctx"]["expected"]) if item["type"] == "literal_error" else []
    close = difflib.get_close_matches(str(given), choices, n=1)
    if close:
        return f'Did you mean "{close[0]}"?'
    if item["type"] == "string_type" and isinstance(given, bool | int | float):
        return "Write it in quotes."
    if item["type"] in ("float_type", "int_type", "bool_type") and isinstance(given, str):
        return "Write it without quotes."
    return ""
