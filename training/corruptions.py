"""What goes wrong between a sign and the model: the project's benchmark of corrupted crops.

Fifteen corruptions at five severities, in the spirit of ImageNet-C (Hendrycks & Dietterich 2019,
"Benchmarking neural network robustness to common corruptions and perturbations"): 1 is mild, at 5 people
mostly still recognise the sign. The levels were set by eye, never by what a model makes of them, and
training's own augmentation shares no code with them; else the benchmark would measure how well its answers
were learned. Sizes are shares of the crop's shorter side, so that a sign suffers alike from near and far.

Eleven are of light, weather and camera, the tint is of small cameras without a correction of their lens, and
the last three are of boxes: what a detector, or a person with a mouse, gives instead of the true box.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame

SEVERITIES = (1, 2, 3, 4, 5)
GAMMA = 2.2  # of the camera; light adds up before it
# Logarithms of the factors on B, G and R: pink three times, then green, blue, and warm as old lamps.
CASTS = (
    *((0.2, -0.9, 0.5), (0.6, -0.9, 0.5), (0.0, -0.7, 0.7)),
    *((-0.6, 0.5, -0.5), (0.7, 0.0, -0.8), (-0.9, -0.1, 0.6)),
)
_CANVAS = 192  # px; thin things are drawn at least this large and averaged down to the crop

Corruption = Callable[[Frame, int, np.random.Generator], Frame]
Plane = NDArray[np.floating]


def corrupt(name: str, frame: Frame, *, severity: int, rng: np.random.Generator) -> Frame:
    """One corruption of one crop.

    Args:
        name: one of CORRUPTIONS.
        frame: (H, W, 3) uint8 BGR of any size; is left as it was.
        severity: 1 to 5.
        rng: decides angles, positions and noise; in the same state it gives the same picture.

    Returns:
        A new frame of the same size.

    Raises:
        ValueError: there is no such corruption or severity.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"no corruption {name!r}; there are {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity is {severity}; it must be 1 to 5")
    return CORRUPTIONS[name](frame, severity, rng)


def motion_blur(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """The car or the camera moves while the shutter is open: a straight smear in any direction."""
    length = (0.06, 0.09, 0.13, 0.17, 0.21)[severity - 1] * _side(frame)
    angle = rng.uniform(0, math.pi)
    reach = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for t in np.linspace(-length / 2, length / 2, 8 * reach):
        x, y = reach + t * math.cos(angle), reach + t * math.sin(angle)
        column, row = int(x), int(y)
        dx, dy = x - column, y - row  # shared among four pixels: a length of 1.4 px is not one of 1 or 2
        kernel[row : row + 2, column : column + 2] += np.outer((1 - dy, dy), (1 - dx, dx))
    return _filter(frame, kernel)


def defocus_blur(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """The lens is focused elsewhere: every point becomes a disc."""
    radius = (0.02, 0.032, 0.044, 0.057, 0.07)[severity - 1] * _side(frame)
    reach = math.ceil(radius)
    fine = np.linspace(-reach - 0.5, reach + 0.5, 8 * (2 * reach + 1) + 1)
    centres = (fine[1:] + fine[:-1]) / 2
    disc = (np.hypot(*np.meshgrid(centres, centres)) <= max(radius, 0.1)).astype(np.float32)
    return _filter(frame, cv2.resize(disc, (2 * reach + 1,) * 2, interpolation=cv2.INTER_AREA))


def fog(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """Light grey between camera and sign, thicker here than there."""
    thickness = (0.25, 0.40, 0.53, 0.64, 0.74)[severity - 1]
    cloud = _smooth_noise(frame, rng, cells=3)
    share = np.clip(thickness + 0.12 * cloud, 0, 0.9)[..., None]
    return _bytes(frame * (1 - share) + rng.uniform(190, 225) * share)


def rain(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """Bright streaks that fall in one direction, under a duller sky."""
    count = (14, 26, 40, 56, 75)[severity - 1]
    opacity = (0.40, 0.46, 0.52, 0.58, 0.64)[severity - 1]
    slant = rng.uniform(-0.3, 0.3)
    streaks, side = _canvas(frame)
    height, width = streaks.shape
    for _ in range(_number(count, frame)):
        x, y = rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.2, 1.0) * height
        length = rng.uniform(0.10, 0.28) * side
        thickness = max(1, round(rng.uniform(0.006, 0.016) * side))
        _line(streaks, (x, y), (x + slant * length, y + length), int(rng.integers(130, 256)), thickness)
    share = opacity * _shrunk(streaks, frame)
    dull = frame * (1 - 0.06 * severity) + 0.06 * severity * float(frame.mean())
    return _bytes(dull * (1 - share) + 225.0 * share)


def snow(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """White flakes, near ones large and soft, in a whitened scene."""
    count = (18, 32, 48, 66, 88)[severity - 1]
    flakes, side = _canvas(frame)
    height, width = flakes.shape
    for _ in range(_number(count, frame)):
        centre = (int(rng.uniform(0, 1) * width), int(rng.uniform(0, 1) * height))
        # Few are near: the radius' distribution leans towards the small ones.
        radius = max(1, round((0.008 + 0.026 * rng.uniform(0, 1) ** 3) * side))
        cv2.circle(flakes, centre, radius, int(rng.integers(150, 256)), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(flakes, (0, 0), 0.008 * side).astype(np.uint8, copy=False)
    share = 0.95 * _shrunk(soft, frame)
    white = 0.05 * severity
    return _bytes((frame * (1 - white) + 235.0 * white) * (1 - share) + 248.0 * share)


def gaussian_noise(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """The sensor's noise at a high gain: every value by itself."""
    sigma = (0.04, 0.065, 0.095, 0.13, 0.17)[severity - 1] * 255
    return _bytes(frame + rng.normal(0, sigma, frame.shape))


def dark(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """Dusk and night: little light, and the noise of it."""
    gain = (0.40, 0.26, 0.17, 0.11, 0.07)[severity - 1]
    light = (frame / 255.0) ** GAMMA * gain
    photons = 6000.0  # a full pixel's
    seen = rng.poisson(light * photons) / photons + rng.normal(0, 0.0006, frame.shape)
    return _bytes(255.0 * np.clip(seen, 0, 1) ** (1 / GAMMA))


def over_exposure(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """A low sun or a slow exposure control: bright parts run into white."""
    gain = (1.5, 2.0, 2.7, 3.5, 4.5)[severity - 1]
    light = (frame / 255.0) ** GAMMA * gain
    return _bytes(255.0 * np.clip(light, 0, 1) ** (1 / GAMMA))


def jpeg(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """Too few bits for the picture: blocks and ringing."""
    quality = (55, 40, 30, 22, 16)[severity - 1]
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def low_resolution(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """A sign far away: what counts is how many pixels are left across it, so here they are counted."""
    pixels = (26, 22, 18, 15, 12)[severity - 1]
    height, width = frame.shape[:2]
    scale = min(1.0, pixels / _side(frame))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    few = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    return _bytes(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR))


def occlusion(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """A leaf, a sticker, a branch: a patch of one dull colour that reaches in from somewhere."""
    area = (0.05, 0.09, 0.14, 0.20, 0.27)[severity - 1]
    patch, side = _canvas(frame)
    height, width = patch.shape
    aspect, direction = rng.uniform(0.5, 2.0), rng.uniform(0, 2 * math.pi)
    size = (side * math.sqrt(area * aspect), side * math.sqrt(area / aspect))
    away = rng.uniform(0.15, 0.35) * side  # off the middle, but on the sign
    centre = (width / 2 + away * math.cos(direction), height / 2 + away * math.sin(direction))
    corners = cv2.boxPoints((centre, size, rng.uniform(0, 180)))
    cv2.fillConvexPoly(patch, corners.round().astype(np.int32), 255, cv2.LINE_AA)
    share = _shrunk(patch, frame)
    color = rng.uniform(30, 150) + rng.uniform(-25, 25, 3)
    texture = 12.0 * _smooth_noise(frame, rng, cells=6)[..., None]
    return _bytes(frame * (1 - share) + (color + texture) * share)


def tint(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """A colour cast, stronger towards one side: of a lens whose shading nobody corrects, or of lamps.

    Half of the casts are pink, as those of an IMX219 away from the middle of its picture.
    """
    strength = (0.12, 0.22, 0.33, 0.45, 0.60)[severity - 1]
    cast = np.array(CASTS[int(rng.integers(len(CASTS)))])
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.5)
    y, x = (np.linspace(-0.5, 0.5, size) for size in frame.shape[:2])
    share = 1.0 - slope * (0.5 + (y[:, None] * math.sin(angle) + x * math.cos(angle)) / math.sqrt(2))
    return _bytes(frame * np.exp(strength * share[..., None] * cast))


def cut(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """The box misses one side of the sign: at 5 a quarter of it, and the margin around it."""
    lost = (0.08, 0.14, 0.20, 0.25, 0.30)[severity - 1]
    low, high = [(lost, 1.0), (0.0, 1.0 - lost)][int(rng.integers(2))]
    vertical = bool(rng.integers(2))
    ys, xs = ((low, high), (0.0, 1.0)) if vertical else ((0.0, 1.0), (low, high))
    return _box(frame, ys, xs)


def squeeze(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """The box is too wide or too high, and the sign in it is squeezed once the box is made a square."""
    half = math.sqrt((1.08, 1.16, 1.25, 1.35, 1.50)[severity - 1]) / 2
    wide, narrow = (0.5 - half, 0.5 + half), (0.5 - 0.25 / half, 0.5 + 0.25 / half)
    return _box(frame, *((wide, narrow) if rng.integers(2) else (narrow, wide)))


def jitter(frame: Frame, severity: int, rng: np.random.Generator) -> Frame:
    """The box is beside the sign, and too large or too small."""
    reach = (0.05, 0.08, 0.11, 0.15, 0.19)[severity - 1]
    angle, side = rng.uniform(0, 2 * math.pi), math.exp(reach * rng.uniform(-1, 1))
    y, x = (0.5 + reach * math.sin(angle), 0.5 + reach * math.cos(angle))
    return _box(frame, (y - side / 2, y + side / 2), (x - side / 2, x + side / 2))


CORRUPTIONS: dict[str, Corruption] = {
    "motion blur": motion_blur,
    "defocus blur": defocus_blur,
    "fog": fog,
    "rain": rain,
    "snow": snow,
    "gaussian noise": gaussian_noise,
    "dark": dark,
    "over-exposure": over_exposure,
    "JPEG": jpeg,
    "low resolution": low_resolution,
    "occlusion": occlusion,
    "tint": tint,
    "cut": cut,
    "squeeze": squeeze,
    "jitter": jitter,
}


def _side(frame: Frame) -> int:
    return int(min(frame.shape[:2]))


def _bytes(values: NDArray[np.generic]) -> Frame:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _filter(frame: Frame, kernel: NDArray[np.number]) -> Frame:
    return _bytes(cv2.filter2D(frame, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def _box(frame: Frame, ys: tuple[float, float], xs: tuple[float, float]) -> Frame:
    """What a box shows, in shares of the frame's sides, at the frame's size; outside it is mirrored."""
    height, width = frame.shape[:2]
    (y1, y2), (x1, x2) = ys, xs
    scale_y, scale_x = y2 - y1, x2 - x1
    # Centres of pixels are at halves: pixel i of the result is taken from (i + 0.5) * scale + start - 0.5.
    matrix = np.array(
        [
            [scale_x, 0.0, x1 * width + (scale_x - 1) / 2],
            [0.0, scale_y, y1 * height + (scale_y - 1) / 2],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(frame, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, np.uint8)


def _smooth_noise(frame: Frame, rng: np.random.Generator, *, cells: int) -> Plane:
    """(H, W) about -1.5…1.5, slowly changing; ``cells`` hills across."""
    height, width = frame.shape[:2]
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _canvas(frame: Frame) -> tuple[NDArray[np.uint8], int]:
    """An empty plane with the frame's proportions, a whole multiple of its size, and its shorter side."""
    times = max(1, math.ceil(_CANVAS / _side(frame)))
    height, width = frame.shape[:2]
    return np.zeros((height * times, width * times), np.uint8), times * _side(frame)


def _shrunk(canvas: NDArray[np.uint8], frame: Frame) -> Plane:
    """(H, W, 1) shares 0…1 at the frame's size."""
    height, width = frame.shape[:2]
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)[..., None] / 255.0)


def _number(count: int, frame: Frame) -> int:
    """As many a square in a long frame as in a square one."""
    longer = int(max(frame.shape[:2]))
    return round(count * longer / _side(frame))


def _line(
    canvas: NDArray[np.uint8],
    start: tuple[float, float],
    end: tuple[float, float],
    value: int,
    thickness: int,
) -> None:
    ends = [(round(x), round(y)) for x, y in (start, end)]
    cv2.line(canvas, ends[0], ends[1], value, thickness, cv2.LINE_AA)
