"""Frames with signs that the model hardly knows, and crops of them to sort into folders."""

from __future__ import annotations

from pathlib import Path

from perception import pictures
from perception.boxes import crop
from perception.frames import Frame
from perception.signs import Sign, Signs
from training.datasets.text import folder_name
from training.extract.extraction import Extraction

MARGIN = 0.1  # around a sign, as in the crops of GTSRB and in folders of your own
LEAST = 0.3  # score of a detector; what has less is seldom a sign
UNKNOWN, KNOWN = "unknown_signs", "known_signs"


def unsure(signs: Signs) -> float:
    """How near to undecided the most doubtful sign is, weighted by how likely it is one."""
    return max((sign.found * (1.0 - abs(2.0 * sign.known - 1.0)) for sign in signs), default=0.0)


def write(signs: Signs, frame: Frame, folder: Path, name: str) -> None:
    """Write a crop of each sign: into its class's folder if it is known, else where a person sorts them."""
    for number, sign in enumerate(signs):
        if sign.box is None or not (sign or sign.found >= LEAST):
            continue
        place = folder / _folder(sign)
        place.mkdir(parents=True, exist_ok=True)
        pictures.write(place / f"{name}_{number}.png", crop(frame, sign.box, margin=MARGIN))


def _folder(sign: Sign) -> Path:
    return Path(KNOWN, folder_name(sign.label)) if sign else Path(UNKNOWN)


EXTRACTION = Extraction(unsure, write)
