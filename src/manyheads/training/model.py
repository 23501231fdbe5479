"""Encoder, sharing and heads as one module; built, saved and opened here."""

import json
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Len
from pydantic import AfterValidator, Field, JsonValue, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from manyheads import registry
from manyheads.core.encoder_info import not_by_layer, one_state, too_long
from manyheads.core.encoder_weights import shapes_of
from manyheads.core.foreign_files import unfit_files
from manyheads.core.printable import private
from manyheads.core.problems import Problem, StudyError
from manyheads.core.settings import NAME, Settings, problems_of, unfit
from manyheads.core.strict_json import read_json
from manyheads.core.tensors import Batch, Tokens
from manyheads.core.values import Places, Tokenizer, derived_seed
from manyheads.encoders import Encoder
from manyheads.heads import Head
from manyheads.sharing import Sharing
from manyheads.training.model_files import check_model, refuse_left_out

Specification = Mapping[str, Any]
"""A model as plain values: encoder, sharing and tasks, each method with its settings. Saved with the weights."""


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise unfit("is not a name")
    return name


Text = Annotated[str, Len(0, 10_000)]
Name = Annotated[str, AfterValidator(_named)]
WEIGHTS, HEADS, CONFIG, OURS = "model.safetensors", "heads.safetensors", "config.json", "manyheads"


class MultiTaskModel(nn.Module):
    """Several tasks' heads over what they share.

    :param specification: Plain values from which the same model can be built again: `encoder` and `sharing` (name and
        settings), and for each task its `head` (name and settings), `labels`, and the `columns` of its data.
    :param code: The folder of `--code`, for heads that start anew.
    """

    def __init__(
        self, sharing: Sharing, heads: Mapping[str, Head], specification: Specification, code: Path | None = None
    ) -> None:
        super().__init__()
        self.sharing = sharing
        self.code = code
        self._heads = nn.ModuleDict({_key(task): head for task, head in heads.items()})
        self.tasks = list(heads)
        self.specification = dict(specification)

    def head(self, task: str) -> Any:
        """The head of a task."""
        return self._heads[_key(task)]

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that goes with the encoder."""
        return self.sharing.encoders()[0].tokenizer

    def outputs(self, step: Mapping[str, Batch], *, separate: bool = False) -> dict[str, Tensor]:
        """Each task's outputs for its batch; what can be shared is computed once.

        :param separate: One pass for each task, so that the tasks' graphs are disjoint. The outputs are the same, but
            for dropout masks; methods that differentiate each loss by itself need not go through the others' examples.
        """
        groups = self._passes(step, separate)
        states = {task: found for group in groups for task, found in self.sharing(group).items()}
        return {task: self.head(task)(states[task], batch.counts) for task, batch in step.items()}

    def _passes(self, step: Mapping[str, Batch], separate: bool) -> list[dict[str, Tokens]]:
        tokens = {task: batch.tokens for task, batch in step.items()}
        return [{task: one} for task, one in tokens.items()] if separate else [tokens]

    def work(self, step: Mapping[str, Batch], *, separate: bool = False) -> tuple[int, float]:
        """What a step costs: how many tokens of padding it computes, and the operations (FLOP) of training on it.

        Operations count real tokens only: one forward pass, and twice as much for the backward pass (Kaplan et al.,
        "Scaling Laws for Neural Language Models", 2020, section 2.1). Heads, which cost next to nothing, are left out.
        """
        encoder = self.sharing.encoders()[0]
        padding = sum(
            encoder.padding([length for one in group.values() for length in one.lengths])
            for group in self._passes(step, separate)
        )
        lengths = [length for batch in step.values() for length in batch.tokens.lengths]
        return padding, 3 * sum(encoder.flops(lengths) for encoder in self.sharing.encoders())

    def narrow(self, ids: np.ndarray) -> None:
        """Prepare for training on examples that hold no token but `ids`, sorted: nothing is spent on other words."""
        for encoder in self.sharing.encoders():
            encoder.narrow(ids)

    def widen(self) -> None:
        """Undo `narrow`, after training: every word is where it belongs again."""
        for encoder in self.sharing.encoders():
            encoder.widen()

    def forward(self, step: Mapping[str, Batch], *, separate: bool = False) -> dict[str, Tensor]:
        """Each task's loss, a scalar."""
        outputs = self.outputs(step, separate=separate)
        return {task: self.head(task).loss(outputs[task], batch.targets, batch.counts) for task, batch in step.items()}

    def shared_parameters(self) -> list[nn.Parameter]:
        """What more than one task trains."""
        return self.sharing.shared_parameters()

    def fresh_head(self, task: str, seed: int) -> None:
        """Start a task's head anew."""
        new = _head(self.specification["tasks"][task], self.head(task).width, self.code, seed)
        self.head(task).load_state_dict(new.state_dict())

    def save(self, folder: Path) -> None:
        """Write a folder that `open_model` opens; with one encoder, `AutoModel` opens it as well."""
        folder.mkdir(parents=True, exist_ok=True)
        encoders = self.sharing.encoders()
        encoders[0].save(folder)
        config = json.loads((folder / CONFIG).read_text("utf-8")) if (folder / CONFIG).is_file() else {}
        config[OURS] = private(self.specification)
        (folder / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", "utf-8")
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        prefix = _encoder_prefix(self)
        inner = {name[len(prefix) :]: tensor for name, tensor in state.items() if prefix and name.startswith(prefix)}
        rest = {name: tensor for name, tensor in state.items() if not (prefix and name.startswith(prefix))}
        if inner:
            save_file(inner, folder / WEIGHTS, metadata={"format": "pt"})
        save_file(rest, folder / HEADS, metadata={"format": "pt"})


def _key(task: str) -> str:
    """A module's name holds no dot (and a task's name no colon), and is none of a module's own attributes."""
    return f"{task.replace('.', ':')}:"


def _encoder_prefix(model: MultiTaskModel) -> str:
    """What the names of the one encoder's own weights begin with; "" if there are several encoders."""
    encoders = model.sharing.encoders()
    inner = getattr(encoders[0], "inner", None)
    if len(encoders) != 1 or inner is None:
        return ""
    return next(f"{name}." for name, module in model.named_modules() if module is inner)


def build_model(
    specification: Specification,
    places: Places,
    *,
    seed: int,
    code: Path | None = None,
    saved: Path | None = None,
    learned: Any = None,
) -> MultiTaskModel:
    """A model from its specification: pretrained weights for the encoder, if it has any, and fresh heads.

    :param seed: Of what starts at random. A task's head, and the encoder, start the same in every arm.
    :param saved: A folder written by `save`, to build the encoder from without its weights.
    :param learned: What `Encoder.learn` gave, for an encoder that learns before it is built and is not `saved`.
    """
    wanted = specification["encoder"]
    encoder_class: Any = registry.load("encoders", wanted["name"], code)
    given = () if learned is None else (learned,)

    def make_encoder() -> Encoder:
        with _seeded(derived_seed(seed, "encoder")):
            return encoder_class(places, saved, *given, **wanted["settings"])

    first = make_encoder()
    made = iter([first])
    if saved is not None:
        _check_heads(specification, first.width, code, saved)
    heads = {
        task: _head(given, first.width, code, derived_seed(seed, "head", task))
        for task, given in specification["tasks"].items()
    }
    sharing_class: Any = registry.load("sharing", specification["sharing"]["name"], code)
    problems = too_long({task: head.max_length for task, head in heads.items()}, first.tokenizer.max_length)
    if not first.per_token:
        wanting = [f"tasks.{task}.head" for task, head in heads.items() if head.per_token]
        problems += one_state(wanted["name"], [*wanting, *(["sharing"] if sharing_class.per_token else [])])
    if sharing_class.by_layer:
        problems += not_by_layer(first.whole, specification["sharing"]["name"])
    if problems:
        raise StudyError(problems)
    with _seeded(derived_seed(seed, "sharing")):
        # The first encoder told the heads their width; it is used before another is made.
        sharing = sharing_class(
            lambda: next(made, None) or make_encoder(), heads, **specification["sharing"]["settings"]
        )
    return MultiTaskModel(sharing, heads, specification, code)


def open_model(folder: Path, code: Path | None = None, *, verify: bool = True) -> MultiTaskModel:
    """A saved model, ready to answer.

    :param verify: Compare its files with the SHA-256 that were written down of them.
    :raises StudyError: If the folder holds no model of ours, or it is not as it was written.
    """
    refuse_left_out(folder)
    try:
        if verify:
            check_model(folder)
        specification = _saved_specification(folder, code)
        model = build_model(specification, Places(folder), seed=0, code=code, saved=folder)
        state = load_file(folder / HEADS)
        if (folder / WEIGHTS).is_file():
            prefix = _encoder_prefix(model)
            state |= {prefix + name: tensor for name, tensor in load_file(folder / WEIGHTS).items()}
        model.load_state_dict(state, strict=True)
    except StudyError as error:
        raise StudyError([_of_folder(one, folder) for one in error.problems]) from error
    except Exception as error:  # whatever is wrong with a file, the person needs to know which folder
        raise _no_model(folder, (str(error).splitlines() or [type(error).__name__])[0]) from error
    return model.eval()


class _SavedMethod(Settings):
    name: str
    settings: dict[str, JsonValue] = Field({})


class _SavedTask(Settings):
    head: _SavedMethod
    labels: list[Text] | None = None
    columns: list[Text] | None = None


class _SavedModel(Settings):
    """What a model's config.json says below `manyheads`: a `Specification`."""

    version: Text = ""
    encoder: _SavedMethod
    sharing: _SavedMethod
    tasks: Annotated[dict[Name, _SavedTask], Len(1)]


def _saved_specification(folder: Path, code: Path | None) -> Specification:
    """The specification of a saved model, once it is known that its methods take what it says of them.

    :raises StudyError: If files of the folder are not what a model consists of, or say what cannot be.
    """
    if not (folder / CONFIG).exists():
        raise _no_model(folder, f"no {CONFIG}")
    problems = unfit_files(folder, str(folder))
    config = None if problems else read_json(folder / CONFIG, problems)
    if problems:
        raise StudyError(problems)
    specification = config.get(OURS) if isinstance(config, dict) else None
    if not isinstance(specification, dict):
        raise _no_model(folder, f"{CONFIG} without {OURS}")
    where = f"{folder / CONFIG}: {OURS}"
    try:
        read = _SavedModel.model_validate(specification)
    except ValidationError as error:
        raise StudyError(problems_of(error, _SavedModel, where)) from error
    methods = [("encoders", read.encoder, "encoder"), ("sharing", read.sharing, "sharing")]
    methods += [("heads", task.head, f"tasks.{name}.head") for name, task in read.tasks.items()]
    for family, method, place in methods:
        entry = registry.describe(family, method.name, code)
        problems += entry.problems(method.settings, f"{where}.{place}", tasks=list(read.tasks))
    if problems:
        raise StudyError(problems)
    return specification


def _no_model(folder: Path, found: str) -> StudyError:
    what = "not a model that manyheads saved, or a damaged one"
    return StudyError([Problem(str(folder), what, found, "Give the folder <arm>/<seed>/model.")])


def _of_folder(problem: Problem, folder: Path) -> Problem:
    """What a method found wrong with a saved model, with the folder that it is about."""
    if str(folder) in problem.where:
        return problem
    return replace(problem, where=str(folder), what=f"{problem.where}: {problem.what}")


def _check_heads(specification: Specification, width: int, code: Path | None, saved: Path) -> None:
    """Refuse heads of other sizes than the weights have, before memory is taken for them."""
    held = shapes_of([saved / HEADS])
    for task, given in specification["tasks"].items():
        with torch.device("meta"):
            declared = _head(given, width, code, 0).state_dict()
        for name, tensor in declared.items():
            there = held.get(f"_heads.{_key(task)}.{name}", tuple(tensor.shape))
            if there != tuple(tensor.shape):
                what = f"the head of {task} has {list(tensor.shape)} as its {name}"
                raise ValueError(f"{what}, the weights {list(there)}")
    if len(specification["tasks"]) > len(held):
        raise ValueError(f"{len(specification['tasks']):,} tasks, and weights for {len(held):,}")


def _head(given: Specification, width: int, code: Path | None, seed: int) -> Any:
    head_class: Any = registry.load("heads", given["head"]["name"], code)
    with _seeded(seed):
        return head_class(width, given["labels"], **given["head"]["settings"])


@contextmanager
def _seeded(seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
