"""What goes wrong between the world and the model: the project's benchmark of corrupted pictures.

Seventeen corruptions at five severities, in the spirit of ImageNet-C (Hendrycks & Dietterich 2019,
"Benchmarking neural network robustness to common corruptions and perturbations"): 1 is mild, at 5 people
mostly still recognise what is there. The levels were set by eye, never by what a model makes of them, and
training's own augmentation shares no code with them; else the benchmark would measure how well its answers
were learned.

Lengths are shares of a unit, the size of a thing that is looked at, so that it suffers alike from near and
far: of a crop it is the shorter side, of a whole frame a tenth of that (FRAME_UNIT).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perception.frames import Frame
from training.corrupt import boxes, camera, displaced, weather
from training.corrupt.drawing import side
from training.corrupt.moved import Moved

SEVERITIES = (1, 2, 3, 4, 5)
FRAME_UNIT = 0.1  # of a frame's shorter side

Corrupt = Callable[[Frame, int, np.random.Generator, float], "Frame | tuple[Frame, Moved]"]


@dataclass(frozen=True, eq=False)
class Corrupted:
    """A corrupted picture, and where its pixels come from."""

    frame: Frame
    moved: Moved


CORRUPTIONS: dict[str, Corrupt] = {  # the place of each decides its noise: new ones come last
    "motion blur": camera.motion_blur,
    "defocus blur": camera.defocus_blur,
    "fog": weather.fog,
    "rain": weather.rain,
    "snow": weather.snow,
    "gaussian noise": camera.gaussian_noise,
    "dark": camera.dark,
    "over-exposure": camera.over_exposure,
    "JPEG": camera.jpeg,
    "low resolution": camera.low_resolution,
    "occlusion": displaced.occlusion,
    "tint": camera.tint,
    "cut": boxes.cut,
    "squeeze": boxes.squeeze,
    "jitter": boxes.jitter,
    "rolling shutter": displaced.rolling_shutter,
    "dropped rows": displaced.dropped_rows,
}
OF_BOXES = ("cut", "squeeze", "jitter")  # a whole frame has no box
OF_FRAMES = tuple(name for name in CORRUPTIONS if name not in OF_BOXES)


def corrupt(
    name: str, frame: Frame, *, severity: int, rng: np.random.Generator, is_crop: bool = True
) -> Corrupted:
    """One corruption of one picture.

    Args:
        name: one of CORRUPTIONS.
        frame: (H, W, 3) uint8 BGR of any size; is left as it was.
        severity: 1 to 5.
        rng: decides angles, positions and noise; in the same state it gives the same picture.
        is_crop: the picture shows one thing; else it is a whole frame, and things in it are smaller.

    Returns:
        A new frame of the same size.

    Raises:
        ValueError: there is no such corruption or severity.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"no corruption {name!r}; there are {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity is {severity}; it must be 1 to 5")
    given = CORRUPTIONS[name](frame, severity, rng, side(frame) * (1.0 if is_crop else FRAME_UNIT))
    if isinstance(given, tuple):
        return Corrupted(*given)
    return Corrupted(given, Moved.nothing((frame.shape[0], frame.shape[1])))
