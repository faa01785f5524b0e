"""A training set of printed signs out of their artwork, without one photograph."""

from __future__ import annotations

import json
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from perception import pictures
from perception.frames import Frame
from training.datasets.images import DataError
from training.signs import artwork, camera, printed, scenes
from training.signs.artwork import Artwork

CROPS = 400  # of each class
FRAMES = 4  # of one print before one scene; they stay on one side of the split
SIZES = (8, 80)  # px, of a sign before the camera
# Validation chooses the threshold that 99 % of its signs pass, so it has none that nobody could read.
VALIDATED = (16, 80)
VALIDATES = 5  # each fifth scene, and each fifth picture of background, as finetune_signs.yaml splits those
BACKGROUND = 150  # pictures, of which twelve crops each are learnt as "no known sign"
CONFIG = "training/configs/finetune_signs.yaml"


@dataclass(frozen=True)
class Made:
    """A training set that was made.

    Attributes:
        root: its folder.
        labels: names of the classes.
        crops: of all classes together.
        background: pictures of "no known sign".
        several: files whose picture seems to show several signs.
    """

    root: Path
    labels: tuple[str, ...]
    crops: int
    background: int
    several: tuple[Path, ...]

    @property
    def fit(self) -> str:
        """The command that learns from it."""
        root, background = shlex.quote(str(self.root)), shlex.quote(str(self.root / "background"))
        return f"python -m training fit --config {CONFIG} --data.root {root} --data.background {background}"


def make(
    source: Path,
    out: Path,
    *,
    names: Sequence[str] = (),
    backgrounds: Path | None = None,
    crops: int = CROPS,
    seed: int = 0,
) -> Made:
    """Render artwork as printed signs, and write what ``fit`` and ``check`` read.

    ``out/train/CLASS`` and ``out/val/CLASS`` get crops with a tenth of the sign's size around it, and
    ``out/background`` pictures without signs. No print and no scene is on both sides.

    Args:
        source: the artwork, see :func:`training.signs.artwork.read`.
        out: a new or empty folder.
        names: of the classes, likewise.
        backgrounds: pictures without these signs, as of one's own track; None draws rooms and floors.
        crops: of each class.
        seed: of everything that chance decides.

    Raises:
        DataError: the artwork or the backgrounds cannot be used, or ``out`` holds something already.
    """
    least = FRAMES * VALIDATES
    if crops < least:
        raise DataError(
            f"--crops is {crops}; expected {least} at least, or some have nothing to validate with"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} holds something already; name a new folder, or empty that one")
    signs = artwork.read(source, names)
    paths = scenes.read_pictures(backgrounds) if backgrounds else []
    behind = {"val": paths[::VALIDATES], "train": [p for i, p in enumerate(paths) if i % VALIDATES]}
    made = 0
    for sign in track(signs, "Signs"):
        # By the name, so that the pictures of a class stay the same when others are added.
        key = (seed, zlib.crc32(sign.label.encode()))
        for number in range(-(-crops // FRAMES)):
            part = "train" if number % VALIDATES else "val"
            rng = np.random.default_rng((*key, number))
            folder = out / part / sign.label
            folder.mkdir(parents=True, exist_ok=True)
            sizes = SIZES if part == "train" else VALIDATED
            crops_here = frames_of(sign, scenes.scene(rng, behind[part]), rng, sizes=sizes)
            made += len(crops_here)
            for frame, crop in enumerate(crops_here):
                pictures.write(folder / f"{number:05d}_{frame:05d}.png", crop)
    background = _write_background(out / "background", behind, seed)
    (out / "box_margin.json").write_text(json.dumps(printed.MARGIN) + "\n")
    several = tuple(sign.path for sign in signs if artwork.may_be_several(sign))
    return Made(out, tuple(sign.label for sign in signs), made, background, several)


def frames_of(
    sign: Artwork, scene: Frame, rng: np.random.Generator, *, sizes: tuple[int, int] = SIZES
) -> list[Frame]:
    """One print of a sign before a scene, from FRAMES places: crops (H, W, 3) uint8 BGR."""
    print_, fall = printed.print_out(sign, rng), printed.light(rng)
    smallest, largest = np.log(sizes)
    return [
        camera.take(
            *printed.shot(print_, scene, fall, float(np.exp(rng.uniform(smallest, largest))), rng), rng
        )
        for _ in range(FRAMES)
    ]


def _write_background(folder: Path, behind: dict[str, list[Path]], seed: int) -> int:
    """Write the pictures of "no known sign"; those that validate show what was behind signs that do."""
    folder.mkdir(parents=True)
    for number in range(BACKGROUND):
        paths = behind["train" if number % VALIDATES else "val"]
        rng = np.random.default_rng((seed, 0, number))
        chosen = paths[number // VALIDATES % len(paths) :][:1] if paths else []
        shown = scenes.scene(rng, chosen).astype(np.float32) / np.float32(255)
        fall = printed.light(rng)
        lit = np.clip(shown * fall.gains.astype(np.float32), 0, 1) ** np.float32(fall.gamma)
        pictures.write(folder / f"{number:05d}.png", camera.take(lit, 1.0, rng))
    return BACKGROUND
