"""What may be set, as types: ranges, tables with a value for each task, and one translator from pydantic's errors to
ours. Imports no torch.

A method writes `portion: Annotated[float, Gt(0), Le(1)] = 0.5`, or names what is here:
`weights: PerTask[NotNegative]`. The registry reads such annotations from the source and never runs them.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from manyheads.core.problems import Problem, among, close, shown

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
"""A text is no number, true is no 1, and every number is finite."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What tasks and arms may be called."""
T = TypeVar("T")


class Settings(BaseModel):
    """A table of settings: fixed once made, and with no key beside its fields."""

    model_config = STRICT | ConfigDict(frozen=True, extra="forbid")


def unfit(what: str, remedy: str = "") -> PydanticCustomError:
    """What a validator raises, to be told as a `Problem`."""
    return PydanticCustomError("unfit", "{what}", {"what": what, "remedy": remedy})


# ------------------------------------------------------------------------------------------------------------- types


def _of_the_arm(task: str, info: ValidationInfo) -> str:
    tasks = (info.context or {}).get("tasks")
    if tasks is not None and task not in tasks:
        raise unfit("names what this arm does not have", among(task, tasks))
    return task


def _not_all_zero(weights: Mapping[str, float], info: ValidationInfo) -> Mapping[str, float]:
    tasks = (info.context or {}).get("tasks")
    if tasks and all(weights.get(task) == 0 for task in tasks):
        raise unfit("all weights are 0, so that nothing is learned", "1 is an ordinary weight; 0 turns a task off.")
    return weights


def _divides_width(parts: int, info: ValidationInfo) -> int:
    width = (info.context or {}).get("width")
    if width is not None and width % parts:
        raise unfit("should divide the width", f"Choose a divisor of the encoder's width, {width}.")
    return parts


Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
BelowOne = Annotated[float, Ge(0), Lt(1)]
BetweenZeroAndOne = Annotated[float, Gt(0), Lt(1)]
PositiveInt = Annotated[int, Ge(1)]
NotNegativeInt = Annotated[int, Ge(0)]
TaskName = Annotated[str, AfterValidator(_of_the_arm)]
"""A task of the arm. What the arm has is known where `check` is told its `tasks`."""
PerTask = dict[TaskName, T]
"""A value for each of some tasks of the arm."""
NotAllZero = AfterValidator(_not_all_zero)
"""Of a `PerTask[float]`: it does not turn off every task of the arm."""
DividesWidth = AfterValidator(_divides_width)
"""Of a whole number: the encoder's `width` can be divided by it."""
TYPES = (
    "Positive",
    "NotNegative",
    "BelowOne",
    "PositiveInt",
    "NotNegativeInt",
    "TaskName",
    "PerTask",
    "NotAllZero",
    "DividesWidth",
)
"""What of this module a method's annotations may name."""


# ------------------------------------------------------------------------------------------------------------ checks


def check(kind: Any, value: Any, where: str, context: Mapping[str, Any], default: Any = None) -> list[Problem]:
    """What is wrong with a value that should be of type `kind`.

    :param context: What the types of this module ask for: `tasks`, the names of the arm's tasks; the encoder's `width`.
    :param default: What is used if no value is given, for the remedy.
    """
    try:
        _adapter(kind).validate_python(value, context=context)
    except ValidationError as error:
        return problems_of(error, kind, where, default)
    return odd_numbers(value, kind, where, default)


def odd_numbers(value: Any, kind: Any, where: str, default: Any = None) -> list[Problem]:
    """The numbers in a value that stand for no amount, though a type may let them pass: -0.0, which no setting tells
    from 0 on purpose, and where a type is not known (`Any`) what is not finite."""
    problems = []
    for location, number in _floats(value):
        names, at, usual = _followed(kind, location, default)
        minus_zero = number == 0 and math.copysign(1, number) < 0
        if minus_zero or not math.isfinite(number):
            what = f"should be {_range(at) or 'a finite number'}" + (", and without a sign" if minus_zero else "")
            remedy = "" if not isinstance(usual, int | float) else f"The default is {usual!r}."
            problems.append(Problem(".".join(filter(None, [where, *names])), what, shown(number), remedy))
    return problems


def _floats(value: Any, at: tuple[int | str, ...] = ()) -> Iterator[tuple[tuple[int | str, ...], float]]:
    """The numbers with a point in nested tables and lists, with the keys that lead to them."""
    if isinstance(value, float):
        yield at, value
    elif isinstance(value, Mapping | list | tuple):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _floats(part, (*at, key))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """To make one takes longer than to check a whole study with it."""
    return TypeAdapter(kind, config=STRICT)


def problems_of(error: ValidationError, kind: Any, where: str, default: Any = None) -> list[Problem]:
    """All that pydantic found wrong with a value of type `kind` that stands at `where`."""
    return [_problem(item, kind, where, default) for item in error.errors(include_url=False)]


def _problem(error: ErrorDetails, kind: Any, where: str, default: Any) -> Problem:
    names, at, default = _followed(kind, error["loc"], default)
    where, found, context = ".".join(filter(None, [where, *names])), shown(error["input"]), error.get("ctx", {})
    match error["type"]:
        case "unfit":
            return Problem(where, context["what"], found, context["remedy"])
        case "extra_forbidden":
            return no_such_key(where, str(error["loc"][-1]), at.model_fields)
        case "union_tag_invalid":
            tags = re.findall(r"'([^']*)'", context["expected_tags"])
            return Problem(where, f"there is no {shown(context['tag'])}", "", among(str(context["tag"]), tags))
        case "union_tag_not_found":
            return Problem(where, "should be a table with a name", found)
        case "model_type" | "model_attributes_type" | "dict_type" | "mapping_type":
            return Problem(where, "should be a table", found)
        case "literal_error":
            return Problem(where, f"should be {in_words(at)}", found, close(str(error["input"]), _choices(at)))
        case "finite_number" | "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            remedy = (
                f"The default is {default!r}." if isinstance(default, int | float) else f"Expected: {in_words(at)}."
            )
            return Problem(where, f"should be {_range(at) or 'a finite number'}", found, remedy)
    return Problem(
        where, error["msg"][0].lower() + error["msg"][1:], found, _remedy(error) or f"Expected: {in_words(at)}."
    )


def no_such_key(where: str, key: str, known: Iterable[str]) -> Problem:
    """A key that is none of those known, at `where`, which ends with it."""
    return Problem(where, "there is no such key", "", among(key, known) if known else "It takes no settings.")


def spelt(key: str) -> str:
    """A key as messages name it: quoted if it is no name."""
    return key if NAME.fullmatch(key) else shown(key)


def _remedy(error: ErrorDetails) -> str:
    """What would mend a value of another type."""
    given, kind = error["input"], error["type"]
    if kind == "string_type" and isinstance(given, bool | int | float):
        return "Write it in quotes."
    if kind in ("float_type", "int_type", "bool_type") and isinstance(given, str):
        return "Write it without quotes."
    return ""


def _followed(kind: Any, location: Sequence[int | str], default: Any) -> tuple[list[str], Any, Any]:
    """The keys that lead to a place in a value of type `kind`, the type there (of a key too many, its table's), and
    what is used if nothing is given there."""
    names: list[str] = []
    for part in location:
        members = _members(kind)
        if len(members) > 1:  # pydantic says here which of a union's types it tried
            kind = next((one for one in members if _tag(one) == part), Any)
        elif part == "[key]":
            names.pop()  # what was found tells it
            kind = Any
        else:
            names.append(spelt(str(part)) if isinstance(part, str) else str(part))
            kind, default = _inner(members[0], part)
    return names, kind, default


def _members(kind: Any) -> list[Any]:
    """The types of a union but None; of any other type itself. Without what annotates them."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        return [member for each in get_args(kind) if each is not type(None) for member in _members(each)]
    return [kind]


def _tag(model: Any) -> Any:
    """The `name` by which a union of models tells this one."""
    return model.model_fields["name"].default if "name" in getattr(model, "model_fields", ()) else None


def _inner(kind: Any, part: int | str) -> tuple[Any, Any]:
    """The type and default of a model's field, or of what a table or list holds."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        known = kind.model_fields.get(str(part))
        return (hints(kind)[str(part)], known.default) if known else (kind, None)
    return (get_args(kind) or [Any])[-1], None


def hints(model: type[BaseModel]) -> dict[str, Any]:
    """The types of a model's fields, with what annotates them."""
    return get_type_hints(model, include_extras=True)


# ------------------------------------------------------------------------------------------------------------- words


def in_words(kind: Any) -> str:
    """A type as a person reads it: "whole number, 1 or more", '"keep" or "fresh"', "table of task = number"."""
    words = list(dict.fromkeys(_word(member) for member in _members(kind)))
    return ", ".join(filter(None, [" or ".join(words), _range(kind)]))


def _word(kind: Any) -> str:
    origin, inside = get_origin(kind) or kind, get_args(kind)
    if origin is Literal:
        *others, last = [f'"{value}"' for value in _choices(kind)]
        return f"{', '.join(others)} or {last}" if others else last
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key = "task" if inside and inside[0] == TaskName else "key"
        return f"table of {key} = {in_words(inside[1])}" if inside and inside[1] is not Any else "table"
    if isinstance(origin, type) and issubclass(origin, Sequence) and origin is not str:
        return "list of " + re.sub(r"(number|text)\b", r"\1s", in_words(inside[0])) if inside else "list"
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return "table"
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}.get(kind, "anything")


def _choices(kind: Any) -> list[str]:
    """What a `Literal` may be, but for the empty text, which leaves it out."""
    return [value for member in _members(kind) if get_origin(member) is Literal for value in get_args(member) if value]


def _annotations(kind: Any) -> Iterator[Any]:
    """What annotates a type, or a member of a union."""
    if get_origin(kind) is Annotated:
        yield from kind.__metadata__
        yield from _annotations(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from _annotations(member)


def _range(kind: Any) -> str:
    """The range of a type's numbers, as it follows "should be"; "" if it has none."""
    notes = list(_annotations(kind))
    low = next((note for note in notes if isinstance(note, Gt | Ge)), None)
    high = next((note for note in notes if isinstance(note, Lt | Le)), None)
    if isinstance(low, Ge) and high:
        return f"from {low.ge} to {high.le}" if isinstance(high, Le) else f"from {low.ge} to below {high.lt}"
    first = f"more than {low.gt}" if isinstance(low, Gt) else f"{low.ge} or more" if low else ""
    last = f"less than {high.lt}" if isinstance(high, Lt) else f"at most {high.le}" if high else ""
    return " and ".join(filter(None, [first, last]))
