"""Frames worth labelling by a mask, and the mask that the model would give them."""

from __future__ import annotations

import json
from pathlib import Path

from perception import pictures
from perception.frames import Frame
from perception.model import Model
from perception.segmentation import RoadMask
from training.extract.extraction import Extraction


def unsure(mask: RoadMask) -> float:
    """The mean over all pixels of what is missing to full confidence."""
    return 1.0 - float(mask.confidence.mean()) / 255.0


def prepare(model: Model, folder: Path) -> None:
    """Write the names and colours of the classes, in the form that ``fit`` and ``check`` read."""
    named = zip(model.spec.labels, model.spec.palette)
    classes = [{"name": label, "color": list(color)} for label, color in named]
    (folder / "masks").mkdir()
    (folder / "classes.json").write_text(json.dumps(classes, indent=1) + "\n", encoding="utf-8")


def write(mask: RoadMask, frame: Frame, folder: Path, name: str) -> None:
    """Write a label image of the frame's size, to be corrected by hand."""
    pictures.write(folder / "masks" / f"{name}.png", mask.class_ids)


EXTRACTION = Extraction(unsure, write, prepare, has_look=True)
