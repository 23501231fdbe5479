"""Jinja templates in which every text of the data is escaped."""

import re
from importlib import resources
from inspect import isfunction

from jinja2 import Environment, PackageLoader, StrictUndefined

from manyheads.core.printable import printable
from manyheads.core.problems import counted
from manyheads.results import numbers


def clean(text: object) -> str:
    """A text as a page or a figure may hold it, with its tabs and line ends."""
    return printable(text, "\n\t")


def plain_path(path: str) -> bool:
    """Whether a text is a path inside the study's folder, and nothing but that."""
    return re.fullmatch(r"[A-Za-z0-9][\w.=-]*(/[A-Za-z0-9][\w.=-]*)*", path, re.ASCII) is not None


def template_source(name: str) -> str:
    """What is in a file beside the templates."""
    return resources.files("manyheads.report").joinpath("templates", name).read_text(encoding="utf-8")


def shortened(text: object, longest: int) -> str:
    """`clean` text of at most so many characters, the last of them an ellipsis if it was longer."""
    text = clean(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _printed(value: object) -> object:
    return value if hasattr(value, "__html__") else clean(value)


TEMPLATES = Environment(
    loader=PackageLoader("manyheads.report"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_printed,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.tests["plain_path"] = plain_path
TEMPLATES.globals |= {"counted": counted} | {
    name: function for name, function in vars(numbers).items() if isfunction(function)
}
