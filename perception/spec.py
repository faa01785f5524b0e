"""ModelSpec: what a model file says about itself.

A model is one ``.onnx`` file. Its metadata entry ``perception.spec`` holds this
class as JSON, so labels, sizes and thresholds are in one place, beside the weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from perception.errors import SpecInvalidError, SpecMissingError, SpecVersionError
from perception.tasks import TASKS, UNLABELLED

METADATA_KEY = "perception.spec"
VERSION = 1
LEARNT_VAL_IN_WORDS = "the validation pictures among them"  # how files without provenance say it

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Provenance:
    """What a model has learnt from, as data.

    Attributes:
        data_set: name of the data set; empty if unknown.
        kept_aside: fingerprint of its validation part; empty if unknown.
        background_kept_aside: fingerprint of the background pictures in the validation part; empty if there
            were none or if it is unknown.
        learnt_val: the net, or the one whose weights it started from, has learnt from the validation part.
    """

    data_set: str = ""
    kept_aside: str = ""
    background_kept_aside: str = ""
    learnt_val: bool = False

    @classmethod
    def of_old_file(cls, trained_on: str, source: Mapping[str, str]) -> Provenance:
        """Make it from the texts of a file that was written before this class existed."""
        return cls(
            data_set=trained_on.partition(", ")[0],
            kept_aside=source.get("kept_aside", ""),
            background_kept_aside=source.get("background_kept_aside", ""),
            learnt_val=LEARNT_VAL_IN_WORDS in trained_on,
        )


@dataclass(frozen=True)
class ModelSpec:
    """The contract between training and the car.

    Attributes:
        task: a key of ``tasks.TASKS``; decides the outputs (see docs/model-file.md).
        labels: class names; the index is the class id.
        palette: one (R, G, B) in 0…255 per label.
        input_hw: (height, width) in pixels of the frames the graph takes; if that is free, of those that it
            was trained and measured with.
        stride: 0 if the graph takes frames of ``input_hw`` only; else their height and width are free, each a
            multiple of this, and at least two of it.
        enlarge_to: height times width, in pixels: frames with fewer are enlarged to as many, but at most
            fourfold along each side, and those with over four times as many are shrunk; 0 leaves all as they
            are.
        box_margin: how far around a sign the training crops reach, as a share of its width and height;
            boxes are widened by as much on every side before they are classified.
        color: channel order of the frames; always ``"BGR"``, as OpenCV and cameras have it.
        thresholds: e.g. ``{"known": 0.5}``: at or above it, a sign counts as known; ``found`` of a detector:
            at or above it, a box is given out.
        calibration: what was fitted after training, e.g. ``{"temperature": 1.3}``.
        trained_on: the data set and split in words, for people.
        provenance: the same as data, for programs.
        metrics: measured on the split that the key names, e.g. ``{"val_accuracy": 0.99}``.
        source: how to make this file again: ``commit``, ``config``, ``seed``.
        version: of this format.
    """

    task: str
    labels: tuple[str, ...]
    palette: tuple[Color, ...]
    input_hw: tuple[int, int]
    box_margin: float = 0.0
    color: str = "BGR"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    trained_on: str = ""
    provenance: Provenance = Provenance()
    metrics: Mapping[str, float] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION
    stride: int = 0
    enlarge_to: int = 0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise SpecInvalidError(f"task is {self.task!r}; it must be one of {', '.join(TASKS)}")
        if not self.labels:
            raise SpecInvalidError("labels is empty; a model needs at least one class name")
        if len(self.labels) > UNLABELLED:
            raise SpecInvalidError(f"{len(self.labels)} labels; class ids are bytes and 255 is 'unlabelled'")
        twice = [label for index, label in enumerate(self.labels) if label in self.labels[:index]]
        if twice:
            raise SpecInvalidError(f"label {twice[0]!r} is there twice; give every class a name of its own")
        if len(self.palette) != len(self.labels):
            raise SpecInvalidError(
                f"{len(self.palette)} colours for {len(self.labels)} labels; give one colour a label"
            )
        if any(not 0 <= value <= 255 for color in self.palette for value in color):
            raise SpecInvalidError("palette has a value outside 0…255")
        if len(self.input_hw) != 2 or min(self.input_hw) < 1:
            raise SpecInvalidError(f"input_hw is {self.input_hw}; it must be (height, width) in pixels")
        if not 0.0 <= self.threshold <= 1.0:  # NaN fails, too
            name = TASKS[self.task].decides
            raise SpecInvalidError(f"threshold of {name} is {self.threshold}; it must be a share, 0 to 1")
        if not 0.0 <= self.box_margin <= 1.0:
            raise SpecInvalidError(f"box_margin is {self.box_margin}; it must be a share, 0 to 1")
        if self.color != "BGR":
            raise SpecInvalidError(f"color is {self.color!r}; only 'BGR' is defined")
        self._check_free_size()

    def _check_free_size(self) -> None:
        if self.stride < 0 or self.enlarge_to < 0:
            raise SpecInvalidError(
                f"stride is {self.stride} and enlarge_to {self.enlarge_to}; they must be pixels, 0 for none"
            )
        if self.stride and not TASKS[self.task].any_size:
            raise SpecInvalidError(f"stride is {self.stride}, but {self.task} takes frames of one size only")
        if 0 < self.enlarge_to < 4 * self.stride**2:
            raise SpecInvalidError(
                f"enlarge_to is {self.enlarge_to}, which is no picture's number of pixels; give height times "
                f"width, such as {self.input_hw[0] * self.input_hw[1]}"
            )
        if self.enlarge_to and not self.stride:
            raise SpecInvalidError("enlarge_to needs a stride, because frames of one size are never enlarged")

    def to_json(self) -> str:
        """The text that goes into the model's metadata."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def padded(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """The size (height, width) in pixels at which the graph takes a frame of a size, padding included."""
        if not self.stride:
            return self.input_hw
        height, width = (max(2, -(-side // self.stride)) * self.stride for side in size_hw)
        return height, width

    @property
    def threshold(self) -> float:
        """What ``known``, or the task's own score (``Task.decides``), must reach to count; 0 without one."""
        task = TASKS[self.task]
        return float(self.thresholds.get(task.decides, task.threshold))

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], *, where: str) -> ModelSpec:
        """Read the spec out of a model's metadata.

        Args:
            metadata: all string entries of the model file.
            where: the file's name, for error messages.

        Raises:
            SpecMissingError: the model has no such entry.
            SpecVersionError: a newer release wrote the entry.
            SpecInvalidError: the entry is malformed.
        """
        text = metadata.get(METADATA_KEY)
        if text is None:
            raise SpecMissingError(
                f"{where}: no {METADATA_KEY!r} in its metadata, so its labels and input size are unknown; "
                "export it with 'python -m training export'"
            )
        try:
            raw = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise SpecInvalidError(
                f"{where}: {METADATA_KEY} is not JSON ({error}); export the model again"
            ) from None
        if not isinstance(raw, dict):
            raise SpecInvalidError(f"{where}: {METADATA_KEY} is not a JSON object; export the model again")
        version = raw.get("version", VERSION)
        if not isinstance(version, int):
            raise SpecInvalidError(
                f"{where}: version is {version!r}, not a whole number; export the model again"
            )
        if version > VERSION:
            raise SpecVersionError(
                f"{where}: spec version {version}, this release reads up to {VERSION}; update perception"
            )
        try:
            return cls(**_typed(raw))
        except SpecInvalidError as error:
            raise SpecInvalidError(f"{where}: {error}") from None
        except KeyError as error:
            raise SpecInvalidError(f"{where}: {METADATA_KEY} lacks {error}; export the model again") from None
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise SpecInvalidError(
                f"{where}: {METADATA_KEY} is malformed ({error}); export the model again"
            ) from None


def _typed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples: give the fields the types that ModelSpec declares."""
    known = {f.name for f in fields(ModelSpec)}
    typed = {name: value for name, value in raw.items() if name in known}
    if not isinstance(raw["labels"], list):  # a string would be split into letters
        raise TypeError("labels is not a list")
    typed["labels"] = tuple(str(label) for label in raw["labels"])
    typed["palette"] = tuple((int(r), int(g), int(b)) for r, g, b in raw["palette"])
    height, width = raw["input_hw"]
    typed["input_hw"] = (int(height), int(width))
    typed["box_margin"] = float(raw.get("box_margin", 0.0))
    typed["stride"], typed["enlarge_to"] = int(raw.get("stride", 0)), int(raw.get("enlarge_to", 0))
    for name in ("thresholds", "calibration", "metrics"):
        typed[name] = {str(key): float(value) for key, value in raw.get(name, {}).items()}
    typed["trained_on"] = str(raw.get("trained_on", ""))
    typed["source"] = {str(key): str(value) for key, value in raw.get("source", {}).items()}
    typed["provenance"] = (
        _provenance(raw["provenance"])
        if "provenance" in raw
        else Provenance.of_old_file(typed["trained_on"], typed["source"])
    )
    return typed


def _provenance(raw: Mapping[str, Any]) -> Provenance:
    texts = {name: str(raw.get(name, "")) for name in ("data_set", "kept_aside", "background_kept_aside")}
    return Provenance(**texts, learnt_val=bool(raw.get("learnt_val", False)))
