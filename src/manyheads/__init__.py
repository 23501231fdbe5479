"""Are many heads better than one? Train several language tasks on one shared encoder, and compare it with one each.

In Python, a notebook for instance: `manyheads.Study.read(file).run()`, `manyheads.open_results(folder)`, and
`manyheads.Model.open(folder).answer(texts, task)`.
"""

from importlib import import_module
from typing import Any

from manyheads.core.version import __version__ as __version__

# What Python users find here, and where; loaded when it is first asked for, since `import manyheads` must be quick.
_PLACES = {
    "Study": "api",
    "Model": "api",
    "Results": "report.notebook",
    "open_results": "report.notebook",
    "StudyError": "core.problems",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
