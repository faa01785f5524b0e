"""What attacks leave of a model, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NET = "the net"
FGSM, PGD, STRONGEST = "FGSM", "PGD, cross entropy", "strongest"
ATTACKS = (FGSM, PGD, STRONGEST)


@dataclass(frozen=True, eq=False)
class Example:
    """A crop before and after an attack.

    Attributes:
        name: of its file.
        radius: of the noise; 0 for a patch.
        clean: (H, W, 3) uint8 BGR.
        attacked: the same.
        wanted: its class.
        given: what the net takes the attacked one for.
    """

    name: str
    radius: float
    clean: NDArray[np.uint8]
    attacked: NDArray[np.uint8]
    wanted: str
    given: str


@dataclass(frozen=True)
class Patched:
    """What a patch leaves.

    Attributes:
        name: of the patch.
        accuracy: of each target, with the patch at places drawn by chance.
    """

    name: str
    accuracy: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Attacked:
    """What was measured.

    Attributes:
        crops: that were attacked.
        wanted: how many should have been; more, if it was interrupted.
        radii: of the noise, of 255, smallest first; the first is 0.
        accuracy: of each target (NET and the model files) under each attack, one value a radius.
        patches: what patches leave.
        settings: steps, starts and the like.
        examples: some crops.
        remarks: lines for a reader.
    """

    crops: int
    wanted: int
    radii: tuple[float, ...]
    accuracy: Mapping[str, Mapping[str, tuple[float, ...]]]
    patches: tuple[Patched, ...] = ()
    settings: Mapping[str, Any]
    examples: tuple[Example, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All but the pictures, for programs."""
        return {
            "crops": self.crops,
            "wanted": self.wanted,
            "settings": dict(self.settings),
            "radii": self.radii,
            "accuracy": {target: dict(attacks) for target, attacks in self.accuracy.items()},
            "patches": {one.name: dict(one.accuracy) for one in self.patches},
            "remarks": self.remarks,
        }
