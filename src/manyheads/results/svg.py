"""What a drawing may hold that comes back from a file: shapes and texts, nothing that runs, loads or covers."""

import re
from xml.etree import ElementTree

ELEMENTS = {"svg", "g", "defs", "style", "clipPath", "path", "rect", "use", "text", "tspan"}
ATTRIBUTES = {
    "aria-label", "clip-path", "d", "height", "href", "id", "role", "style", "transform", "type", "version", "viewBox",
    "width", "x", "xmlns", "y",
}  # fmt: skip
PROPERTIES = {
    "fill", "fill-opacity", "fill-rule", "font", "font-family", "font-size", "font-style", "font-weight", "opacity",
    "stroke", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit",
    "stroke-opacity", "stroke-width", "text-anchor", "white-space",
}  # fmt: skip
STYLE = "*{stroke-linejoin: round; stroke-linecap: butt}"
"""The one style sheet that matplotlib writes."""
LARGEST = 1_000_000
"""Characters; a figure that a person can read is far smaller."""
_HERE = re.compile(r"#[A-Za-z0-9_-]+")
_SPACE = "{http://www.w3.org/2000/svg}"


def svg_problem(text: str) -> str | None:
    """Why a text is not a drawing as `drawing.finish` makes it, in words; None if it is one."""
    if len(text) > LARGEST:
        return f"the drawing has {len(text):,} characters, more than {LARGEST:,}"
    if "<!" in text or text.count("<?") > 1 or ("<?" in text and not text.startswith("<?xml ")):
        return "the drawing has declarations"  # entities that grow without end begin so
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        return f"the drawing is not XML: {error}"
    if root.tag != f"{_SPACE}svg":
        return "the drawing does not begin with svg"
    return next((problem for element in root.iter() if (problem := _element_problem(element))), None)


def _element_problem(element: ElementTree.Element) -> str | None:
    name = str(element.tag).removeprefix(_SPACE)
    if name not in ELEMENTS:
        return f"the drawing has an element {name[:40]!r}"
    if name == "style" and (element.text or "").strip() != STYLE:
        return "the drawing has a style sheet"
    for key, value in element.attrib.items():
        if key not in ATTRIBUTES:
            return f"the drawing has an attribute {key[:40]!r}"
        if key == "href" and not _HERE.fullmatch(value):
            return "the drawing refers to something else"
        if key == "clip-path" and not re.fullmatch(rf"url\({_HERE.pattern}\)", value):
            return "the drawing is cut to something else"
        if key == "style" and (problem := _style_problem(value)):
            return problem
    return None


def _style_problem(style: str) -> str | None:
    if re.search(r"[\\@<>{}]|/\*|url\s*\(|expression", style, re.IGNORECASE):
        return "the drawing has a style that loads or runs"
    names = [part.partition(":")[0].strip() for part in style.split(";") if part.strip()]
    return next((f"the drawing has a style {name[:40]!r}" for name in names if name not in PROPERTIES), None)
