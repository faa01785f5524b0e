"""Tasks: the training side of the one table; ``perception/tasks.py`` has the runtime's.

A new task is one line here and one there, one runtime file, one node file and one folder ``training/TASK/``;
nothing else names tasks. Entries are ``"module:name"`` and are imported when they are needed, because this
table lies below the modules that it names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from perception.errors import WrongTaskError
from perception.tasks import resolve

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Task:
    """What training knows about one task.

    Attributes:
        module: class of the LightningModule, which is a :class:`Module`.
        data: class of the LightningDataModule, which is a :class:`Data`.
        graph: ``build(module, data, like)``. Gets the trained module, the data set that is set up, and the
            spec of a model whose calibration to take, or None. Returns the graph that goes into the model
            file (uint8 frames (N, H, W, 3) BGR to the task's outputs, in the order of
            ``perception.tasks.TASKS``), and the fields of its ModelSpec but ``task``, ``labels``,
            ``input_hw``, ``provenance`` and ``source``.
        comparison: a ``training.comparison.Comparison``: how two models of the task are compared.
        quantize: a ``training.comparison.Quantization``; empty if there is no INT8 for the task.
        evaluate: ``evaluate(model, data, *, split, …)``. Gets the model that ``perception.load`` opens and
            the root of a data set, and returns a ``training.evaluate.evaluation.Evaluation``. Its other
            parameters are the options that it takes; empty if the task has no measure yet.
        report: ``add_sections(report, evaluation)``: draws what ``evaluate`` measured; empty if figures and
            remarks say it all.
        check: a ``training.check.problems.Check``; empty if nothing checks the task's data sets.
        extract: a ``training.extract.extraction.Extraction``; empty if no frames are picked by such a model.
        audit: a ``training.audit.auditing.Auditor``'s class; empty if nothing says which labels are wrong.
        corrupt: ``corrupt(model, data, *, split)`` gets what ``evaluate`` gets, and returns a
            ``training.corrupt.trial.Trial``; empty if nothing is measured on corrupted pictures.
        attack: a ``training.attack.victim.Victim``, made of an opened net and the root of a data set; empty
            if no such net is attacked.
        explain: a ``training.explain.question.Explainer``; empty if no answer of such a model is explained.
        gallery: a ``training.gallery.Gallery``'s class; empty if nobody looks at the task's pictures.
    """

    module: str
    data: str
    graph: str
    comparison: str
    quantize: str = ""
    evaluate: str = ""
    report: str = ""
    check: str = ""
    extract: str = ""
    audit: str = ""
    corrupt: str = ""
    attack: str = ""
    explain: str = ""
    gallery: str = ""


TASKS: dict[str, Task] = {
    "signs": Task(
        module="training.signs.task:SignTask",
        data="training.signs.data:SignData",
        graph="training.signs.graph:build",
        comparison="training.signs.compare:COMPARISON",
        quantize="training.signs.compare:QUANTIZATION",
        evaluate="training.signs.evaluate:evaluate",
        report="training.signs.report:add_sections",
        check="training.signs.check:CHECK",
        extract="training.signs.extract:EXTRACTION",
        audit="training.signs.audit:SignAudit",
        corrupt="training.signs.corrupted:SignTrial",
        attack="training.signs.attack:SignVictim",
        explain="training.signs.explain:EXPLAINER",
        gallery="training.signs.gallery:SignGallery",
    ),
    "segmentation": Task(
        module="training.segmentation.task:MaskTask",
        data="training.segmentation.data:MaskData",
        graph="training.segmentation.graph:build",
        comparison="training.segmentation.compare:COMPARISON",
        quantize="training.segmentation.compare:QUANTIZATION",
        evaluate="training.segmentation.evaluate:evaluate",
        report="training.segmentation.report:add_sections",
        check="training.segmentation.check:CHECK",
        extract="training.segmentation.extract:EXTRACTION",
        audit="training.segmentation.audit:MaskAudit",
        corrupt="training.segmentation.corrupted:MaskTrial",
        explain="training.segmentation.explain:EXPLAINER",
        gallery="training.segmentation.gallery:MaskGallery",
    ),
    "sign_detection": Task(
        module="training.detection.task:DetectionTask",
        data="training.detection.data:BoxData",
        graph="training.detection.graph:build",
        comparison="training.detection.compare:COMPARISON",
        quantize="training.detection.compare:QUANTIZATION",
        evaluate="training.detection.evaluate:evaluate",
        report="training.detection.report:add_sections",
        check="training.detection.check:CHECK",
        audit="training.detection.audit:BoxAudit",
        corrupt="training.detection.corrupted:BoxTrial",
        explain="training.detection.explain:EXPLAINER",
        gallery="training.detection.gallery:BoxGallery",
    ),
}


class Module(Protocol):
    """What the commands need of a task's LightningModule, beyond what Lightning asks for.

    It makes its net in ``configure_model``, for the classes of ``trainer.datamodule``. Its
    ``on_save_checkpoint`` writes ``task`` (TASK), ``labels``, ``kept_aside``, ``start_learnt_val`` and, if
    the data has it, ``background_kept_aside``; its ``on_load_checkpoint`` makes the net again out of these.

    Attributes:
        TASK: the key in TASKS.
        labels: class names.
        net: (N, 3, H, W) float32 BGR in 0…255 to whatever the graph makes the outputs of.
        is_resumed: ``fit`` sets it before ``configure_model``: the weights come from a checkpoint.
        start_learnt_val: whether the weights that training started from have learnt from the pictures that
            validate.
    """

    TASK: ClassVar[str]
    labels: tuple[str, ...]
    is_resumed: bool
    start_learnt_val: bool

    @property
    def net(self) -> nn.Module: ...


class Data(Protocol):
    """What the commands need of a task's LightningDataModule, beyond what Lightning asks for.

    What is not listed here and only some tasks have: ``background``, a folder of pictures that show nothing
    of the classes, and ``background_kept_aside``, the fingerprint of those of them that validate;
    ``samples(count)``, about so many validation pictures (N, H, W, 3) uint8 BGR one after the other, if the
    pictures have several sizes.

    Attributes:
        root: folder of the data set.
        data_set: its name, for the model's spec.
        size_hw: (height, width) in pixels of the frames, which the exported model takes.
        batch_size: frames a step.
        train_on_val: learn from the validation part as well.
        labels: class names, once ``setup`` has run; the index is the class id.
        kept_aside: fingerprint of the validation part, once ``setup`` has run.
        train: what training learns from, once ``setup`` has run.
        val: the validation part, once ``setup`` has run; if there are no ``samples``, a TensorDataset whose
            first tensor is (N, 3, H, W) uint8 BGR.
    """

    root: Path
    size_hw: tuple[int, int]
    batch_size: int
    train_on_val: bool
    kept_aside: str

    @property
    def train(self) -> Sized: ...

    @property
    def val(self) -> Sized | None: ...

    @property
    def data_set(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    def setup(self, stage: str | None = None) -> None: ...


def column(task: str, name: str) -> Any:
    """What the table has for a task.

    Args:
        task: a key of TASKS.
        name: one of the attributes of :class:`Task`.

    Raises:
        WrongTaskError: the task is not in the table, or has nothing in this column.
    """
    reference = getattr(TASKS[task], name) if task in TASKS else ""
    if not reference:
        able = ", ".join(other for other, entry in TASKS.items() if getattr(entry, name))
        raise WrongTaskError(
            f"training has no {name!r} for the task {task!r}, only for {able}; give a model, or data, of "
            "such a task"
        )
    return resolve(reference)


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """Names and defaults of the parameters that have a default."""
    given = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in given if one.default is not one.empty}


def chosen_options(
    function: Callable[..., Any], options: Mapping[str, Any], others: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Sort options of a command line by whether a task's function takes them.

    Args:
        function: the task's.
        options: all of the command.
        others: their defaults; an option that has its default, or is empty, was not given.

    Returns:
        Those that the function takes, and the names of those that were given and that it does not take.
    """
    own = parameters(function)
    taken = {name: value for name, value in options.items() if name in own}
    foreign = [
        name for name, value in options.items() if name not in own and value and value != others.get(name)
    ]
    return taken, foreign
