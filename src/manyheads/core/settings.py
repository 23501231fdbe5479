"""What may be set, as types: the models of a study's tables, the ranges of their values, and one translator from
pydantic's errors to ours. Imports no torch.
"""

import re
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails, PydanticCustomError

from manyheads.core.problems import Problem, among, close, shown

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
"""A text is no number, true is no 1, and every number is finite."""


class Settings(BaseModel):
    """A table of settings: fixed once made, and with no key beside its fields."""

    model_config = STRICT | ConfigDict(frozen=True, extra="forbid")


def unfit(what: str, remedy: str = "") -> PydanticCustomError:
    """What a validator raises, to be told as a `Problem`."""
    return PydanticCustomError("unfit", "{what}", {"what": what, "remedy": remedy})


def problem_of(error: ErrorDetails, kind: Any, where: str) -> Problem:
    """One of pydantic's errors in a value of type `kind` that stands at `where`."""
    names, at = _followed(kind, error["loc"])
    where, found, context = ".".join([where, *names]), shown(error["input"]), error.get("ctx", {})
    match error["type"]:
        case "unfit":
            return Problem(where, context["what"], found, context["remedy"])
        case "extra_forbidden":
            known = at.model_fields
            return Problem(where, "there is no such key", "", among(names[-1], known))
        case "missing":
            return Problem(where, "is missing")
        case "union_tag_invalid":
            tags = re.findall(r"'([^']*)'", context["expected_tags"])
            return Problem(where, f"there is no {shown(context['tag'])}", "", among(context["tag"], tags))
        case "union_tag_not_found":
            return Problem(where, "should be a table with a name", found)
        case "model_type" | "model_attributes_type" | "dict_type" | "mapping_type":
            return Problem(where, "should be a table", found)
        case "finite_number" | "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return Problem(where, f"should be {range_of(at) or 'a finite number'}", found)
    return Problem(where, error["msg"][0].lower() + error["msg"][1:], found, _remedy(error))


def _followed(kind: Any, location: Sequence[int | str]) -> tuple[list[str], Any]:
    """The keys that lead to a place in a value of type `kind`, and the type there; of a key too many, its table's."""
    names: list[str] = []
    for part in location:
        members = _members(kind)
        if len(members) > 1:  # pydantic says here which of a union's types it tried
            kind = next((one for one in members if _tag(one) == part), Any)
        elif part != "[key]":
            names.append(str(part))
            kind = _inner(members[0], part)
    return names, kind


def _tag(model: Any) -> Any:
    """The `name` by which a union of models tells this one."""
    return model.model_fields["name"].default if "name" in getattr(model, "model_fields", ()) else None


def _members(kind: Any) -> list[Any]:
    """The types of a union but None; of any other type itself. Without what annotates them."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        return [member for each in get_args(kind) if each is not type(None) for member in _members(each)]
    return [kind]


def _inner(kind: Any, part: int | str) -> Any:
    """The type of a field of a model, or of what a table or list holds."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return get_type_hints(kind, include_extras=True).get(str(part), kind)
    return (get_args(kind) or [Any])[-1]


def _annotations(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from kind.__metadata__
    if get_origin(kind) in (Annotated, Union, UnionType):
        for member in get_args(kind):
            yield from _annotations(member)


def range_of(kind: Any) -> str:
    """The range of a type's numbers in words, as they follow "should be"; "" if it has none."""
    low = next((note for note in _annotations(kind) if isinstance(note, Gt | Ge)), None)
    high = next((note for note in _annotations(kind) if isinstance(note, Lt | Le)), None)
    match low, high:
        case Gt(gt=bound), None:
            return f"more than {bound}"
        case Ge(ge=bound), None:
            return f"{bound} or more"
        case Gt(gt=bound), Lt(lt=top):
            return f"between {bound} and {top}"
        case Gt(gt=bound), Le(le=top):
            return f"more than {bound} and at most {top}"
        case Ge(ge=bound), Lt(lt=top):
            return f"from {bound} to below {top}"
        case Ge(ge=bound), Le(le=top):
            return f"from {bound} to {top}"
        case None, Lt(lt=top):
            return f"less than {top}"
        case None, Le(le=top):
            return f"at most {top}"
    return ""


def _remedy(error: ErrorDetails) -> str:
    """What would mend a value of another type."""
    given, kind = error["input"], error["type"]
    if kind == "literal_error":
        return close(str(given), re.findall(r"'([^'{}:]+)'", str(error.get("ctx"))))
    if kind == "string_type" and isinstance(given, bool | int | float):
        return "Write it in quotes."
    if kind in ("float_type", "int_type", "bool_type") and isinstance(given, str):
        return "Write it without quotes."
    return ""
